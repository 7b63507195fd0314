/** A set to train on: easy, but not for a network that does not learn; its batches, and the smallest network for it. */
import { DataFlow } from '../../src/data/batches.js';
import type { Dataset } from '../../src/data/dataset.js';
import { Conv2D, Dense, Flatten, Sequential } from '../../src/index.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

/** Height and width of its pictures. */
export const SIZE = 12;

/** Bright left half or bright right half, with noise. */
export function halves(count: number, seed = 0): Dataset {
  const pictures = new Uint8Array(count * SIZE * SIZE * 3);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const random = new Random(seed, RandomStream.synthetic);
  pictures.forEach((_, at) => {
    const picture = Math.floor(at / (SIZE * SIZE * 3));
    const right = (Math.floor(at / 3) % SIZE) * 2 >= SIZE;
    pictures[at] = (right === (labels[picture] === 1) ? 120 : 60) + random.integer(80);
  });
  return {
    name: 'halves',
    pictures,
    labels,
    classNames: ['left', 'right'],
    pictureShape: [SIZE, SIZE, 3],
    files: [],
    skipped: [],
  };
}

export const halvesFlow = (count = 24, batchSize = 8): DataFlow =>
  new DataFlow(halves(count), { batchSize, rescale: 1 / 255 });

export const smallNetwork = (): Sequential =>
  new Sequential([
    new Conv2D(2, 3, { inputShape: [SIZE, SIZE, 3], activation: 'relu' }),
    new Flatten(),
    new Dense(1, { activation: 'sigmoid' }),
  ]);
