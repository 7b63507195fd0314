/**
 * What a kernel computes for each element, told once: from an expression come the plain-TypeScript twin (below), the WGSL
 * (expression.wgsl.ts) and the WebAssembly (cpu/expression.wasm.ts). See elementwise.ts for how it becomes a kernel.
 *
 * @example (x) => x.multiply(x.sigmoid())
 */
import { UsageError } from '../errors.js';
import { exp, expm1, log, log1p, normalProbability, tanh } from './exact-math.js';

/**
 * Where an operand's numbers come from: `element`, an array of the output's shape; `channel`, one number for each place along
 * its last axis; `number`, the same for all, one of an array of any length.
 */
export type OperandKind = 'element' | 'channel' | 'number';

/** Functions of one, two or three values, in float64. Comparisons give 1 or 0; `select` takes its second value where the first is 1. */
export const functions = {
  add: (a: number, b: number) => a + b,
  subtract: (a: number, b: number) => a - b,
  multiply: (a: number, b: number) => a * b,
  divide: (a: number, b: number) => a / b,
  minimum: (a: number, b: number) => Math.min(a, b),
  maximum: (a: number, b: number) => Math.max(a, b),
  negate: (a: number) => -a,
  abs: (a: number) => Math.abs(a),
  sqrt: (a: number) => Math.sqrt(a),
  floor: (a: number) => Math.floor(a),
  exp,
  expm1,
  log,
  log1p,
  tanh,
  normalProbability,
  atMost: (a: number, b: number) => Number(a <= b),
  below: (a: number, b: number) => Number(a < b),
  equals: (a: number, b: number) => Number(a === b),
  isNan: (a: number) => Number(Number.isNaN(a)),
  select: (condition: number, a: number, b: number) => (condition === 1 ? a : b),
} as const;

type Compute = (...numbers: number[]) => number;

/**
 * With these, expressions approximate functions in float32 from bits; they are for the approximations only, and have no WGSL.
 * `powerOfTwo` is 2^n of n + 1.5·2^23, in whose last bits n stands; `multiplyAdd` and `negateMultiplyAdd` are a · b + c and c − a · b
 * with one rounding; `lesser` and `greater` are b < a ? b : a and a < b ? b : a.
 */
export type BitFunction =
  | 'powerOfTwo'
  | 'exponentOf'
  | 'mantissaOf'
  | 'lesser'
  | 'greater'
  | 'multiplyAdd'
  | 'negateMultiplyAdd';
export type FunctionName = keyof typeof functions | BitFunction;

/** An operand, a number, or a function of other expressions. NaN passes through all of them but comparisons. */
export class Expression {
  readonly function: FunctionName | 'operand' | 'constant';
  readonly inputs: readonly Expression[];
  /** Of a constant its value; of an operand its position, inputs first, then outputs that are changed in place. */
  readonly value: number;
  readonly kind: OperandKind;
  /** Which number of an operand of kind `number`. */
  readonly index: number;

  private constructor(
    name: Expression['function'],
    inputs: readonly Expression[],
    value = 0,
    kind: OperandKind = 'number',
    index = 0,
  ) {
    this.function = name;
    this.inputs = inputs;
    this.value = value;
    this.kind = kind;
    this.index = index;
  }

  static operand(position: number, kind: OperandKind): Expression {
    return new Expression('operand', [], position, kind);
  }

  static of(value: Expression | number): Expression {
    return value instanceof Expression ? value : new Expression('constant', [], value);
  }

  static call(name: FunctionName, ...inputs: (Expression | number)[]): Expression {
    const values = inputs.map((input) => Expression.of(input));
    const known = name in functions && values.every((value) => value.function === 'constant');
    if (known) {
      const compute: Compute = functions[name as keyof typeof functions];
      return Expression.of(compute(...values.map(({ value }) => value)));
    }
    return new Expression(name, values);
  }

  /** Number `index` of an operand that is an array of numbers for all elements. */
  at(index: number): Expression {
    if (this.function !== 'operand' || this.kind !== 'number')
      throw new UsageError(`expression: at(${index}) expects an operand of kind 'number'`);
    return new Expression('operand', [], this.value, 'number', index);
  }

  add(b: Expression | number): Expression {
    return Expression.call('add', this, b);
  }
  subtract(b: Expression | number): Expression {
    return Expression.call('subtract', this, b);
  }
  multiply(b: Expression | number): Expression {
    return Expression.call('multiply', this, b);
  }
  divide(b: Expression | number): Expression {
    return Expression.call('divide', this, b);
  }
  /** The smaller of two; NaN where one is. */
  minimum(b: Expression | number): Expression {
    return Expression.call('minimum', this, b);
  }
  /** The larger of two; NaN where one is. */
  maximum(b: Expression | number): Expression {
    return Expression.call('maximum', this, b);
  }
  negate(): Expression {
    return Expression.call('negate', this);
  }
  /** |−x| is |x|, so that a function of both signs shares what it does. */
  abs(): Expression {
    return Expression.call('abs', this.function === 'negate' ? this.inputs[0] : this);
  }
  sqrt(): Expression {
    return Expression.call('sqrt', this);
  }
  square(): Expression {
    return this.multiply(this);
  }
  floor(): Expression {
    return Expression.call('floor', this);
  }
  /** e^x; results below 2^-126 are 0 */
  exp(): Expression {
    return Expression.call('exp', this);
  }
  /** e^x − 1 */
  expm1(): Expression {
    return Expression.call('expm1', this);
  }
  /** The natural logarithm: −∞ for 0, NaN below; numbers below 2^-126 may count as 0. */
  log(): Expression {
    return Expression.call('log', this);
  }
  /** log(1 + x) */
  log1p(): Expression {
    return Expression.call('log1p', this);
  }
  tanh(): Expression {
    return Expression.call('tanh', this);
  }
  /** 1 / (1 + e^−x), through e^−|x| so that nothing overflows. */
  sigmoid(): Expression {
    const e = this.abs().negate().exp();
    return this.atLeast(0).select(1, e).divide(e.add(1));
  }
  /** Φ(x), the normal distribution's probability of a value below x: ½·(1 + erf(x/√2)). */
  normalProbability(): Expression {
    return Expression.call('normalProbability', this);
  }

  /** Comparisons, for `select`; false where a value is NaN. */
  atMost(b: Expression | number): Expression {
    return Expression.call('atMost', this, b);
  }
  atLeast(b: Expression | number): Expression {
    return Expression.of(b).atMost(this);
  }
  below(b: Expression | number): Expression {
    return Expression.call('below', this, b);
  }
  above(b: Expression | number): Expression {
    return Expression.of(b).below(this);
  }
  equals(b: Expression | number): Expression {
    return Expression.call('equals', this, b);
  }
  isNan(): Expression {
    return Expression.call('isNan', this);
  }
  /** Of a comparison: `a` where it holds, else `b`. */
  select(a: Expression | number, b: Expression | number): Expression {
    return Expression.call('select', this, a, b);
  }
}

/** The expressions and all that they are made of, each once, inputs before what uses them. Equal ones count as one. */
export function inOrder(outputs: readonly Expression[]): {
  nodes: readonly Expression[];
  indexOf: (expression: Expression) => number;
} {
  const indices = new Map<Expression, number>();
  const byContent = new Map<string, number>();
  const nodes: Expression[] = [];
  const visit = (node: Expression): number => {
    const known = indices.get(node);
    if (known !== undefined) return known;
    const inputs = node.inputs.map(visit);
    const value = Object.is(node.value, -0) ? '-0' : node.value;
    const content = [node.function, value, node.index, ...inputs].join(' ');
    const index = byContent.get(content) ?? nodes.push(node) - 1;
    byContent.set(content, index);
    indices.set(node, index);
    return index;
  };
  outputs.forEach(visit);
  return { nodes, indexOf: (expression) => indices.get(expression)! };
}

/** A word for each node: two lists of expressions with the same text compute the same. */
export function textOf(outputs: readonly Expression[]): string {
  const { nodes, indexOf } = inOrder(outputs);
  const word = ({ function: name, inputs, value, kind, index }: Expression): string =>
    name === 'operand'
      ? `${kind}${value}.${index}`
      : name === 'constant'
        ? String(Object.is(value, -0) ? '-0' : value)
        : `${name}(${inputs.map(indexOf).join(' ')})`;
  return `${nodes.map(word).join('; ')} → ${outputs.map(indexOf).join(' ')}`;
}

/** Elements that the twin computes at a time. */
const BLOCK = 256;

/**
 * The expressions' values in float64, by plain loops over blocks of elements: calls `store` with the values of each output.
 * @param read element `at` of an operand's array
 */
export function evaluate(
  outputs: readonly Expression[],
  count: number,
  channels: number,
  read: (operand: number, at: number) => number,
  store: (output: number, at: number, value: number) => void,
): void {
  const { nodes, indexOf } = inOrder(outputs);
  const values = nodes.map(({ value }) => new Float64Array(BLOCK).fill(value));
  const inputs = nodes.map((node) => node.inputs.map((input) => values[indexOf(input)]));
  const none = new Float64Array(BLOCK);
  for (let first = 0; first < count; first += BLOCK) {
    const size = Math.min(BLOCK, count - first);
    for (const [n, node] of nodes.entries()) {
      const target = values[n];
      if (node.function === 'constant') continue;
      if (node.function === 'operand') {
        for (let i = 0; i < size; i++) {
          const at =
            node.kind === 'element' ? first + i : node.kind === 'channel' ? (first + i) % channels : node.index;
          target[i] = read(node.value, at);
        }
        continue;
      }
      const compute: Compute = functions[node.function as keyof typeof functions];
      const [a, b = none, c = none] = inputs[n];
      for (let i = 0; i < size; i++) target[i] = compute(a[i], b[i], c[i]);
    }
    for (const [output, expression] of outputs.entries()) {
      const result = values[indexOf(expression)];
      for (let i = 0; i < size; i++) store(output, first + i, result[i]);
    }
  }
}
