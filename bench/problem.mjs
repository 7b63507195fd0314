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
import {
  Conv2D,
  Dense,
  Flatten,
  imageDataGenerator,
  listClassFolders,
  loadDataset,
  MaxPooling2D,
  Sequential,
  synthesize,
} from '../dist/src/index.node.js';

/** What is made for this run goes away with it. */
const folder = mkdtempSync(join(tmpdir(), 'beltnet-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** As the mission's network, in Keras' order of weights. */
export function network({ size = 64, width = 1 } = {}) {
  return { height: size, width: size, channels: 3, filters: 32 * width, units: 128 * width };
}

/** Adam's settings. Each peer says where its Adam adds ε: losses are compared among those that agree. */
export const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

/** A folder of belt pictures (JPEG): training_set/ and test_set/, gap/ and ok/. */
export async function pictureFolder({ count, width = 320, height = 240 }) {
  const path = join(folder, `belt-${count}-${width}x${height}`);
  if (!existsSync(path)) await synthesize(path, { count, width, height, seed: 0, testFraction: 0.01 });
  return path;
}

const trainingSets = new Map();

/** Decoded pictures of one size, shuffled: [N,H,W,3] bytes and labels. */
async function trainingSet(size) {
  if (!trainingSets.has(size)) {
    const files = listClassFolders(join(await pictureFolder({ count: 132 }), 'training_set'));
    const dataset = await loadDataset(files, { size: { width: size, height: size } });
    const { indices } = imageDataGenerator().flow(dataset, { batchSize: 128, seed: 0 }).batch(0);
    const length = size * size * 3;
    const pictures = new Uint8Array(indices.length * length);
    indices.forEach((from, to) =>
      pictures.set(dataset.pictures.subarray(from * length, (from + 1) * length), to * length),
    );
    trainingSets.set(size, { pictures, labels: Float32Array.from(indices, (index) => dataset.labels[index]) });
  }
  return trainingSets.get(size);
}

/** Writes a problem. @returns its folder */
export async function writeProblem({ size = 64, width = 1 } = {}) {
  const directory = join(folder, `problem-${size}-${width}`);
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
    { seed: 0 },
  );
  const entries = Object.entries(await model.getWeights());
  let offset = 0;
  const weights = entries.map(([name, { shape: dimensions, data }]) => {
    const place = { name, shape: dimensions, offset, length: data.length };
    offset += data.length;
    return place;
  });
  const { pictures, labels } = await trainingSet(size);
  mkdirSync(directory);
  writeFileSync(join(directory, 'weights.f32'), Buffer.concat(entries.map(([, { data }]) => bytesOf(data))));
  writeFileSync(join(directory, 'pictures.u8'), pictures);
  writeFileSync(join(directory, 'labels.f32'), bytesOf(labels));
  writeFileSync(join(directory, 'problem.json'), JSON.stringify({ network: { ...shape, filters, units }, weights }));
  return directory;
}

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);
