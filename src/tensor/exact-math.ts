/**
 * exp, log, pow, tanh, sin, cos and their like in float64, from + − · / √ and bit patterns only, which IEEE 754 rounds alike
 * everywhere: the same bits in every engine, which the functions of `Math` do not promise. Whatever feeds a training is
 * computed with these. Errors are in ulp, units of the last place, against values of many digits (test/tensor/exact-math.test.ts).
 * Source of the coefficients and reductions: Sun Microsystems, fdlibm 5.3 (e_exp.c, e_log.c, k_sin.c, k_cos.c, e_rem_pio2.c).
 */

const LN2_HIGH = 6.9314718036912381649e-1; // its last 32 bits are 0, so that a whole number of them is exact
const LN2_LOW = 1.90821492927058770002e-10;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
/** Which of `words` holds sign, exponent and the upper bits. */
const UPPER = new Uint8Array(Float64Array.of(1).buffer)[7] === 0x3f ? 1 : 0;

/** 2^n for whole n in −1022 … 1023 */
function powerOfTwo(n: number): number {
  words[1 - UPPER] = 0;
  words[UPPER] = (n + 1023) << 20;
  return float[0];
}

/** x · 2^n, n in −2044 … 2046: in two factors, since results may be subnormal and 2^1024 is no number. */
function scaled(x: number, n: number): number {
  const half = n >> 1;
  return x * powerOfTwo(half) * powerOfTwo(n - half);
}

/** r·c / (2 − c) with which e^r = 1 + r + that, for |r| ≤ ½ ln 2. */
function expRemainder(r: number): number {
  const t = r * r;
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  return (r * c) / (2 - c);
}

/** e^x within 1.2 ulp */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Infinity;
  if (x < -745.1332191019412) return 0;
  const n = Math.round(x * Math.LOG2E);
  const high = x - n * LN2_HIGH;
  const low = n * LN2_LOW;
  const y = 1 - (low - expRemainder(high - low) - high);
  return n === 0 ? y : scaled(y, n);
}

/** e^x − 1 within 3 ulp, small x with all their digits */
export function expm1(x: number): number {
  if (x === 0) return x; // −0 too
  return Math.abs(x) < 0.34 ? x + expRemainder(x) : exp(x) - 1;
}

/** log x within 1 ulp */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : Number.NaN;
  if (x === Infinity) return x;
  let k = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 2 ** 54;
    k = -54;
  }
  float[0] = x;
  k += (words[UPPER] >> 20) - 1023;
  words[UPPER] = (words[UPPER] & 0xfffff) | 0x3ff00000;
  let m = float[0]; // 1 ≤ m < 2
  if (m > Math.SQRT2) {
    m /= 2;
    k++;
  }
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const odd =
    z *
    (6.66666666666673513e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const half = 0.5 * f * f;
  return k * LN2_HIGH - (half - (s * (half + even + odd) + k * LN2_LOW) - f);
}

/** log(1 + x) within 1.5 ulp, small x with all their digits */
export function log1p(x: number): number {
  const u = 1 + x;
  if (u === 1 || u === Infinity) return x;
  return u > 0 ? log(u) + (x - (u - 1)) / u : log(u); // what 1 + x lost is added
}

/** tanh x within 3 ulp */
export function tanh(x: number): number {
  const t = Math.abs(x);
  if (t > 22) return x < 0 ? -1 : 1;
  if (t < 1) {
    const e = expm1(-2 * t);
    return x < 0 ? e / (e + 2) : x === 0 ? x : -e / (e + 2);
  }
  const y = 1 - 2 / (expm1(2 * t) + 2);
  return x < 0 ? -y : y;
}

/** Φ(x) = ½·erfc(−x/√2): the series of erf with positive terms only, beyond it erfc's continued fraction; within 200 ulp. */
export function normalProbability(x: number): number {
  const t = Math.abs(x) * Math.SQRT1_2;
  if (t < 1.5) {
    let term = t;
    let sum = t;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * t * t) / (2 * n + 1);
      sum += term;
    }
    const half = (exp(-t * t) * sum) / Math.sqrt(Math.PI);
    return x < 0 ? 0.5 - half : 0.5 + half;
  }
  let fraction = t;
  for (let n = 60; n >= 1; n--) fraction = t + n / 2 / fraction;
  const tail = exp(-t * t) / (2 * Math.sqrt(Math.PI) * fraction);
  return x < 0 ? tail : 1 - tail; // NaN came past both comparisons and stays
}

/** Angles beyond this lose digits in the reduction. */
const LARGEST_ANGLE = 2 ** 20;

/** x = n·π/2 + high + low with |high| ≤ π/4; π/2 in three parts of which two times n are exact. */
function reduced(given: number): { quadrant: number; high: number; low: number } {
  const x = Math.abs(given) > LARGEST_ANGLE ? given % (2 * Math.PI) : given;
  const n = Math.round(x * (2 / Math.PI));
  const first = x - n * 1.57079632673412561417;
  const part = n * 6.0771005063039659766e-11;
  const second = first - part;
  const rest = n * 2.02226624879595063154e-21 - (first - second - part);
  const high = second - rest;
  return { quadrant: n & 3, high, low: second - high - rest };
}

/** sin(x + y), |x| ≤ π/4, y its lost digits */
function sine(x: number, y: number): number {
  const z = x * x;
  const r =
    8.33333333332248946124e-3 +
    z *
      (-1.98412698298579493134e-4 +
        z * (2.75573137070700676789e-6 + z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)));
  const v = z * x;
  return x - (z * (0.5 * y - v * r) - y - v * -1.66666666666666324348e-1);
}

/** cos(x + y), |x| ≤ π/4, y its lost digits */
function cosine(x: number, y: number): number {
  const z = x * x;
  const r =
    z *
    (4.16666666666666019037e-2 +
      z *
        (-1.38888888888741095749e-3 +
          z *
            (2.48015872894767294178e-5 +
              z * (-2.75573143513906633035e-7 + z * (2.0875723212981748279e-9 + z * -1.13596475577881948265e-11)))));
  const half = 0.5 * z;
  const w = 1 - half;
  return w + (1 - w - half + (z * r - x * y));
}

/** sin x within 1 ulp; for |x| above 2^20 with an error of |x|·2^-53 */
export function sin(x: number): number {
  const { quadrant, high, low } = reduced(x);
  const y = quadrant % 2 === 0 ? sine(high, low) : cosine(high, low);
  return quadrant < 2 ? y : -y;
}

/** cos x within 1 ulp; for |x| above 2^20 with an error of |x|·2^-53 */
export function cos(x: number): number {
  const { quadrant, high, low } = reduced(x);
  const y = quadrant % 2 === 0 ? cosine(high, low) : sine(high, low);
  return quadrant === 0 || quadrant === 3 ? y : -y;
}

/** A number as the sum of two, the second below the first's last place. */
interface Double {
  readonly high: number;
  readonly low: number;
}

/** a · b with some 100 bits. Source: Dekker, "A floating-point technique for extending the available precision" (1971). */
function product(a: Double, b: Double): Double {
  const split = (x: number): [number, number] => {
    const c = 134217729 * x; // 2^27 + 1
    const upper = c - (c - x);
    return [upper, x - upper];
  };
  const [a1, a2] = split(a.high);
  const [b1, b2] = split(b.high);
  const p = a.high * b.high;
  const error = a1 * b1 - p + a1 * b2 + a2 * b1 + a2 * b2 + (a.high * b.low + a.low * b.high);
  const high = p + error;
  return { high, low: p - high + error };
}

/** x^n for whole n ≥ 0, by squares, kept near 1 so that no square overflows. */
function wholePower(x: number, n: number): number {
  let power: Double = { high: 1, low: 0 };
  let square: Double = { high: x, low: 0 };
  for (let rest = n; ; square = product(square, square)) {
    if (rest % 2 === 1) power = product(power, square);
    rest = Math.floor(rest / 2);
    if (rest === 0 || square.high === 0 || !Number.isFinite(power.high)) return power.high;
  }
}

/**
 * x^y: within 1 ulp for whole y up to 2^32 where x^y is between 10^-280 and 10^290, else within 2 + 2·|y·log x| ulp.
 * Negative x only with whole y.
 */
export function pow(x: number, y: number): number {
  if (y === 0) return 1;
  if (Number.isInteger(y) && Math.abs(y) <= 2 ** 32) {
    const power = wholePower(Math.abs(x), Math.abs(y));
    // Overflow inside of the splitting, and what is not finite, leave NaN: then the logarithm is good enough.
    if (power > 1e-280 && power < 1e290) {
      const signed = x < 0 && Math.abs(y) % 2 === 1 ? -power : power;
      return y > 0 ? signed : 1 / signed;
    }
    const rough = exp(y * log(Math.abs(x)));
    return x < 0 && Math.abs(y) % 2 === 1 ? -rough : rough;
  }
  return x === 0 ? (y > 0 ? 0 : Infinity) : exp(y * log(x));
}

/** The root of a sum of squares, of numbers whose squares are neither too large nor too small for float64 */
export const hypot = (...numbers: readonly number[]): number =>
  Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0));

/** x · x: engines' own `x ** 2` is a power to some of them, and not always rounded as the product. */
export const square = (x: number): number => x * x;
