import { describe, expect, test } from 'vitest';
import { DataFlow } from '../../src/data/batches.js';
import { DEFECTS_LENGTH, drawDefects } from '../../src/data/belt/defects.js';
import { UsageError } from '../../src/errors.js';
import { DEFECTS_SIZE } from '../../src/kernels/augment/attributes.js';
import { renderBatch } from '../../src/nn/training/batch-source.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { smallDataset } from './small-dataset.js';

const COUNT = 5000;

function draw(difficulty: number, pass = 0) {
  const out = new Float32Array(DEFECTS_LENGTH);
  return Array.from({ length: COUNT }, (_, sample) => {
    drawDefects(difficulty, 60, 80, 1, pass, sample, out, 0);
    return Array.from(out);
  });
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('drawn defects', () => {
  test('the data and the kernel agree on their layout', () => {
    expect(DEFECTS_LENGTH).toBe(DEFECTS_SIZE);
  });

  test('none at 0, and the more the further the dial is turned', () => {
    const strength = (rows: number[][]) => [
      mean(rows.map(([noise]) => noise)),
      mean(rows.map((row) => row[2])),
      mean(rows.map((row) => (row[4] > row[3] ? 1 : 0))),
      mean(rows.map((row) => [7, 11, 15].filter((at) => row[at] > 0).length)),
    ];
    expect(strength(draw(0))).toEqual([0, 0, 0, 0]);
    const [half, whole] = [strength(draw(0.5)), strength(draw(1))];
    for (const [kind, value] of whole.entries()) expect(value).toBeGreaterThan(1.5 * half[kind]);
    // At 1: noise U(0, 30), a lane lost in half of the pictures, blurs of 0 to 2, blobs 0 to 3; within five deviations.
    expect(Math.abs(whole[0] - 15)).toBeLessThan((5 * 30) / Math.sqrt(12 * COUNT));
    expect(Math.abs(whole[1] - 1)).toBeLessThan((5 * Math.sqrt(2 / 3)) / Math.sqrt(COUNT));
    expect(Math.abs(whole[2] - 0.5)).toBeLessThan((5 * 0.5) / Math.sqrt(COUNT));
    expect(Math.abs(whole[3] - 1.5)).toBeLessThan((5 * Math.sqrt(5 / 4)) / Math.sqrt(COUNT));
  });

  test('lanes are thirds, blobs lie on the picture, and each draw has its own address', () => {
    const rows = draw(1);
    const lanes = new Set(rows.filter((row) => row[4] > row[3]).map((row) => row.slice(3, 5).join()));
    expect(lanes).toEqual(new Set(['0,20', '20,40', '40,60']));
    expect(rows.every((row) => row[5] >= 0 && row[5] <= 59 && row[6] >= 0 && row[6] <= 79)).toBe(true);
    expect(draw(1)).toEqual(rows);
    expect(draw(1, 1)).not.toEqual(rows);
  });
});

test('noise is near to normal, and what is asked for comes out', async () => {
  const gray = {
    ...smallDataset([2]),
    pictures: new Uint8Array(2 * 64 * 64 * 3).fill(128),
    pictureShape: [64, 64, 3] as const,
  };
  const flow = new DataFlow(gray, { batchSize: 2, shuffle: false, difficulty: 1, seed: 3 });
  const noisy = Object.assign(Object.create(flow) as DataFlow, {
    batch: () => {
      const defects = new Float32Array(2 * DEFECTS_LENGTH);
      defects.set([20, 12345]);
      defects.set([20, 54321], DEFECTS_LENGTH);
      return { ...flow.batch(0), defects };
    },
  });
  const values = Array.from(await renderBatch(new ReferenceDevice(), noisy, 0), (value) => (value - 128) / 20);
  const [first, second] = [values.slice(0, 12288), values.slice(12288)];
  for (const part of [first, second]) {
    const deviation = Math.sqrt(mean(part.map((value) => value ** 2)));
    const fourth = mean(part.map((value) => value ** 4));
    expect(Math.abs(mean(part))).toBeLessThan(5 / Math.sqrt(12288));
    expect(Math.abs(deviation - 1)).toBeLessThan(0.03);
    expect(fourth).toBeGreaterThan(2.4); // 3 for a normal one, 2.7 for the sum of four uniform ones
    expect(fourth).toBeLessThan(3);
  }
  expect(Math.abs(mean(first.map((value, i) => value * second[i])))).toBeLessThan(5 / Math.sqrt(12288));
});

test('a difficulty that cannot be meant is refused', () => {
  for (const difficulty of [-0.1, 1.1, NaN]) {
    expect(() => new DataFlow(smallDataset([2, 2]), { difficulty })).toThrow(UsageError);
  }
});
