/** Triangles worked on four rows at a time: the same bits as the loops of a textbook, whatever is left over of four. */
import { expect, test } from 'vitest';
import { cholesky, inverse, solve, timesLower } from '../../src/classifier/base/triangular.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const at = (row: number, column: number, width: number): number => row * width + column;

function textbookRoot(given: Float64Array, width: number): Float64Array {
  const a = given.slice();
  for (let j = 0; j < width; j++)
    for (let k = 0; k <= j; k++) {
      let value = a[at(j, k, width)];
      for (let i = 0; i < k; i++) value -= a[at(j, i, width)] * a[at(k, i, width)];
      a[at(j, k, width)] = k === j ? Math.sqrt(value) : value / a[at(k, k, width)];
    }
  return a;
}

function textbookSolution(lower: Float64Array, right: Float64Array): Float64Array {
  const y = right.slice();
  for (const row of y.keys()) {
    for (let k = 0; k < row; k++) y[row] -= lower[at(row, k, y.length)] * y[k];
    y[row] /= lower[at(row, row, y.length)];
  }
  return y;
}

test.each([1, 2, 3, 4, 5, 7, 8, 13, 30])('%i wide', (width) => {
  const random = new Random(1, RandomStream.synthetic, width);
  const numbers = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.uniform(-1, 1));
  const [covariance, x] = [numbers(width * width), numbers(width)];
  for (let j = 0; j < width; j++) covariance[at(j, j, width)] = 2 * width;
  const root = cholesky(covariance.slice(), width);
  expect(root).toEqual(textbookRoot(covariance, width));
  expect(solve(root, x.slice())).toEqual(textbookSolution(root, x));
  const product = Float64Array.from(x, (_, row) =>
    x.subarray(0, row + 1).reduce((sum, value, column) => sum + root[at(row, column, width)] * value, 0),
  );
  expect(timesLower(root, x)).toEqual(product);
  const factor = inverse(root, new Float64Array(width).fill(1));
  for (let column = 0; column < width; column++) {
    const unit = Float64Array.from(x, (_, row) => Number(row === column));
    const solved = Float32Array.from(textbookSolution(root, unit));
    expect(Float32Array.from(x, (_, row) => factor[at(row, column, width)])).toEqual(solved);
  }
});
