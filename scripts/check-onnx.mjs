/**
 * Compares networks of torchvision, imported from ONNX files, with what PyTorch computed: before the softmax and at three inner values,
 * differences as a share of the largest value. With `--swap` two output channels of one kernel are exchanged first: the comparison
 * has to fail. With `--time` the time of a picture of 224×224 is printed.
 *
 *     python test/fixtures/onnx/networks.py FOLDER
 *     npm run build && node scripts/check-onnx.mjs FOLDER [--swap | --time]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { loadOnnx, openDevice, tensor } from 'beltnet';

const MOST = 1e-4;
const [folder, option] = process.argv.slice(2);
const device = await openDevice('cpu');
let failed = false;

const share = (found, wanted) =>
  found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0) /
  wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** [N,C,H,W] → [N,H,W,C] */
function channelsLast(values, [count, channels, height, width]) {
  const turned = new Float32Array(values.length);
  for (let n = 0, at = 0; n < count; n++)
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < height * width; i++) turned[(n * height * width + i) * channels + c] = values[at++];
  return turned;
}

for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.onnx'))
  .toSorted()) {
  const started = performance.now();
  const { model, layers } = await loadOnnx(join(folder, file));
  const loading = performance.now() - started;
  const name = basename(file, '.onnx');
  if (option === '--swap') {
    const weights = await model.getWeights();
    const [, kernel] = Object.entries(weights).find(
      ([key, { shape }]) => key.endsWith('.kernel') && shape.length === 4,
    );
    const channels = kernel.shape.at(-1);
    for (let at = 0; at < kernel.data.length; at += channels) kernel.data.subarray(at, at + 2).reverse();
    model.setWeights(weights);
  }
  model.compile({ device, loss: 'meanSquaredError' });
  if (option === '--time') {
    const picture = new Float32Array(model.inputShape.reduce((product, length) => product * length, 1)).fill(0.5);
    await model.predictOnBatch(picture);
    const times = [];
    for (let i = 0; i < 9; i++) {
      const start = performance.now();
      await model.predictOnBatch(picture);
      times.push(performance.now() - start);
    }
    const median = times.toSorted((a, b) => a - b)[4];
    console.log(`${name}: ${median.toFixed(1)} ms a picture, loaded in ${Math.round(loading)} ms`);
  } else {
    const wanted = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
    const [count, channels, height, width] = wanted.shape;
    const x = tensor(device, channelsLast(wanted.x, wanted.shape), [count, height, width, channels]);
    const inner = wanted.inner.filter(({ value }) => layers.has(value));
    const values = model.values(x, { of: inner.map(({ value }) => layers.get(value)) });
    const shares = [];
    for (const { value, shape, values: numbers } of inner)
      shares.push(share(await values[layers.get(value)].read(), channelsLast(numbers, shape)));
    shares.push(share(await model.call(x, { logits: true }).read(), wanted.logits));
    console.log(`${name}: ${shares.map((each) => each.toExponential(1)).join(', ')}`);
    if (shares.length < 4 || !shares.every((each) => each <= MOST)) failed = true;
  }
  model.destroy();
}
device.destroy();
process.exitCode = failed ? 1 : 0;
