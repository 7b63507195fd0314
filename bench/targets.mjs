/** What this project sets out to reach, as ratios of medians in one run, or in units. */
import { inferenceBatches, networkBatches } from './networks.mjs';
import { curveNames } from './measures/curves.mjs';
import { ours } from './peers.mjs';

const medianOf = (cells, measure, batch, peer) =>
  cells.find((cell) => cell.measure === measure && cell.one.batch === batch && cell.peer === peer)?.median ?? NaN;

/** Beltnet's time over that of the quickest of these peers; NaN unless all were measured. */
const against = (measure, batch, device, others) => (cells) =>
  medianOf(cells, measure, batch, ours[device]) /
  Math.min(...others.map((peer) => medianOf(cells, measure, batch, peer)));

const one = (measure, peer) => (cells) =>
  cells.find((cell) => cell.measure === measure && cell.peer === peer)?.median ?? NaN;

const wholeAgainst = (peer) => (cells) =>
  one('end-to-end', 'beltnet-train-cpu')(cells) / one('end-to-end', peer)(cells);

const step = (batch, least, aim) => ({
  text: `cpu training step / the better of PyTorch channels_last and Keras, batch ${batch}`,
  value: against('train-step', batch, 'cpu', ['pytorch-channels-last', 'keras']),
  ...{ least, aim },
});
const stepDefault = (batch, least, aim) => ({
  text: `cpu training step / PyTorch in its default layout, batch ${batch}`,
  value: against('train-step', batch, 'cpu', ['pytorch']),
  ...{ least, aim },
});
const inferOnnx = (batch, least, aim) => ({
  text: `cpu inference / onnxruntime, batch ${batch}`,
  value: against('inference', batch, 'cpu', ['onnxruntime']),
  ...{ least, aim },
});
const infer = (batch, least, aim) => ({
  text: `cpu inference / the better of PyTorch channels_last and Keras, batch ${batch}`,
  value: against('inference', batch, 'cpu', ['pytorch-channels-last', 'keras']),
  ...{ least, aim },
});

/** Of a network's measurement: beltnet's over the better of these peers. */
const network = (measure, what, name, batch, least, aim, peers = ['pytorch-channels-last', 'keras']) => {
  const of = (cells, peer) =>
    cells.find(
      (cell) => cell.measure === measure && cell.one.network === name && cell.one.batch === batch && cell.peer === peer,
    )?.median ?? NaN;
  const others = peers.length > 1 ? 'the better of PyTorch channels_last and Keras' : 'Keras';
  return {
    text: `cpu ${what} / ${others}, ${name}, batch ${batch}`,
    value: (cells) => of(cells, ours.cpu) / Math.min(...peers.map((peer) => of(cells, peer))),
    ...{ least, aim },
  };
};
/** The memory of a step over PyTorch's. */
const networkMemory = (name) => ({
  text: `memory of a training step / PyTorch channels_last, ${name}`,
  value: (cells) => {
    const of = (peer) =>
      cells.find((cell) => cell.measure === 'network-memory' && cell.one.network === name && cell.peer === peer)
        ?.median ?? NaN;
    return of(ours.cpu) / of('pytorch-channels-last');
  },
  ...{ least: 1, aim: 0.6 },
});
const leastStep = { mobile: 2, strided: 1.6 };
const leastInference = { mobile: 2 };
const networkTargets = Object.entries(networkBatches).flatMap(([name, batch]) =>
  batch === null
    ? [network('network-inference', 'inference', name, 1, 1.2, 0.8, ['keras'])]
    : [
        network('network-step', 'training step', name, batch, leastStep[name] ?? 1.3, name === 'mobile' ? 1.2 : 0.9),
        ...inferenceBatches(name).map((size) =>
          network('network-inference', 'inference', name, size, leastInference[name] ?? 1.3, 0.9),
        ),
        networkMemory(name),
      ],
);

/** The slowest point of a curve over the quickest. */
const curve = (of) => ({
  text: `one 3×3 convolution and its gradients, best / worst GFLOP/s over ${of}`,
  value: (cells) => {
    const rates = cells.filter(({ measure }) => measure === `curve ${of}`).map(({ median }) => median);
    return rates.length > 0 ? Math.max(...rates) / Math.min(...rates) : NaN;
  },
  ...{ least: 3.33, aim: 1.67 },
});

export const targets = [
  ...[step(10, 0.76, 0.6), step(32, 0.8, 0.6), step(128, 0.8, 0.65)],
  ...[stepDefault(10, 0.8, 0.4), stepDefault(32, 0.7, 0.4), stepDefault(128, 0.6, 0.4)],
  ...[infer(1, 1.3, 0.9), infer(32, 1.3, 0.9)],
  ...[inferOnnx(1, 2, 1.5), inferOnnx(32, 1.6, 1.3), inferOnnx(128, 1.4, 1.15)],
  {
    ...{ text: 'cpu inference of one picture', least: 1, aim: 1, unit: ' ms' },
    value: (cells) => medianOf(cells, 'inference', 1, ours.cpu),
  },
  {
    ...{ text: 'webgpu training step / jax-js webgpu, batch 32', least: 0.25, aim: 0.15 },
    value: against('train-step', 32, 'webgpu', ['jax-webgpu']),
  },
  {
    ...{ text: 'webgpu training step / tfjs webgpu, batch 32', least: 0.12, aim: 0.07 },
    value: against('train-step', 32, 'webgpu', ['tfjs-webgpu']),
  },
  {
    ...{ text: 'webgpu training step / PyTorch CUDA, batch 32', least: 1, aim: 0.3 },
    value: against('train-step', 32, 'webgpu', ['pytorch-cuda']),
  },
  {
    ...{ text: 'webgpu training step / PyTorch CUDA, batch 512', least: 2, aim: 1 },
    value: against('train-step', 512, 'webgpu', ['pytorch-cuda']),
  },
  {
    ...{ text: 'a whole training, cpu, empty cache / Keras', least: 0.4, aim: 0.2 },
    value: wholeAgainst('keras'),
  },
  {
    ...{ text: 'a whole training, cpu, empty cache / PyTorch on arrays decoded once', least: 1, aim: 0.6 },
    value: wholeAgainst('pytorch-channels-last'),
  },
  {
    ...{ text: '`beltnet train`, start to first step, cached data', least: 0.6, aim: 0.3, unit: ' s' },
    value: one('start-up', 'beltnet-train-cpu'),
  },
  {
    ...{ text: '`beltnet train`, peak memory', least: 400, aim: 250, unit: ' MB' },
    value: one('memory', 'beltnet-train-cpu'),
  },
  ...networkTargets,
  ...curveNames.map(curve),
  { ...{ text: '`npm run demo`', least: 30, aim: 15, unit: ' s' }, value: one('demo', 'beltnet-demo') },
];
