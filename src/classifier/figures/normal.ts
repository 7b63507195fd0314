/** The normal distribution. */
import { exp } from '../../tensor/exact-math.js';

/** 1 − erf(x) for x ≥ 0: by the series of positive terms, and from 2.5 on by the continued fraction (Abramowitz and Stegun, 7.1.6 and 7.1.14). */
export function erfc(x: number): number {
  const scale = exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 2.5) {
    let sum = 0;
    for (let n = 0, term = 2 * x; sum + term !== sum; n++, term *= (2 * x * x) / (2 * n + 1)) sum += term;
    return 1 - scale * sum;
  }
  let fraction = x;
  for (let n = 60; n > 0; n--) fraction = x + n / 2 / fraction;
  return scale / fraction;
}

/** P(X ≤ x) of a standard normal X. */
export const normalTail = (x: number): number => (x < 0 ? erfc(-x / Math.SQRT2) / 2 : 1 - erfc(x / Math.SQRT2) / 2);
