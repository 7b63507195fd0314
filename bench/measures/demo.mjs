/** `npm run demo`, as a newcomer runs it after the install. What it makes is taken away again. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Quiet } from '../quiet.mjs';
import { median } from '../statistics.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'demo');
const inFolder = () => (existsSync(folder) ? readdirSync(folder) : []);

export const demo = {
  id: 'demo',
  tables: [{ id: 'demo', title: '`npm run demo`, s', ours: {} }],
  async run(context, device, save) {
    if (device !== 'cpu') return;
    const rounds = context.quick ? 1 : Math.min(3, context.rounds);
    const quiet = await Quiet.begin(context);
    const turns = [];
    for (let round = 0; round < rounds; round++) {
      context.progress(`demo: round ${round + 1}/${rounds}`);
      turns.push(await quiet.measure(runDemo));
    }
    const samples = turns.map(({ result }) => result);
    const disturbed = turns.filter((turn) => turn.disturbed).length;
    const one = { text: 'the whole demo' };
    await save([{ measure: 'demo', one, peer: 'beltnet-demo', median: median(samples), samples, disturbed }]);
  },
};

/** @returns seconds */
function runDemo() {
  const before = inFolder();
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/demo.mjs')], {
    cwd: root,
    encoding: 'utf8',
  });
  const seconds = (performance.now() - start) / 1000;
  for (const name of inFolder().filter((one) => !before.includes(one))) rmSync(join(folder, name), { recursive: true });
  if (status !== 0) throw new Error(`the demo ended with ${status}: ${stderr.trim().split('\n').at(-1)}`);
  return seconds;
}
