/**
 * Compares networks of Keras' Applications, imported, with what Keras computed: before the softmax and at three inner layers.
 * With `--swap` two output channels of one kernel are exchanged first: the comparison has to fail.
 *
 *     python test/fixtures/keras/applications.py FOLDER
 *     npm run build && node scripts/check-keras-applications.mjs FOLDER
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadKeras, openDevice, tensor } from 'beltnet';

const MOST = 1e-4;
const [folder, option] = process.argv.slice(2);
const device = await openDevice('cpu');
let failed = false;

/** The largest difference as a share of the largest value. */
const share = (found, wanted) =>
  found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0) /
  wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

for (const file of readdirSync(folder).filter((name) => /\.(keras|h5)$/.test(name))) {
  const wanted = JSON.parse(readFileSync(join(folder, file.replace(/\.\w+$/, '.json')), 'utf8'));
  const { model, rescaling } = await loadKeras(join(folder, file));
  if (option === '--swap') {
    const weights = await model.getWeights();
    const [, kernel] = Object.entries(weights).filter(
      ([name, { shape }]) => name.endsWith('kernel') && shape.length === 4,
    )[0];
    const channels = kernel.shape.at(-1);
    for (let at = 0; at < kernel.data.length; at += channels) kernel.data.subarray(at, at + 2).reverse();
    model.setWeights(weights);
  }
  model.compile({ device });
  const scaled = Float32Array.from(wanted.x, (value) =>
    rescaling ? value * rescaling.scale + rescaling.offset : value,
  );
  const x = tensor(device, scaled, [scaled.length / (64 * 64 * 3), 64, 64, 3]);
  const values = model.values(x, { of: wanted.inner.map(({ layer }) => layer) });
  const logits = await model.call(x, { logits: true }).read();
  const shares = [];
  for (const { layer, values: inner } of wanted.inner) shares.push(share(await values[layer].read(), inner));
  shares.push(share(logits, wanted.logits));
  console.log(`${file}: ${shares.map((each) => each.toExponential(1)).join(', ')}`);
  if (!shares.every((each) => each <= MOST)) failed = true;
  model.destroy();
}
device.destroy();
process.exitCode = failed ? 1 : 0;
