/**
 * Where a step of several ranks goes: `mpirun -n 2 node bench/mpi/step.mjs [--batch 32] [--device cpu]`, after npm run build. The mission's
 * network on 64×64 noise, one thread a rank; means of rank 0 in milliseconds. What is waited for is the slowest rank, before the sum begins.
 */
import { parseArgs } from 'node:util';
import { alone, buildNetwork, DataFlow, openDevice, openMpiGroup } from '../../dist/src/index.node.js';

const { values } = parseArgs({
  options: {
    batch: { type: 'string', default: '32' },
    device: { type: 'string', default: 'cpu' },
    steps: { type: 'string', default: '40' },
  },
});
const [batchSize, steps] = [Number(values.batch), Number(values.steps)];
const group = process.env.OMPI_COMM_WORLD_SIZE ? await openMpiGroup({ stallSeconds: 300 }) : alone;
const device = await openDevice(values.device, values.device === 'cpu' ? { threads: 1 } : {});

const spent = { wait: 0, reduce: 0, change: 0 };
const timed = (name, work) => {
  const start = performance.now();
  const result = work();
  spent[name] += performance.now() - start;
  return result;
};
const measured = {
  ...group,
  sum(numbers, purpose) {
    timed('wait', () => group.barrier(purpose));
    timed('reduce', () => group.sum(numbers, purpose));
  },
};
const { changeBuffers } = Object.getPrototypeOf(device);
device.changeBuffers = async (...given) => {
  const start = performance.now();
  await changeBuffers.apply(device, given);
  spent.change += performance.now() - start;
};

const SIDE = 64;
const count = batchSize * 4;
const pictures = Uint8Array.from({ length: count * SIDE * SIDE * 3 }, (_, n) => (n * 2654435761) >>> 24);
const dataset = {
  name: 'noise',
  pictures,
  pictureShape: [SIDE, SIDE, 3],
  labels: Uint8Array.from({ length: count }, (_, n) => n % 2),
  classNames: ['a', 'b'],
  files: Array.from({ length: count }, (_, n) => `${n}.png`),
  skipped: [],
};
const model = buildNetwork('mission', { width: SIDE, height: SIDE }, 2, 1);
model.compile({ device, group: measured });
const rows = [];
let last = 0;
const flow = new DataFlow(dataset, {
  batchSize,
  rescale: 1 / 255,
  augmentation: { shearRange: 5, horizontalFlip: true },
});
await model.fit(flow, {
  stepsPerEpoch: steps + 5,
  onProgress({ step }) {
    const now = performance.now();
    if (step > 5) rows.push({ step: now - last, ...spent });
    last = now;
    for (const name of Object.keys(spent)) spent[name] = 0;
  },
});
/** Steps are told in bunches, so that only their mean means something. */
const mean = (name) => rows.reduce((sum, row) => sum + row[name], 0) / rows.length;
if (group.rank === 0) {
  const [step, wait, reduce, change] = ['step', 'wait', 'reduce', 'change'].map(mean);
  const figures = { compute: step - change, wait, copy: Math.max(0, change - wait - reduce), reduce, step };
  const rounded = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(2))]));
  console.log(
    JSON.stringify({
      ranks: group.size,
      batch: batchSize,
      device: values.device,
      parameters: model.countParameters(),
      ...rounded,
    }),
  );
}
await group.close();
device.destroy();
