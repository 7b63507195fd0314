/** jax-js on its webgpu or wasm backend: the whole training step in one `jit`, channels first as its convolutions are. */
import { channelsFirst, filtersFirst, rowsChannelsFirst } from './layouts.mjs';
import { provideGpu } from './gpu.mjs';
import { batchesOf, cycle, onlyMission, packageVersion, readProblem, serve, someScores, time } from './serve.mjs';

let jax, np, problem, initial, state, batches, next, trainStep, predict;

/** x [n,C,H,W] → logits [n]. Every use of an array but the last takes a reference: `ref`. */
function forward(p, x) {
  const batch = x.shape[0];
  const convolution = (input, kernel, bias) =>
    jax.nn.relu(jax.lax.conv(input, kernel, [1, 1], 'VALID').add(bias.reshape([1, bias.shape[0], 1, 1])));
  const pooled = (input) => jax.lax.reduceWindow(input, np.max, [2, 2], [2, 2]);
  const first = pooled(convolution(x, p['conv2d.kernel'], p['conv2d.bias']));
  const second = pooled(convolution(first, p['conv2d_1.kernel'], p['conv2d_1.bias']));
  const flat = second.reshape([batch, -1]);
  const hidden = jax.nn.relu(np.matmul(flat, p['dense.kernel']).add(p['dense.bias']));
  return np.matmul(hidden, p['dense_1.kernel']).add(p['dense_1.bias']).reshape([batch]);
}

/** Mean binary cross-entropy on logits: max(z, 0) − z·y + log(1 + e^−|z|). */
function lossOf(p, x, y) {
  const z = forward(p, x);
  const tail = np.log(np.exp(np.abs(z.ref).neg()).add(1));
  return np.mean(jax.nn.relu(z.ref).sub(z.mul(y)).add(tail));
}

/** One step of Adam on everything: { parameters, means, squares } and the step's factors → the same, and the loss. */
function makeTrainStep({ beta1, beta2, epsilon }) {
  return jax.jit(({ parameters, means, squares }, x, y, rate, unbias) => {
    const names = Object.keys(parameters);
    const [loss, gradients] = jax.valueAndGrad(lossOf)(jax.tree.ref(parameters), x, y);
    const after = { parameters: {}, means: {}, squares: {} };
    for (const name of names) {
      const gradient = gradients[name];
      const mean = means[name].mul(beta1).add(gradient.ref.mul(1 - beta1));
      const square = squares[name].mul(beta2).add(gradient.ref.mul(gradient).mul(1 - beta2));
      const change = mean.ref.mul(rate.ref).div(np.sqrt(square.ref).mul(unbias.ref).add(epsilon));
      after.parameters[name] = parameters[name].sub(change);
      after.means[name] = mean;
      after.squares[name] = square;
    }
    rate.dispose();
    unbias.dispose();
    return [after, loss];
  });
}

let adam;
let stepsDone = 0;

function step() {
  const { x, y } = next();
  stepsDone++;
  const rate = adam.learningRate / (1 - adam.beta1 ** stepsDone);
  const unbias = 1 / Math.sqrt(1 - adam.beta2 ** stepsDone);
  const [after, loss] = trainStep(state, x.ref, y.ref, np.array(rate), np.array(unbias));
  state = after;
  return loss;
}

await serve({
  async open({ device }) {
    const adapter = device === 'webgpu' ? await provideGpu() : null;
    jax = await import('@jax-js/jax');
    np = jax.numpy;
    const ready = await jax.init(device);
    if (!ready.includes(device)) throw new Error(`the backend ${device} does not start`);
    jax.defaultDevice(device);
    return { version: packageVersion('@jax-js/jax'), device: adapter ?? device, steps: ['jit'], adam: ['pytorch'] };
  },
  prepare({ directory, batch, adam: settings }) {
    adam = settings;
    problem = readProblem(directory);
    onlyMission(problem);
    const { height, width, channels } = problem.network;
    batches?.forEach(({ x, y }) => [x, y].forEach((array) => array.dispose()));
    batches = batchesOf(problem, batch).map(({ x, y }) => ({
      x: np.array(channelsFirst(x, problem.network)).reshape([batch, channels, height, width]),
      y: np.array(y),
    }));
    initial = Object.fromEntries(
      Object.entries(problem.weights).map(([name, weight]) => {
        if (weight.shape.length === 4) return [name, filtersFirst(weight)];
        return [name, name === 'dense.kernel' ? rowsChannelsFirst(weight, problem.network) : weight];
      }),
    );
    trainStep = makeTrainStep(adam);
    predict = jax.jit((parameters, x) => jax.nn.sigmoid(forward(parameters, x)));
  },
  restart() {
    if (state) jax.tree.dispose(state);
    const arrays = (make) => Object.fromEntries(Object.entries(initial).map(([name, weight]) => [name, make(weight)]));
    const zeros = () => arrays(({ shape }) => np.zeros(shape));
    state = {
      parameters: arrays(({ shape, data }) => np.array(data.slice()).reshape(shape)),
      ...{ means: zeros(), squares: zeros() },
    };
    stepsDone = 0;
    next = cycle(batches);
  },
  async step({ warm, count }) {
    let earlier;
    const { milliseconds, result } = await time(
      { warm, count },
      () => {
        earlier?.dispose();
        return (earlier = step());
      },
      async (loss) => (await loss.ref.data())[0],
    );
    earlier.dispose();
    return { milliseconds, loss: result };
  },
  async infer(times) {
    const { milliseconds, result } = await time(times, () =>
      predict(jax.tree.ref(state.parameters), next().x.ref).data(),
    );
    return { milliseconds, scores: someScores(result) };
  },
});
