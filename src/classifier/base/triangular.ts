/**
 * Lower triangles [width, width], row-major: the root of a covariance, what is solved by it, its inverse. Four rows at a time, whose sums
 * do not wait for one another; each has its terms in the order of the plain loop, and so the same bits.
 */
const TOGETHER = 4;

/** sums[r] −= Σ a[from + r·stride + i] · b[at + i] over i < count, for `rows` ≤ 4 of them; what is beyond is not meant. */
function subtractDots(
  sums: Float64Array,
  { a, from, stride, rows }: { a: Float64Array; from: number; stride: number; rows: number },
  { b, at, count }: { b: Float64Array; at: number; count: number },
): void {
  const start = (row: number): number => from + Math.min(row, rows - 1) * stride;
  const [p, q, r, s] = [start(0), start(1), start(2), start(3)];
  let [first, second, third, fourth] = [sums[0], sums[1], sums[2], sums[3]];
  for (let i = 0; i < count; i++) {
    const factor = b[at + i];
    first -= a[p + i] * factor;
    second -= a[q + i] * factor;
    third -= a[r + i] * factor;
    fourth -= a[s + i] * factor;
  }
  sums[0] = first;
  sums[1] = second;
  sums[2] = third;
  sums[3] = fourth;
}

/** L with L·Lᵀ = A, in place of A's lower triangle, column by column. Source: Golub, Van Loan, "Matrix Computations", 4.2. */
export function cholesky(a: Float64Array, width: number): Float64Array {
  const sums = new Float64Array(TOGETHER);
  for (let k = 0; k < width; k++) {
    const above = { b: a, at: k * width, count: k };
    for (let j = k; j < width; j += TOGETHER) {
      const rows = Math.min(TOGETHER, width - j);
      for (let row = 0; row < rows; row++) sums[row] = a[(j + row) * width + k];
      subtractDots(sums, { a, from: j * width, stride: width, rows }, above);
      for (let row = 0; row < rows; row++)
        a[(j + row) * width + k] = j + row === k ? Math.sqrt(sums[0]) : sums[row] / a[k * width + k];
    }
  }
  return a;
}

/** y with L·y = b, in place of b; b is 0 before `first`. */
export function solve(lower: Float64Array, b: Float64Array, first = 0): Float64Array {
  const width = b.length;
  const sums = new Float64Array(TOGETHER);
  for (let top = first; top < width; top += TOGETHER) {
    const rows = Math.min(TOGETHER, width - top);
    for (let row = 0; row < rows; row++) sums[row] = b[top + row];
    const from = top * width + first;
    subtractDots(sums, { a: lower, from, stride: width, rows }, { b, at: first, count: top - first });
    for (let row = top; row < top + rows; row++) {
      let value = sums[row - top];
      for (let k = top; k < row; k++) value -= lower[row * width + k] * b[k];
      b[row] = value / lower[row * width + row];
    }
  }
  return b;
}

/** L⁻¹ with its columns divided by the deviations: it takes bare features. */
export function inverse(lower: Float64Array, deviation: Float64Array): Float32Array {
  const width = deviation.length;
  const factor = new Float32Array(width * width);
  const solved = new Float64Array(width);
  for (let column = 0; column < width; column++) {
    solved.fill(0);
    solved[column] = 1;
    solve(lower, solved, column);
    for (let row = column; row < width; row++) factor[row * width + column] = solved[row] / deviation[column];
  }
  return factor;
}

/** L·x */
export function timesLower(lower: Float64Array, x: Float64Array): Float64Array {
  const width = x.length;
  const y = new Float64Array(width);
  const sums = new Float64Array(TOGETHER);
  for (let top = 0; top < width; top += TOGETHER) {
    const rows = Math.min(TOGETHER, width - top);
    sums.fill(0);
    subtractDots(sums, { a: lower, from: top * width, stride: width, rows }, { b: x, at: 0, count: top });
    for (let row = top; row < top + rows; row++) {
      let sum = -sums[row - top];
      for (let column = top; column <= row; column++) sum += lower[row * width + column] * x[column];
      y[row] = sum;
    }
  }
  return y;
}
