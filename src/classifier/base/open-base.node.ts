/** Bases in Node: those that ship with the package, by name, and model files; and features that are kept from run to run. */
import { expectArray, expectPath } from '../../expect.js';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../errors.js';
import { FACTS_LENGTH } from '../../data/audit/picture-facts.js';
import { eachPicture, type Dataset } from '../../data/dataset.js';
import type { PictureCache } from '../../data/store/cache.node.js';
import { loadModel } from '../../formats/beltnet/model.node.js';
import { loadKeras } from '../../formats/keras/keras.node.js';
import { loadOnnx } from '../../formats/onnx/onnx.node.js';
import { sha256Natively } from '../../formats/sha256.node.js';
import { IMAGENET, preprocessingOf, rescaled } from '../preparation.js';
import { baseOf, type OpenedBase } from './decode-base.js';
import { BASE_SECTION, type Base } from './features.js';
import type { ComputeFeatures, KeepFeatures } from './extract.js';
import { modelFileOf } from '../run.node.js';
import { KNOWN_SECTIONS } from '../tuning.js';

/** Bases of the package; bases/README.md says where they come from. */
export const bundledBases = ['darknet-tiny'] as const;

/** The package's folder lies further up from dist/ than from src/. */
const folder = new URL(import.meta.url.endsWith('.js') ? '../../../../bases/' : '../../../bases/', import.meta.url);

/**
 * @param given a name of `bundledBases`, a model file, beltnet's, Keras' (.keras, .h5) or an ONNX file, or the folder of a run
 * @param layers whose means are the features; by default those that the file names, else its last that gives a map
 * @throws UsageError for a name that is neither; ModelFileError for a file that is no model or has no such layers
 */
export async function openBase(given: string, layers?: readonly string[]): Promise<Base> {
  expectPath(given, 'openBase: base');
  if (layers !== undefined) expectArray(layers, 'openBase: layers');
  const isBundled = (bundledBases as readonly string[]).includes(given);
  const path = isBundled ? fileURLToPath(new URL(`${given}.safetensors`, folder)) : modelFileOf(given);
  if (!isBundled && !existsSync(path))
    throw new UsageError(`base: expects ${bundledBases.join(', ')} or a model file, got '${given}', which is no file`);
  const { model, info } = await openFile(path);
  return baseOf(given, { model, info }, layers, path, sha256Natively);
}

async function openFile(path: string): Promise<OpenedBase> {
  if (/\.onnx$/i.test(path)) return onnxBase(path);
  if (/\.(keras|h5|hdf5)$/i.test(path)) return kerasBase(path);
  return loadModel(path, { knownSections: [BASE_SECTION, ...KNOWN_SECTIONS] });
}

/** What comes before a network without a Rescaling layer stands in no Keras file: 1/255 then, as for pictures of this library. */
async function kerasBase(path: string): Promise<OpenedBase> {
  const { model, rescaling } = await loadKeras(path);
  return { model, info: { preprocessing: preprocessingOf({ interpolation: 'bilinear', ...rescaled(rescaling) }) } };
}

/** A network of another library. What it takes stands in no ONNX file: ImageNet's mean and deviation are what most were trained on. */
async function onnxBase(path: string): Promise<OpenedBase> {
  const { model } = await loadOnnx(path);
  return { model, info: { preprocessing: preprocessingOf({ interpolation: 'bilinear', normalization: IMAGENET }) } };
}

/** Of how features are computed: counted up whenever they change. */
const VERSION = 1;

/** Keeps features in the cache by the pixels of each picture, the base, and its layers. */
export function keepFeatures(cache: PictureCache, base: Base): KeepFeatures {
  return async (dataset, width, compute) => {
    const key = JSON.stringify({
      features: VERSION,
      base: base.hash,
      layers: base.featureLayers,
      of: dataset.pictureShape,
    });
    const shelf = cache.records(key, width * Float32Array.BYTES_PER_ELEMENT);
    const digests = await pixelDigests(dataset);
    const missing = Uint32Array.from(digests.keys()).filter((index) => shelf.find(digests[index]) === null);
    const features = new Float32Array(digests.length * width);
    const put = (index: number, row: Float32Array): void => features.set(row, index * width);
    if (missing.length > 0) {
      const made = await compute(missing);
      for (const [n, index] of missing.entries()) put(index, made.subarray(n * width, (n + 1) * width));
    }
    try {
      const noFacts = new Uint8Array(FACTS_LENGTH);
      for (const index of missing)
        shelf.add(digests[index], noFacts, new Uint8Array(features.buffer, index * width * 4, width * 4));
      shelf.finish();
      const isMade = new Set(missing);
      const row = new Uint8Array(width * 4);
      for (const index of digests.keys()) {
        if (isMade.has(index)) continue;
        const place = shelf.find(digests[index]);
        if (place) await shelf.packs[place.pack].read(place.place, 1, row);
        put(index, new Float32Array(row.buffer));
      }
      shelf.keep(digests.flatMap((digest) => shelf.find(digest) ?? []));
      return features;
    } catch {
      shelf.abandon(); // no room, no rights, or damaged: all are computed
      return missing.length === digests.length ? features : computeAll(digests.length, compute);
    }
  };
}

const computeAll = (count: number, compute: ComputeFeatures): Promise<Float32Array> =>
  compute(Uint32Array.from({ length: count }, (_, index) => index));

/** SHA-256 of each prepared picture's pixels. */
async function pixelDigests(dataset: Dataset): Promise<Uint8Array[]> {
  const digests: Uint8Array[] = [];
  for await (const picture of eachPicture(dataset))
    digests.push(new Uint8Array(createHash('sha256').update(picture).digest()));
  return digests;
}
