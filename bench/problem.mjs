/**
 * What every peer works on: belt pictures made from a seed, and initial weights of beltnet's from a seed, as plain files.
 *
 *   problem.json   { network, architecture, weights: [{ name, shape, offset, length }] }, offsets in floats
 *   weights.f32    all weights, float32, little-endian: convolutions [KH,KW,C,K], dense [in,out]
 *   pictures.u8    [N,H,W,C], bytes
 *   labels.f32     [N], class indices
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beltPicture, Random, RandomStream, synthesize } from '../dist/src/index.node.js';
import { buildNetwork } from './networks.mjs';

/** What is made for this run goes away with it. */
const folder = mkdtempSync(join(tmpdir(), 'beltnet-bench-'));
const pictureStore = fileURLToPath(new URL('.pictures', import.meta.url));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Adam's settings. Each peer says where its Adam adds ε: losses are compared among those that agree. */
const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

/** With 1e-3 the VGG-like network overshoots at first, and then rounding decides where it lands: losses compare nothing. */
export const adamFor = (network) => (network === 'vgg' ? { ...adam, learningRate: 1e-4 } : adam);

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

/** The belt's pictures are not smaller; what is smaller is cut from one. */
const SMALLEST_BELT = 32;

/** [N,H,W,C] bytes, and labels: belts, filled or with a gap; where there are more classes, numbers without a meaning. */
function pictures({ height, width, channels, classes }, count) {
  const random = new Random(0, RandomStream.shuffle);
  const length = height * width * channels;
  const data = new Uint8Array(count * length);
  const labels = Float32Array.from({ length: count }, () =>
    classes === 2 ? Math.round(random.uniform()) : random.integer(classes),
  );
  const [drawnWidth, drawnHeight] = [Math.max(width, SMALLEST_BELT), Math.max(height, SMALLEST_BELT)];
  labels.forEach((label, index) => {
    const wanted = { label: label % 2 === 1 ? 'ok' : 'gap', seed: 0, index, width: drawnWidth, height: drawnHeight };
    const { data: drawn } = beltPicture(wanted);
    for (let at = 0; at < length; at++) {
      const [channel, position] = [at % channels, Math.floor(at / channels)];
      const [row, column] = [Math.floor(position / width), position % width];
      data[index * length + at] = drawn[3 * (row * drawnWidth + column) + channel];
    }
  });
  return { data, labels };
}

/**
 * Of the initial weights. With 0, a pooling window of a first batch holds two values 7·10⁻⁸ apart: rounding decides which is
 * the maximum, which gets the gradient, and so what the losses are from the third digit on. Such a problem compares nothing.
 */
const WEIGHTS_SEED = 1;

/**
 * Writes a problem. @returns its folder
 * @param {object} [one]
 * @param {string} [one.network] of networks.mjs
 */
export async function writeProblem({ network = 'mission', size, width, dropout = true, batch = PICTURES } = {}) {
  const count = Math.max(PICTURES, batch);
  const directory = join(folder, ['problem', network, size ?? 0, width ?? 1, dropout, count].join('-'));
  if (existsSync(directory)) return directory;
  const model = buildNetwork({ network, size, width, dropout, seed: WEIGHTS_SEED });
  const entries = Object.entries(await model.getWeights());
  let offset = 0;
  const weights = entries.map(([name, { shape: dimensions, data }]) => {
    const place = { name, shape: dimensions, offset, length: data.length };
    offset += data.length;
    return place;
  });
  const [height, columns, channels] = model.inputShape;
  const described = {
    ...{ name: network, height, width: columns, channels, classes: Math.max(2, model.units) },
    ...(network === 'mission' && { filters: 32 * (width ?? 1), units: 128 * (width ?? 1) }),
  };
  const set = pictures(described, count);
  mkdirSync(directory);
  writeFileSync(join(directory, 'weights.f32'), Buffer.concat(entries.map(([, { data }]) => bytesOf(data))));
  writeFileSync(join(directory, 'pictures.u8'), set.data);
  writeFileSync(join(directory, 'labels.f32'), bytesOf(set.labels));
  const problem = { network: described, dropout, architecture: model.config(), weights };
  writeFileSync(join(directory, 'problem.json'), JSON.stringify(problem));
  return directory;
}

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);
