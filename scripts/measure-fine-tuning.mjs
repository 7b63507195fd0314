/**
 * Does fine-tuning pay? A head on frozen features of the shipped base against the same with its last layers trained, on pictures that
 * neither trained nor chose (docs/base.md).
 *
 *   npm run build && node scripts/measure-fine-tuning.mjs FOLDER DRAWS [option of train…]
 *
 * Each draw divides all pictures of a folder anew, a fifth for the test. The frozen head has all the others to learn from; fine-tuning keeps
 * 0.15 of them back to choose its epoch on, the model as it began among the candidates.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { split } from '../dist/src/data/dataset.js';
import { openSplits } from '../dist/src/index.node.js';

const TEST = 0.2;
const [folder, draws, ...options] = process.argv.slice(2);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'beltnet-tuning-'));
const last = (...line) => {
  const text = execFileSync(process.execPath, [main, ...line, '--json'], { cwd: work, encoding: 'utf8' });
  return text
    .trim()
    .split('\n')
    .map((each) => JSON.parse(each));
};
const percent = (share) => (100 * share).toFixed(1).padStart(6);

const parts = Object.values(await openSplits(folder)).filter((part) => part?.files);
const files = parts.flatMap((part) => part.files.map(({ path, label }) => [path, part.classNames[label]]));
const [{ classNames }] = parts;
const labels = files.map(([, name]) => classNames.indexOf(name));
console.log('draw  best epoch  held back: began, best  test: frozen, fine-tuned  seconds');
try {
  for (let seed = 0; seed < Number(draws); seed++) {
    const { validation } = split({ labels, classNames }, TEST, seed);
    const test = new Set(validation);
    const rows = files.map(([path, name], n) => `"${resolve(path)}","${name}",${test.has(n) ? 'test' : 'train'}`);
    const manifest = join(work, `draw-${seed}.csv`);
    writeFileSync(manifest, `path,label,split\n${rows.join('\n')}\n`);
    const train = (name, ...more) =>
      last('train', manifest, '--base', 'darknet-tiny', '--name', name, '--seed', String(seed), ...more);
    const accuracy = (name) => last('evaluate', `runs/${name}`, manifest).at(-1).accuracy;
    const size = options.includes('--base-size') ? options.slice(options.indexOf('--base-size')).slice(0, 2) : [];
    train(`frozen-${seed}`, ...size);
    const start = performance.now();
    const events = train(`tuned-${seed}`, '--fine-tune', '3', ...options);
    const seconds = (performance.now() - start) / 1000;
    const epochs = events.filter(({ event }) => event === 'epoch');
    const { bestEpoch } = events.at(-1);
    const held = (epoch) => percent(epochs.find((each) => each.epoch === epoch).valAccuracy);
    const judged = [`frozen-${seed}`, `tuned-${seed}`].map((name) => percent(accuracy(name)));
    console.log(`${seed}  ${bestEpoch}  ${held(0)} ${held(bestEpoch)}  ${judged.join(' ')}  ${seconds.toFixed(0)}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
