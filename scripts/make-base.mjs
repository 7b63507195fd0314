/**
 * Makes the base that ships with the package from a network that Keras saved:
 *
 *   node scripts/make-base.mjs darknet-tiny.keras [darknet-tiny.reference.safetensors FOLDER]
 *
 * With a file of what Keras computes for pictures (in the folder) it demands the same features first, to 1e-4 of the largest.
 * The weights are then rounded to half precision, which changes no prediction that was tried (bases/README.md).
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  DataFlow,
  decode,
  encodeModel,
  loadKeras,
  onBase,
  openDevice,
  prepare,
  readSafetensors,
} from '../dist/src/index.node.js';
import { root } from './steps.mjs';

const [file, reference, pictures] = process.argv.slice(2);
if (!file) {
  console.error('make-base: expects the .keras file of darknet-tiny, got nothing');
  process.exit(2);
}
const { model } = await loadKeras(file);
if (reference) await compare(model);
const value = {
  name: 'darknet-tiny',
  features: ['leaky_re_lu_10', 'leaky_re_lu_12', 'leaky_re_lu_14'],
  trainedOn: 'ImageNet, 1,000 classes',
  origin: "Darknet's tiny classifier by Joseph Redmon, public domain",
  source: { file: 'darknet-tiny.keras', sha256: createHash('sha256').update(readFileSync(file)).digest('hex') },
};
const info = {
  classNames: ['features'],
  preprocessing: { interpolation: 'bilinear', rescale: 1 / 255 },
  alert: { className: 'features', threshold: 0.5 },
  sections: { base: { value, required: true } },
};
const place = join(root, 'bases/darknet-tiny.safetensors');
writeFileSync(place, await encodeModel(model, info, { name: place, precision: 'float16' }));
console.log(place);

/** @throws Error when a feature differs from Keras' by more than 1e-4 of the largest */
async function compare(base) {
  const { tensors, metadata } = readSafetensors(readFileSync(reference), reference);
  const files = metadata.files.split('\n');
  const device = await openDevice('cpu');
  const expected = tensors.get('pooled512').data;
  const extractor = await onBase({ model: base, featureLayers: ['leaky_re_lu_14'] }, { classes: 0 });
  extractor.compile({ device, loss: 'meanSquaredError' });
  const size = { width: 224, height: 224 };
  const prepared = files.map((name) =>
    prepare(decode(readFileSync(join(pictures, name)), name), { size, interpolation: 'bilinear' }),
  );
  const set = {
    name: reference,
    pictures: Buffer.concat(prepared.map(({ data }) => data)),
    pictureShape: [224, 224, 3],
  };
  const got = await extractor.predict(new DataFlow(set, { shuffle: false, rescale: 1 / 255 }));
  device.destroy();
  const largest = expected.reduce((most, feature) => Math.max(most, Math.abs(feature)), 0);
  const worst = got.reduce((most, feature, at) => Math.max(most, Math.abs(feature - expected[at])), 0) / largest;
  console.log(`worst difference from Keras: ${worst.toExponential(1)} of the largest feature`);
  if (!(worst <= 1e-4)) throw new Error('expects features within 1e-4 of the largest');
}
