/**
 * What `predict` costs beside decoding alone and inference alone, on JPEGs of 640×480, in turns; and whether its memory stays flat.
 * `npm run build`, then `node scripts/measure-predict.mjs MODEL [--files 400] [--rounds 5] [--cold]` (no round to warm up; 20,000
 * files take 1 GB of disk). Wall and processor time, of all threads.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadClassifier, openDevice, streamPictures, synthesize } from '../dist/src/index.node.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '5' },
    cold: { type: 'boolean' },
  },
});
const [count, rounds] = [Number(values.files), Number(values.rounds)];

const folder = mkdtempSync(join(tmpdir(), 'beltnet-measure-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
await synthesize(join(folder, 'belt'), { count: 16, width: 640, height: 480, workers: 0 });
const originals = ['gap', 'ok'].flatMap((label) =>
  readdirSync(join(folder, 'belt/training_set', label)).map((name) => join(folder, 'belt/training_set', label, name)),
);
mkdirSync(join(folder, 'many'));
for (let n = 0; n < count; n++)
  copyFileSync(originals[n % originals.length], join(folder, 'many', `${String(n).padStart(6, '0')}.jpg`));

const device = await openDevice('cpu');
const classifier = await loadClassifier(positionals[0], { device });
const { size } = classifier.preparation.picture;
const length = size.width * size.height * 3;
const prepared = new Uint8Array(count * length);

/** MB, ten times in each predict. */
const within = [];
const tasks = {
  decode: async () => {
    const stream = await streamPictures([join(folder, 'many')], classifier.preparation.picture);
    const indices = Uint32Array.from({ length: 32 }, (_, n) => n);
    for (let first = 0; first < count; first += 32) {
      const some = indices.subarray(0, Math.min(32, count - first)).map((n) => first + n);
      await stream.pictures.read(some, prepared.subarray(first * length));
    }
    await stream.close();
  },
  infer: () => classifier.predict(prepared),
  predict: () => {
    let judged = 0;
    const onResult = () => {
      if (++judged % Math.ceil(count / 10) === 0) within.push(Math.round(process.memoryUsage().rss / 2 ** 20));
    };
    return classifier.classifyPaths([join(folder, 'many')], { onResult });
  },
};

async function measured(task) {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await task();
  const { user, system } = process.cpuUsage(cpu);
  return { wall: performance.now() - start, cpu: (user + system) / 1000 };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const times = { decode: [], infer: [], predict: [] };
const memory = [];
for (let round = values.cold ? 0 : -1; round < rounds; round++) {
  for (const [name, task] of Object.entries(tasks)) {
    const time = await measured(task);
    if (round >= 0) times[name].push(time); // the first round warms
  }
  memory.push(Math.round(process.memoryUsage().rss / 2 ** 20));
}
for (const kind of ['wall', 'cpu']) {
  const each = Object.fromEntries(
    Object.entries(times).map(([name, all]) => [name, median(all.map((time) => time[kind]))]),
  );
  const ratios = times.predict.map((time, n) => time[kind] / (times.decode[n][kind] + times.infer[n][kind]));
  const inWords = Object.entries(each).map(([name, ms]) => `${name} ${(ms / count).toFixed(2)} ms`);
  console.log(`${kind}: ${inWords.join(', ')} a picture; predict / (decode + infer) ${median(ratios).toFixed(3)}`);
}
console.log(`memory within the last predict, MB: ${within.slice(-10).join(' ')}`);
console.log(`memory after each round of ${3 * count} pictures, MB: ${memory.join(' ')}`);
await classifier.destroy();
device.destroy();
