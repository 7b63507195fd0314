/** TensorFlow.js on its webgpu, wasm or cpu backend: core operations with fused convolutions, and its Adam. */
import { provideGpu } from './gpu.mjs';
import { batchesOf, cycle, onlyMission, readProblem, serve, someScores, time, Unsupported } from './serve.mjs';

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

/** The layers, as users of the core API write them: x [n,H,W,C] → logits [n]. */
function forward(x) {
  const p = parameters;
  const convolution = (input, name) =>
    tf.fused.conv2d({
      ...{ x: input, filter: p[`${name}.kernel`], bias: p[`${name}.bias`] },
      ...{ strides: 1, pad: 'valid', activation: 'relu' },
    });
  const pooled = (input) => tf.maxPool(input, 2, 2, 'valid');
  const maps = pooled(convolution(pooled(convolution(x, 'conv2d')), 'conv2d_1'));
  const flat = tf.reshape(maps, [x.shape[0], -1]);
  const hidden = tf.fused.matMul({ a: flat, b: p['dense.kernel'], bias: p['dense.bias'], activation: 'relu' });
  return tf.reshape(tf.fused.matMul({ a: hidden, b: p['dense_1.kernel'], bias: p['dense_1.bias'] }), [-1]);
}

function trainStep() {
  const { x, y } = next();
  try {
    return optimizer.minimize(() => tf.losses.sigmoidCrossEntropy(y, forward(x)), true);
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
    onlyMission(problem);
    adam = settings;
    const { height, width, channels } = problem.network;
    batches = batchesOf(problem, batch).map(({ x, y }) => ({
      x: tf.tensor4d(x, [batch, height, width, channels]),
      y: tf.tensor1d(y),
    }));
    parameters = Object.fromEntries(
      Object.entries(problem.weights).map(([name, { shape, data }]) => [name, tf.variable(tf.tensor(data, shape))]),
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
      const scores = tf.tidy(() => tf.sigmoid(forward(next().x)));
      const values = await scores.data();
      scores.dispose();
      return values;
    });
    return { milliseconds, scores: someScores(result) };
  },
});
