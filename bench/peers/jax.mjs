/** jax-js on its webgpu or wasm backend: the whole training step in one `jit`, channels first as its convolutions are. */
import { provideGpu } from './gpu.mjs';
import { oneUnit, run } from './graph.mjs';
import { channelsFirst, filtersFirst, rowsChannelsFirst } from './layouts.mjs';
import { batchesOf, cycle, packageVersion, readProblem, serve, someScores, time } from './serve.mjs';

let jax, np, problem, initial, state, batches, next, trainStep, predict;

/** A value for one use: every use of an array but the last takes a reference. */
const use = ({ value, isLastUse }) => (isLastUse ? value : value.ref);

/** One number a channel, beside [n,C,H,W]. */
const perChannel = (vector) => vector.reshape([1, vector.shape[0], 1, 1]);

const activations = { linear: (x) => x, relu: (x) => jax.nn.relu(x) };

/** The layers, on parameters `p`, each of which is used once. */
const layersFor = (p, training) => ({
  Conv2D({ name, strides, padding, useBias, activation }, [x]) {
    const y = jax.lax.conv(use(x), p[`${name}.kernel`], strides, padding.toUpperCase());
    return activations[activation](useBias ? y.add(perChannel(p[`${name}.bias`])) : y);
  },
  DepthwiseConv2D({ name, strides, padding }, [x]) {
    const featureGroupCount = x.value.shape[1];
    const kernel = p[`${name}.depthwise_kernel`];
    return jax.lax.convGeneralDilated(use(x), kernel, strides, padding.toUpperCase(), { featureGroupCount });
  },
  BatchNormalization({ name, epsilon }, [given]) {
    const x = use(given);
    const [movingMean, movingVariance] = [p[`${name}.moving_mean`], p[`${name}.moving_variance`]];
    const overBatch = (values) => np.mean(values, [0, 2, 3], { keepdims: true });
    const mean = training ? overBatch(x.ref) : perChannel(movingMean);
    const centred = x.sub(mean);
    const variance = training ? overBatch(centred.ref.mul(centred.ref)) : perChannel(movingVariance);
    if (training) for (const unused of [movingMean, movingVariance]) unused.dispose();
    const scale = perChannel(p[`${name}.gamma`]).div(np.sqrt(variance.add(epsilon)));
    return centred.mul(scale).add(perChannel(p[`${name}.beta`]));
  },
  MaxPooling2D: ({ poolSize, strides }, [x]) => jax.lax.reduceWindow(use(x), np.max, poolSize, strides),
  ReLU: (_, [x]) => jax.nn.relu(use(x)),
  Add: (_, [a, b]) => use(a).add(use(b)),
  GlobalAveragePooling2D: (_, [x]) => np.mean(use(x), [2, 3]),
  Flatten: (_, [x]) => use(x).reshape([x.value.shape[0], -1]),
  Dense: ({ name, activation }, [x], isLast) =>
    activations[isLast ? 'linear' : activation](np.matmul(use(x), p[`${name}.kernel`]).add(p[`${name}.bias`])),
});

/** x [n,C,H,W] → logits [n] */
const forward = (p, x, training) => run(problem.architecture, layersFor(p, training), x).reshape([x.shape[0]]);

/** Mean binary cross-entropy on logits: max(z, 0) − z·y + log(1 + e^−|z|). */
function lossOf(p, x, y) {
  const z = forward(p, x, true);
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

/** A depthwise kernel [KH,KW,C,M] as one of C · M filters of one channel. */
const oneInput = ({ shape: [height, width, channels, multiplier], data }) => ({
  shape: [height, width, 1, channels * multiplier],
  data,
});

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
    oneUnit(problem);
    const { height, width, channels } = problem.network;
    batches?.forEach(({ x, y }) => [x, y].forEach((array) => array.dispose()));
    batches = batchesOf(problem, batch).map(({ x, y }) => ({
      x: np.array(channelsFirst(x, problem.network)).reshape([batch, channels, height, width]),
      y: np.array(y),
    }));
    initial = Object.fromEntries(
      Object.entries(problem.weights).map(([name, weight]) => {
        if (name.endsWith('.depthwise_kernel')) return [name, filtersFirst(oneInput(weight))];
        if (weight.shape.length === 4) return [name, filtersFirst(weight)];
        const flattened = problem.network.filters && name === 'dense.kernel';
        return [name, flattened ? rowsChannelsFirst(weight, problem.network) : weight];
      }),
    );
    trainStep = makeTrainStep(adam);
    predict = jax.jit((parameters, x) => jax.nn.sigmoid(forward(parameters, x, false)));
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
