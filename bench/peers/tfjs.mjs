/** TensorFlow.js on its webgpu, wasm or cpu backend: core operations with fused convolutions, and its Adam. */
import { provideGpu } from './gpu.mjs';
import { oneUnit, run } from './graph.mjs';
import { batchesOf, cycle, readProblem, serve, someScores, time, Unsupported } from './serve.mjs';

let tf, problem, adam, parameters, optimizer, batches, next;

/** Backends that are packages of their own; `cpu` comes with the library. */
const backends = {
  async wasm(threads) {
    const { setThreadsCount } = await import('@tensorflow/tfjs-backend-wasm');
    setThreadsCount(threads);
  },
  async webgpu() {
    await import('@tensorflow/tfjs-backend-webgpu');
  },
};

/** The layers, as users of the core API write them; `training`: batch normalization by the batch's own mean and variance. */
const layersFor = (training) => ({
  Conv2D: ({ name, strides, padding, useBias, activation }, [{ value: x }]) =>
    tf.fused.conv2d({
      ...{ x, filter: parameters[`${name}.kernel`], strides, pad: padding, activation },
      ...(useBias && { bias: parameters[`${name}.bias`] }),
    }),
  DepthwiseConv2D: ({ name, strides, padding }, [{ value }]) =>
    tf.depthwiseConv2d(value, parameters[`${name}.depthwise_kernel`], strides, padding),
  BatchNormalization({ name, epsilon }, [{ value }]) {
    const { mean, variance } = training
      ? tf.moments(value, [0, 1, 2])
      : { mean: parameters[`${name}.moving_mean`], variance: parameters[`${name}.moving_variance`] };
    return tf.batchNorm(value, mean, variance, parameters[`${name}.beta`], parameters[`${name}.gamma`], epsilon);
  },
  MaxPooling2D: ({ poolSize, strides, padding }, [{ value }]) => tf.maxPool(value, poolSize, strides, padding),
  ReLU: (_, [{ value }]) => tf.relu(value),
  Add: (_, [a, b]) => tf.add(a.value, b.value),
  GlobalAveragePooling2D: (_, [{ value }]) => tf.mean(value, [1, 2]),
  Flatten: (_, [{ value }]) => tf.reshape(value, [value.shape[0], -1]),
  Dense: ({ name, activation }, [{ value }], isLast) =>
    tf.fused.matMul({
      ...{ a: value, b: parameters[`${name}.kernel`], bias: parameters[`${name}.bias`] },
      activation: isLast ? 'linear' : activation,
    }),
});

/** x [n,H,W,C] → logits [n] */
const forward = (x, training) => tf.reshape(run(problem.architecture, layersFor(training), x), [-1]);

function trainStep() {
  const { x, y } = next();
  try {
    return optimizer.minimize(() => tf.losses.sigmoidCrossEntropy(y, forward(x, true)), true);
  } catch (error) {
    if (!/^Kernel .* not registered/.test(error.message)) throw error;
    throw new Unsupported(`cannot train: ${error.message}`);
  }
}

await serve({
  async open({ device, threads }) {
    tf = await import('@tensorflow/tfjs');
    const adapter = device === 'webgpu' ? await provideGpu() : null;
    await backends[device]?.(threads);
    if (!(await tf.setBackend(device))) throw new Error(`the backend ${device} does not start`);
    await tf.ready();
    return { version: tf.version_core, device: adapter ?? device, steps: ['minimize'], adam: ['pytorch'] };
  },
  prepare({ directory, batch, adam: settings }) {
    tf.disposeVariables();
    batches?.forEach(({ x, y }) => tf.dispose([x, y]));
    problem = readProblem(directory);
    oneUnit(problem);
    adam = settings;
    const { height, width, channels } = problem.network;
    batches = batchesOf(problem, batch).map(({ x, y }) => ({
      x: tf.tensor4d(x, [batch, height, width, channels]),
      y: tf.tensor1d(y),
    }));
    parameters = Object.fromEntries(
      Object.entries(problem.weights).map(([name, { shape, data }]) => [
        name,
        tf.variable(tf.tensor(data, shape), !name.includes('.moving_')),
      ]),
    );
  },
  restart() {
    for (const [name, { shape, data }] of Object.entries(problem.weights)) {
      tf.tidy(() => parameters[name].assign(tf.tensor(data, shape)));
    }
    optimizer?.dispose();
    optimizer = tf.train.adam(adam.learningRate, adam.beta1, adam.beta2, adam.epsilon);
    next = cycle(batches);
  },
  async step({ warm, count }) {
    let earlier;
    const { milliseconds, result } = await time(
      { warm, count },
      () => {
        earlier?.dispose();
        return (earlier = trainStep());
      },
      async (loss) => (await loss.data())[0],
    );
    earlier.dispose();
    return { milliseconds, loss: result };
  },
  async infer(times) {
    const { milliseconds, result } = await time(times, async () => {
      const scores = tf.tidy(() => tf.sigmoid(forward(next().x, false)));
      const values = await scores.data();
      scores.dispose();
      return values;
    });
    return { milliseconds, scores: someScores(result) };
  },
});
