/**
 * Functions of each element: y = f(x), dx = dy·f′(x), each told by two formulas. What a user's loss or layer is made of, with
 * the arithmetic of arithmetic.ts.
 */
import { expectNumber, expectObject } from '../../expect.js';
import { UsageError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { Expression } from '../../tensor/expression.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { apartFromZero, elementwise, floats, unary, type RegistryEntry } from '../shared/samples.js';

/** x → f(x), and dy, x → dx */
function elementFunction<Attributes = null>(
  name: string,
  value: (x: Expression, attributes: Attributes) => Expression,
  slope: (x: Expression, attributes: Attributes) => Expression,
) {
  const forward = elementwiseKernel<Attributes>({
    name,
    inputs: 1,
    formula: ([x], attributes) => value(x, attributes),
  });
  const gradient = elementwiseKernel<Attributes>({
    name: `${name}Gradient`,
    inputs: 2,
    formula: ([dy, x], attributes) => dy.multiply(slope(x, attributes)),
  });
  const op = defineOp<Attributes>({
    name,
    forward: (inputs, attributes) => launch(forward, inputs, attributes),
    backward: ({ dy, inputs: [x], attributes }) => launch(gradient, [dy, x], attributes),
  });
  return { forward, gradient, op };
}

/** x^n for whole n ≥ 1, by squares */
function wholePower(x: Expression, n: number): Expression {
  if (n === 1) return x;
  const half = wholePower(x, Math.floor(n / 2)).square();
  return n % 2 === 0 ? half : half.multiply(x);
}

/** Whole exponents up to here are products; others go through the logarithm. */
const LARGEST_WHOLE = 64;

function power(x: Expression, exponent: number): Expression {
  if (exponent === 0) return Expression.of(1);
  if (exponent < 0) return Expression.of(1).divide(power(x, -exponent));
  if (Number.isInteger(exponent) && exponent <= LARGEST_WHOLE) return wholePower(x, exponent);
  if (exponent === 0.5) return x.sqrt();
  return x.equals(0).select(0, x.log().multiply(exponent).exp());
}

interface PowAttributes {
  readonly exponent: number;
}

interface ClipAttributes {
  readonly minimum: number;
  readonly maximum: number;
}

interface AffineAttributes {
  readonly scale: number;
  readonly offset: number;
}

/** Each with its gradient, by its name. */
export const elementFunctions = {
  exp: elementFunction(
    'exp',
    (x) => x.exp(),
    (x) => x.exp(),
  ),
  log: elementFunction(
    'log',
    (x) => x.log(),
    (x) => Expression.of(1).divide(x),
  ),
  sqrt: elementFunction(
    'sqrt',
    (x) => x.sqrt(),
    (x) => Expression.of(0.5).divide(x.sqrt()),
  ),
  abs: elementFunction(
    'abs',
    (x) => x.abs(),
    (x) => x.below(0).select(-1, x.above(0).select(1, x)), // NaN stays
  ),
  pow: elementFunction<PowAttributes>(
    'pow',
    (x, { exponent }) => power(x, exponent),
    (x, { exponent }) => (exponent === 0 ? Expression.of(0) : power(x, exponent - 1).multiply(exponent)),
  ),
  clip: elementFunction<ClipAttributes>(
    'clip',
    (x, { minimum, maximum }) => x.maximum(minimum).minimum(maximum),
    (x, { minimum, maximum }) => x.below(minimum).select(0, x.above(maximum).select(0, 1)),
  ),
  affine: elementFunction<AffineAttributes>(
    'affine',
    (x, { scale, offset }) => x.multiply(scale).add(offset),
    (_, { scale }) => Expression.of(scale),
  ),
};

/** e^x; any shape. */
export const exp = (x: Tensor): Tensor => elementFunctions.exp.op.apply([x], null);

/** The natural logarithm; −∞ for 0, NaN below. */
export const log = (x: Tensor): Tensor => elementFunctions.log.op.apply([x], null);

/** √x; NaN below 0. */
export const sqrt = (x: Tensor): Tensor => elementFunctions.sqrt.op.apply([x], null);

/** |x|; the derivative at 0 is 0. */
export const abs = (x: Tensor): Tensor => elementFunctions.abs.op.apply([x], null);

/**
 * x^exponent: products for whole exponents up to 64, else e^(exponent·log x), whose relative error is |exponent·log x|·2^-24, and
 * which is NaN for x below 0.
 */
export function pow(x: Tensor, exponent: number): Tensor {
  expectNumber(exponent, 'pow: exponent');
  return elementFunctions.pow.op.apply([x], { exponent });
}

/**
 * x, but at least `minimum` and at most `maximum`; NaN stays. The derivative is 0 where x was outside.
 * @throws UsageError unless minimum ≤ maximum
 */
export function clip(x: Tensor, minimum: number, maximum: number): Tensor {
  expectNumber(minimum, 'clip: minimum');
  expectNumber(maximum, 'clip: maximum');
  if (!(minimum <= maximum)) throw new UsageError(`clip: expects minimum ≤ maximum, got ${minimum} and ${maximum}`);
  return elementFunctions.clip.op.apply([x], { minimum, maximum });
}

/** scale·x + offset, for numbers that do not change from step to step. */
export function affine(x: Tensor, options: Partial<AffineAttributes>): Tensor {
  expectObject(options, 'affine: options');
  const { scale = 1, offset = 0 } = options;
  expectNumber(scale, 'affine: scale');
  expectNumber(offset, 'affine: offset');
  return elementFunctions.affine.op.apply([x], { scale, offset });
}

// --- samples

const own = { roundings: 4, because: 'own approximation, within 2 ulp; one product' };
const few = { roundings: 4, because: 'a quotient, a root, one product' };
const range = (low: number, high: number) => ({ low, high });
const positive = {
  values: (random: Parameters<typeof floats>[0], shape: readonly number[]) => floats(random, shape, 0.2, 4),
};
const exponents = [2, 3, -1, 0.5, 1.7, -0.3, 0, 5];
const powAttributes = (random: { integer(limit: number): number }) => ({ exponent: exponents[random.integer(8)] });
const powers = { roundings: 32, because: 'own log and e^x, up to 2.7·log 4 of rounding in the exponent' };
const bounds = () => ({ minimum: -0.5, maximum: 1.5 });
const shift = () => ({ scale: -0.7, offset: 0.3 });
const two = { roundings: 3, because: 'a rounded scale, two operations' };
const copied = { roundings: 1, because: 'values are copied or rounded bounds' };
export const functionsEntry: RegistryEntry = {
  kernels: [
    elementwise(elementFunctions.exp.forward, 1, own, range(-20, 20)),
    elementwise(elementFunctions.exp.gradient, 2, own),
    elementwise(elementFunctions.log.forward, 1, own, range(0.001, 9)),
    elementwise(elementFunctions.log.gradient, 2, few, range(0.1, 4)),
    elementwise(elementFunctions.sqrt.forward, 1, few, range(0, 9)),
    elementwise(elementFunctions.sqrt.gradient, 2, few, range(0.1, 4)),
    elementwise(elementFunctions.abs.forward, 1, copied),
    elementwise(elementFunctions.abs.gradient, 2, copied),
    elementwise(elementFunctions.pow.forward, 1, powers, { low: 0.2, high: 4, attributes: powAttributes }),
    elementwise(elementFunctions.pow.gradient, 2, powers, { low: 0.2, high: 4, attributes: powAttributes }),
    elementwise(elementFunctions.clip.forward, 1, copied, { attributes: bounds }),
    elementwise(elementFunctions.clip.gradient, 2, copied, { attributes: bounds }),
    elementwise(elementFunctions.affine.forward, 1, two, { attributes: shift }),
    elementwise(elementFunctions.affine.gradient, 2, two, { attributes: shift }),
  ],
  ops: [
    unary(elementFunctions.exp.op, own),
    unary(elementFunctions.log.op, few, positive),
    unary(elementFunctions.sqrt.op, few, positive),
    unary(elementFunctions.abs.op, copied, { values: apartFromZero }),
    unary(elementFunctions.pow.op, powers, { ...positive, attributes: powAttributes }),
    unary(elementFunctions.clip.op, copied, { values: apartFromZero, attributes: bounds }),
    unary(elementFunctions.affine.op, two, { attributes: shift }),
  ],
};
