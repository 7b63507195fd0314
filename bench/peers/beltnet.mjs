/** beltnet through its public API, as built in dist/. */
import { adam, imageDataGenerator, openDevice } from '../../dist/src/index.node.js';
import { buildNetwork } from '../networks.mjs';
import { batchesOf, cycle, readProblem, serve, someScores, time } from './serve.mjs';

let device, model, problem, batch, optimizer, next;

/** The same batches, as `fit` takes them; they go on from call to call. */
let batches;

function fitBatches() {
  const { height, width, channels } = problem.network;
  const count = Math.floor(problem.labels.length / batch) * batch;
  const dataset = {
    name: 'bench',
    pictures: problem.pictures.subarray(0, count * height * width * channels),
    labels: Uint8Array.from(problem.labels.subarray(0, count)),
    classNames: Array.from({ length: problem.network.classes }, (_, index) => `class ${index}`),
    pictureShape: [height, width, channels],
    files: Array.from({ length: count }, (_, index) => String(index)),
    skipped: [],
  };
  const flow = imageDataGenerator({ rescale: 1 / 255 }).flow(dataset, { batchSize: batch, shuffle: false });
  const { pictures, labels, pictureShape, sampleCount, batchSize, stepsPerPass, interpolation, rescale } = flow;
  let done = 0;
  return {
    ...{ pictures, labels, pictureShape, sampleCount, batchSize, stepsPerPass, interpolation, rescale },
    attributes: flow.attributes,
    batch: () => flow.batch(done++),
  };
}

/** An epoch to warm up, where one is wanted, and one with the clock on: from one `onEpoch` to the next nothing is in flight. */
async function fit({ warm, count }) {
  let start = performance.now();
  let milliseconds;
  let earlier = 0;
  let loss;
  await model.fit(batches, {
    epochs: warm > 0 ? 2 : 1,
    stepsPerEpoch: count,
    onProgress({ step, loss: mean }) {
      const sum = mean * step; // reports are of the epoch's mean so far
      loss = step === 1 ? sum : sum - earlier;
      earlier = sum;
    },
    onEpoch() {
      milliseconds = (performance.now() - start) / count;
      start = performance.now();
    },
  });
  return { milliseconds, loss };
}

const training = {
  fit,
  async trainOnBatch(times) {
    const { milliseconds, result } = await time(times, () => {
      const { x, y } = next();
      return model.trainOnBatch(x, y);
    });
    return { milliseconds, loss: result.loss };
  },
};

await serve({
  async open({ device: name, threads }) {
    device = await openDevice(name, name === 'cpu' ? { threads } : {});
    return { device: device.description.name, steps: Object.keys(training), adam: ['keras', 'pytorch'] };
  },
  prepare({ directory, batch: size, adam: { form, ...settings } }) {
    model?.destroy();
    problem = readProblem(directory);
    batch = size;
    const { name: network, filters } = problem.network;
    const missions = filters && { size: problem.network.height, width: filters / 32 };
    model = buildNetwork({ network, ...missions, dropout: problem.dropout });
    optimizer = adam({ ...settings, correction: form });
    next = cycle(batchesOf(problem, batch));
    batches = fitBatches();
  },
  restart() {
    model.setWeights(problem.weights);
    model.compile({ device, optimizer });
    next = cycle(batchesOf(problem, batch));
    batches = fitBatches();
  },
  step: ({ way, ...times }) => training[way](times),
  async infer(times) {
    const { milliseconds, result } = await time(times, () => model.predictOnBatch(next().x));
    return { milliseconds, scores: someScores(result) };
  },
});
