/** Memory that is free for reuse: what is taken never overlaps, nothing is lost, and steps take what lives at once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Add,
  BatchNormalization,
  Conv2D,
  Dense,
  GlobalAveragePooling2D,
  input,
  Model,
  openDevice,
  ReLU,
  type SymbolicTensor,
} from 'beltnet';
import { RangePool, type RangeBuffer } from '../../src/tensor/memory-pool.js';
import { noteDevice } from '../support/devices.js';

const end = ({ address, bytes }: RangeBuffer): number => address + bytes;

describe('ranges of one memory', () => {
  test('what is taken lies in what is free, overlaps nothing, and all comes back', () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 4_000_000 }), fc.nat()), { maxLength: 60 });
    fc.assert(
      fc.property(sizes, (steps) => {
        const pool = new RangePool();
        const taken: RangeBuffer[] = [];
        let heap = 0; // what `take` has not is made at the end, as a device does
        for (const [wanted, which] of steps) {
          if (which % 3 === 0 && taken.length > 0) pool.give(taken.splice(which % taken.length, 1)[0]);
          const bytes = pool.sizeFor(wanted, which % 2 === 0);
          expect(bytes).toBeGreaterThanOrEqual(wanted);
          const one = pool.take(bytes) ?? { address: heap, bytes };
          heap = Math.max(heap, end(one));
          expect(one.bytes).toBe(bytes);
          for (const other of taken) expect(end(one) <= other.address || end(other) <= one.address).toBe(true);
          taken.push(one);
        }
        for (const one of taken) pool.give(one);
        const free = pool.drain();
        expect(free.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(heap);
        expect(pool.drain()).toEqual([]);
      }),
    );
  });

  test('neighbours are joined and serve what is larger than each', () => {
    const pool = new RangePool();
    const parts = [2, 0, 1].map((place) => ({ address: place * 100_096, bytes: 100_096 }));
    for (const part of parts) pool.give(part);
    expect(pool.take(250_112)).toEqual({ address: 0, bytes: 250_112 });
    expect(pool.take(50_176)).toBeUndefined();
  });
});

const PICTURE = [32, 32, 8] as const;

function residual(blocks: number): Model {
  const inputs = input({ shape: [...PICTURE] });
  let x: SymbolicTensor = inputs;
  for (let block = 0; block < blocks; block++) {
    const branch = new BatchNormalization().apply(new Conv2D(8, 3, { padding: 'same', useBias: false }).apply(x));
    x = new ReLU().apply(new Add().apply([branch, x]));
  }
  const outputs = new Dense(1, { activation: 'sigmoid' }).apply(new GlobalAveragePooling2D().apply(x));
  return new Model({ inputs, outputs, seed: 0 });
}

/** Bytes of the device's memory that a step of this many blocks takes, in values of one block's size. */
async function valuesOf(blocks: number, way: 'predict' | 'train'): Promise<number> {
  noteDevice('cpu');
  const device = await openDevice('cpu', { threads: 1 });
  const model = residual(blocks);
  model.compile({ device });
  const before = device.statistics.bytesAllocated;
  const batch = 16;
  const x = new Float32Array(batch * PICTURE[0] * PICTURE[1] * PICTURE[2]).map((_, index) => (index % 97) / 97);
  if (way === 'train')
    await model.trainOnBatch(
      x,
      new Float32Array(batch).map((_, index) => index % 2),
    );
  else await model.predictOnBatch(x);
  const values = (device.statistics.bytesAllocated - before) / (4 * x.length);
  device.destroy();
  return values;
}

describe('memory of a step', () => {
  test('prediction does not grow with the depth of the network', async () => {
    expect((await valuesOf(12, 'predict')) - (await valuesOf(4, 'predict'))).toBeLessThan(0.5);
  });

  test('a further block of a training step costs the values that gradients need, no gradients', async () => {
    // convolution, normalization, sum: three values a block; each gradient is given back once it was used
    expect(((await valuesOf(12, 'train')) - (await valuesOf(4, 'train'))) / 8).toBeLessThan(3.6);
  });
});
