/** beltnet through its public API, as built in dist/. */
import { adam, Conv2D, Dense, Flatten, MaxPooling2D, openDevice, Sequential } from '../../dist/src/index.node.js';
import { batchesOf, cycle, readProblem, serve, someScores, time } from './serve.mjs';

const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0];

let device, model, problem, batch, optimizer, next;

/** Batches of the same pictures, as `fit` takes them; they go on from call to call. */
let batches;

function fitBatches() {
  const { pictures, labels, network } = problem;
  const { height, width, channels } = network;
  const steps = Math.floor(labels.length / batch);
  let done = 0;
  return {
    pictures: pictures.subarray(0, steps * batch * height * width * channels),
    labels: labels.subarray(0, steps * batch),
    pictureShape: [height, width, channels],
    sampleCount: steps * batch,
    batchSize: batch,
    stepsPerPass: steps,
    interpolation: 'nearest',
    rescale: 1 / 255,
    transforms: Float32Array.from({ length: batch * 8 }, (_, i) => IDENTITY[i % 8]),
    batch() {
      const first = (done++ % steps) * batch;
      return { indices: Uint32Array.from({ length: batch }, (_, i) => first + i), transforms: this.transforms };
    },
  };
}

/**
 * `fit` reads its figures in groups: some of its reports come at the same time. The clock runs from the first time, with
 * one step done, to the last.
 */
async function fit({ warm, count }) {
  const steps = warm + count;
  const times = [{ step: 0, time: performance.now() }];
  let latest = { step: 0, loss: 0 };
  let before;
  await model.fit(batches, {
    stepsPerEpoch: steps,
    onProgress(progress) {
      before = latest;
      latest = progress;
      if (times.at(-1).step === before.step)
        queueMicrotask(() => times.push({ step: latest.step, time: performance.now() }));
    },
  });
  const from = times.length > 2 ? times[1] : times[0];
  return {
    milliseconds: (times.at(-1).time - from.time) / (steps - from.step),
    loss: latest.loss * latest.step - before.loss * before.step, // reports are of the mean so far
  };
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
  async open({ device: name }) {
    device = await openDevice(name);
    return { device: device.description.name, steps: Object.keys(training), adam: ['keras', 'pytorch'] };
  },
  prepare({ directory, batch: size, adam: { form, ...settings } }) {
    model?.destroy();
    problem = readProblem(directory);
    batch = size;
    const { height, width, channels, filters, units } = problem.network;
    model = new Sequential([
      new Conv2D(filters, [3, 3], { inputShape: [height, width, channels], activation: 'relu' }),
      new MaxPooling2D(),
      new Conv2D(filters, [3, 3], { activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(units, { activation: 'relu' }),
      new Dense(1, { activation: 'sigmoid' }),
    ]);
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
