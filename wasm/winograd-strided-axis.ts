// 3×3 convolutions with strides of 2 in 81 products for 4×4 outputs where the direct way takes 144: what is done along one axis. Output i sees the inputs
// 2i, 2i + 1 and 2i + 2: two taps of the even ones, which Winograd's F(4, 2) does in five products for four outputs where four times two would be, and one tap
// of the odd ones. So nine inputs become T d: five sums of the even ones and the four odd ones as they are, a kernel of three becomes six, since the odd tap is the
// same for all four, and the outputs are
//
//   y = A [ G(g0, g2) ⊙ B (d0, d2, d4, d6, d8) ] + g1 · (d1, d3, d5, d7)
//
// The input gradient is two such sums: of eight neighbours in dx, four see two taps of dz and four see one,
//
//   A [ G(g2, g0) ⊙ B (dz0, dz1, dz2, dz3, dz4) ] and g1 · (dz1, dz2, dz3, dz4)
//
// and the weight gradient, y being linear in g, is (dg0, dg2) = Gᵀ [ Aᵀ dy ⊙ B (d0, d2, d4, d6, d8) ], dg1 = dy · (d1, d3, d5, d7).
//
// The matrices follow from the points ±a, ±b, ∞ as in winograd-four.ts; a = 1/2 and b = 3/2 make errors smaller than those of plain sums, which are longer
// (3×3×64 products: 0.62 of their root mean square). AssemblyScript. Addresses and strides are bytes.
import { multiplyAdd, multiplySubtract } from './range';
import { storeConstants } from './winograd-four';

const A: f32 = 0.5,
  B: f32 = 1.5;
const OF_A: f32 = 1 / (2 * A * (B * B - A * A)),
  OF_B: f32 = 1 / (2 * B * (B * B - A * A));

export function storeStridedConstants(to: usize): void {
  storeConstants(to, A, B);
}

/** B times five values from `d` on, and four from `one` on as they are, all `step` apart: the sums lie `toStep` apart, the others `oneStep`. */
// @ts-ignore: decorator
@inline
export function transformNine(
  d: usize,
  one: usize,
  step: usize,
  to: usize,
  toStep: usize,
  toOne: usize,
  oneStep: usize,
  a: v128,
  b: v128,
  a2: v128,
  b2: v128,
): void {
  const d0 = v128.load(d),
    d1 = v128.load(d + step),
    d2 = v128.load(d + 2 * step),
    d3 = v128.load(d + 3 * step);
  const evenA = multiplySubtract(d3, d1, b2),
    oddA = multiplySubtract(d2, d0, b2);
  v128.store(to, multiplyAdd(evenA, oddA, a));
  v128.store((to += toStep), multiplySubtract(evenA, oddA, a));
  const evenB = multiplySubtract(d3, d1, a2),
    oddB = multiplySubtract(d2, d0, a2);
  v128.store((to += toStep), multiplyAdd(evenB, oddB, b));
  v128.store((to += toStep), multiplySubtract(evenB, oddB, b));
  v128.store(to + toStep, multiplySubtract(multiplySubtract(v128.load(d + 4 * step), d2, b2), oddA, a2));
  v128.store(toOne, v128.load(one));
  v128.store((toOne += oneStep), v128.load((one += step)));
  v128.store((toOne += oneStep), v128.load((one += step)));
  v128.store(toOne + oneStep, v128.load(one + step));
}

/** A times five values, `step` apart, added to four others; the results lie `toStep` apart. */
// @ts-ignore: decorator
@inline
export function combineFive(
  m: usize,
  step: usize,
  first: v128,
  second: v128,
  third: v128,
  fourth: v128,
  to: usize,
  toStep: usize,
  a: v128,
  b: v128,
  a2: v128,
  b2: v128,
): void {
  const m0 = v128.load(m),
    m1 = v128.load((m += step)),
    m2 = v128.load((m += step)),
    m3 = v128.load((m += step));
  const sumA = f32x4.add(m0, m1),
    differenceA = f32x4.mul(f32x4.sub(m0, m1), a),
    sumB = f32x4.add(m2, m3),
    differenceB = f32x4.mul(f32x4.sub(m2, m3), b);
  v128.store(to, f32x4.add(f32x4.add(sumA, sumB), first));
  v128.store((to += toStep), f32x4.add(f32x4.add(differenceA, differenceB), second));
  v128.store((to += toStep), multiplyAdd(multiplyAdd(third, sumA, a2), sumB, b2));
  v128.store(
    to + toStep,
    multiplyAdd(multiplyAdd(f32x4.add(v128.load(m + step), fourth), differenceA, a2), differenceB, b2),
  );
}

/** G (g0, g2), `toStep` apart, and g1. */
// @ts-ignore: decorator
@inline
export function kernelSix(g0: v128, g1: v128, g2: v128, to: usize, toStep: usize, one: usize): void {
  const firstA = f32x4.mul(g0, f32x4.splat(OF_A)),
    secondA = f32x4.mul(g2, f32x4.splat(-A * OF_A));
  v128.store(to, f32x4.sub(secondA, firstA));
  v128.store((to += toStep), f32x4.add(secondA, firstA));
  const firstB = f32x4.mul(g0, f32x4.splat(OF_B)),
    secondB = f32x4.mul(g2, f32x4.splat(B * OF_B));
  v128.store((to += toStep), f32x4.add(secondB, firstB));
  v128.store((to += toStep), f32x4.sub(secondB, firstB));
  v128.store(to + toStep, g2);
  v128.store(one, g1);
}

/** Gᵀ times five values, `step` apart, and a sixth: three that lie `toStep` apart. */
// @ts-ignore: decorator
@inline
export function gatherSix(m: usize, step: usize, one: usize, to: usize, toStep: usize): void {
  const m0 = v128.load(m),
    m1 = v128.load((m += step)),
    m2 = v128.load((m += step)),
    m3 = v128.load((m += step));
  const firstA = f32x4.mul(f32x4.sub(m1, m0), f32x4.splat(OF_A)),
    firstB = f32x4.mul(f32x4.sub(m2, m3), f32x4.splat(OF_B));
  const secondA = f32x4.mul(f32x4.add(m0, m1), f32x4.splat(-A * OF_A)),
    secondB = f32x4.mul(f32x4.add(m2, m3), f32x4.splat(B * OF_B));
  const last = f32x4.add(v128.load(m + step), f32x4.add(secondA, secondB));
  v128.store(to + toStep, v128.load(one));
  v128.store(to, f32x4.add(firstA, firstB));
  v128.store(to + 2 * toStep, last);
}
