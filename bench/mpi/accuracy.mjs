/**
 * What several ranks, and averaging parameters every H steps, do to the accuracy: the same training by one process and in these ways, with
 * several seeds. `node bench/mpi/accuracy.mjs pictures --split 0.5 --epochs 15`, after npm run build; what train takes may follow, and the
 * runs (--out) that are there already are not made again. Told are means over the seeds and, with each seed's own training by one process
 * subtracted, mean differences with their 95 % intervals (Student's t).
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const own = { seeds: '8', ranks: '4', every: '4,16', out: 'runs-accuracy' };
const { values, tokens } = parseArgs({
  options: Object.fromEntries(Object.keys(own).map((name) => [name, { type: 'string' }])),
  strict: false,
  allowPositionals: true,
  tokens: true,
});
const { seeds, ranks, every, out } = { ...own, ...values };
const taken = new Set(
  tokens.flatMap(({ kind, name, index, inlineValue }) =>
    kind === 'option' && Object.hasOwn(own, name) ? (inlineValue ? [index] : [index, index + 1]) : [],
  ),
);
const training = process.argv.slice(2).filter((_, index) => !taken.has(index));

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const together = ['mpirun', '--allow-run-as-root', '--oversubscribe', '-n', ranks];
const ways = [
  { name: 'one', launcher: [], more: [] },
  { name: `ranks-${ranks}`, launcher: together, more: ['--distributed'] },
  ...every.split(',').map((steps) => ({
    name: `ranks-${ranks}-every-${steps}`,
    launcher: together,
    more: ['--distributed', '--sync-every', steps],
  })),
];

function epochsOf(run) {
  try {
    const lines = readFileSync(join(out, run, 'events.jsonl'), 'utf8')
      .trim()
      .split('\n');
    return lines.map((line) => JSON.parse(line)).filter(({ valAccuracy }) => valAccuracy !== undefined);
  } catch {
    return [];
  }
}

async function train({ name, launcher, more }, seed) {
  const run = `${name}-seed-${seed}`;
  const given = ['train', ...training, '--device', 'cpu', '--threads', '1', '--out', out, '--name', run, '--quiet'];
  if (epochsOf(run).length === 0) {
    const [command, ...args] = [...launcher, process.execPath, program, ...given, '--seed', String(seed), ...more];
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${run} ended with ${code}`);
  }
  const accuracies = epochsOf(run).map(({ valAccuracy }) => valAccuracy);
  return { last: accuracies.at(-1), best: Math.max(...accuracies) };
}

/** Student's t at 97.5 %, by degrees of freedom from 1. */
const T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131];
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
function interval(numbers) {
  const centre = mean(numbers);
  const variance = numbers.reduce((sum, number) => sum + (number - centre) ** 2, 0) / (numbers.length - 1);
  return T[numbers.length - 2] * Math.sqrt(variance / numbers.length);
}

const results = Object.fromEntries(ways.map(({ name }) => [name, []]));
for (let seed = 1; seed <= Number(seeds); seed++)
  for (const way of ways) {
    results[way.name].push(await train(way, seed));
    console.error(`seed ${seed}, ${way.name}: ${JSON.stringify(results[way.name].at(-1))}`);
  }
for (const figure of ['last', 'best'])
  for (const { name } of ways) {
    const of = (way) => results[way].map((result) => result[figure]);
    const differences = of(name).map((accuracy, n) => 100 * (accuracy - of('one')[n]));
    const compared =
      name === 'one'
        ? ''
        : `, less that of one process ${mean(differences).toFixed(2)} ± ${interval(differences).toFixed(2)} points`;
    console.log(`${figure} epoch, ${name}: ${mean(of(name)).toFixed(4)}${compared}`);
  }
