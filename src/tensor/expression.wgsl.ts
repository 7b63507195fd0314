/** WGSL of expressions: one `let` for each value, with the functions of math.wgsl.ts where the built-in ones will not do. */
import { UsageError } from '../errors.js';
import { type Expression, type FunctionName, inOrder } from './expression.js';
import { EXP, EXPM1, isNanFunction, LOG, LOG1P, NORMAL, notAbove, TANH } from './math.wgsl.js';

const MINIMUM_MAXIMUM = /* wgsl */ `
fn smaller(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }
fn larger(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }
`;

const ZERO = '0.0';

/** A comparison that is false of NaN whatever a driver makes of it; see `notAbove`. */
const ordered = (comparison: string, ...sides: readonly string[]): string =>
  [`(${comparison})`, ...sides.filter((side) => side.startsWith('v')).map((side) => `!isNan(${side})`)].join(' & ');

/** Text of each function, and what it needs; texts that others need come first. */
const forms: Readonly<
  Partial<Record<FunctionName, readonly [(a: string, b: string, c: string) => string, ...string[]]>>
> = {
  add: [(a, b) => `${a} + ${b}`],
  subtract: [(a, b) => `${a} - ${b}`],
  multiply: [(a, b) => `${a} * ${b}`],
  divide: [(a, b) => `${a} / ${b}`],
  minimum: [(a, b) => `smaller(${a}, ${b})`, isNanFunction('f32'), MINIMUM_MAXIMUM],
  maximum: [(a, b) => `larger(${a}, ${b})`, isNanFunction('f32'), MINIMUM_MAXIMUM],
  negate: [(a) => `-${a}`],
  abs: [(a) => `abs(${a})`],
  sqrt: [(a) => `sqrt(${a})`],
  floor: [(a) => `floor(${a})`],
  exp: [(a) => `exponential(${a})`, EXP],
  expm1: [(a) => `exponentialMinusOne(${a})`, EXP, EXPM1],
  log: [(a) => `naturalLogarithm(${a})`, LOG],
  log1p: [(a) => `logarithmOfOnePlus(${a})`, LOG, LOG1P],
  tanh: [(a) => `hyperbolicTangent(${a})`, EXP, TANH],
  normalProbability: [(a) => `normalProbability(${a})`, EXP, NORMAL],
  atMost: [(a, b) => (b === ZERO ? notAbove(a) : ordered(`${a} <= ${b}`, a, b)), isNanFunction('f32')],
  below: [(a, b) => ordered(`${a} < ${b}`, a, b), isNanFunction('f32')],
  equals: [(a, b) => ordered(`${a} == ${b}`, a, b), isNanFunction('f32')],
  isNan: [(a) => `isNan(${a})`, isNanFunction('f32')],
  select: [(condition, a, b) => `select(${b}, ${a}, ${condition})`],
};

function literal(value: number): string {
  const single = Math.fround(value);
  if (!Number.isFinite(single))
    throw new UsageError(`expression: a constant expects a number that float32 holds, got ${value}`);
  const digits = Object.is(single, -0) ? '-0' : String(single);
  const text = /[.e]/.test(digits) ? `${digits}f` : `${digits}.0`;
  return text.startsWith('-') ? `(${text})` : text;
}

/**
 * Functions that the statements call, the statements, and the name of each output's value.
 * @param operand text that reads an operand for the element at `index`
 */
export function expressionShader(
  outputs: readonly Expression[],
  operand: (node: Expression) => string,
): { functions: readonly string[]; statements: string; results: string[] } {
  const { nodes, indexOf } = inOrder(outputs);
  const needed = new Set<string>();
  const names = new Map<number, string>();
  const statements: string[] = [];
  for (const [n, node] of nodes.entries()) {
    if (node.function === 'constant') {
      names.set(n, literal(node.value));
      continue;
    }
    names.set(n, `v${n}`);
    if (node.function === 'operand') {
      statements.push(`let v${n} = ${operand(node)};`);
      continue;
    }
    const [form, ...needs] = forms[node.function]!;
    for (const text of needs) needed.add(text);
    const [a, b, c] = node.inputs.map((input) => names.get(indexOf(input))!);
    statements.push(`let v${n} = ${form(a, b, c)};`);
  }
  return {
    functions: [...needed],
    statements: statements.join('\n  '),
    results: outputs.map((output) => names.get(indexOf(output))!),
  };
}
