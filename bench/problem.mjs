/**
 * What every peer works on: belt pictures made from a seed, and initial weights of beltnet's from a seed, as plain files.
 *
 *   problem.json   { network, weights: [{ name, shape, offset, length }] }, offsets in floats
 *   weights.f32    all weights, float32, little-endian: convolutions [KH,KW,C,K], dense [in,out]
 *   pictures.u8    [N,H,W,3], bytes
 *   labels.f32     [N], 0 or 1
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  beltPicture,
  Conv2D,
  Dense,
  Flatten,
  MaxPooling2D,
  Random,
  RandomStream,
  Sequential,
  synthesize,
} from '../dist/src/index.node.js';

/** What is made for this run goes away with it. */
const folder = mkdtempSync(join(tmpdir(), 'beltnet-bench-'));
const pictureStore = fileURLToPath(new URL('.pictures', import.meta.url));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Of the network: two convolutions of 32 filters, each pooled, a dense layer of 128, and one of 1. */
export function network({ size = 64, width = 1 } = {}) {
  return { height: size, width: size, channels: 3, filters: 32 * width, units: 128 * width };
}

/** Adam's settings. Each peer says where its Adam adds ε: losses are compared among those that agree. */
export const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

/** A folder of belt pictures (JPEG), with the class folders gap/ and ok/. Made once; it takes a while. */
export async function pictureFolder({ count, width, height }) {
  const path = join(pictureStore, `belt-${count}-${width}x${height}`);
  const testFraction = 2 / count; // the fewest that a set can have; they are not used
  const trainingSet = join(path, 'training_set'); // is there only when it is complete
  if (!existsSync(trainingSet)) await synthesize(path, { count: count + 2, width, height, seed: 0, testFraction });
  return trainingSet;
}

/** As many as the largest batch of the tables; steps take batches of them in turn. */
const PICTURES = 128;

/** [N,size,size,3] bytes, and labels */
function pictures(size, count) {
  const random = new Random(0, RandomStream.shuffle);
  const length = size * size * 3;
  const data = new Uint8Array(count * length);
  const labels = Float32Array.from({ length: count }, () => Math.round(random.uniform()));
  labels.forEach((label, index) => {
    const picture = beltPicture({ label: label === 1 ? 'ok' : 'gap', seed: 0, index, width: size, height: size });
    data.set(picture.data, index * length);
  });
  return { data, labels };
}

/**
 * Of the initial weights. With 0, a pooling window of a first batch holds two values 7·10⁻⁸ apart: rounding decides which is
 * the maximum, which gets the gradient, and so what the losses are from the third digit on. Such a problem compares nothing.
 */
const WEIGHTS_SEED = 1;

/** Writes a problem. @returns its folder */
export async function writeProblem({ size = 64, width = 1, batch = PICTURES } = {}) {
  const directory = join(folder, `problem-${WEIGHTS_SEED}-${size}-${width}${batch > PICTURES ? `-${batch}` : ''}`);
  if (existsSync(directory)) return directory;
  const { filters, units, ...shape } = network({ size, width });
  const model = new Sequential(
    [
      new Conv2D(filters, [3, 3], { inputShape: [shape.height, shape.width, shape.channels], activation: 'relu' }),
      new MaxPooling2D(),
      new Conv2D(filters, [3, 3], { activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(units, { activation: 'relu' }),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed: WEIGHTS_SEED },
  );
  const entries = Object.entries(await model.getWeights());
  let offset = 0;
  const weights = entries.map(([name, { shape: dimensions, data }]) => {
    const place = { name, shape: dimensions, offset, length: data.length };
    offset += data.length;
    return place;
  });
  const set = pictures(size, Math.max(PICTURES, batch));
  mkdirSync(directory);
  writeFileSync(join(directory, 'weights.f32'), Buffer.concat(entries.map(([, { data }]) => bytesOf(data))));
  writeFileSync(join(directory, 'pictures.u8'), set.data);
  writeFileSync(join(directory, 'labels.f32'), bytesOf(set.labels));
  writeFileSync(join(directory, 'problem.json'), JSON.stringify({ network: { ...shape, filters, units }, weights }));
  return directory;
}

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);
