/**
 * Expressions as WebAssembly SIMD: a module of one function is put together byte by byte when a kernel is first prepared, so
 * that a user's elementwise kernel is as quick as ours. Without relaxed SIMD only operations that IEEE 754 rounds alike everywhere are
 * used: the same bits in every engine. With it a product that is only added to is added in the same instruction.
 */
import { Expression, type FunctionName, inOrder } from '../expression.js';
import type { GeneratedFunction } from '../kernel.js';

const call = (name: FunctionName, ...inputs: readonly (Expression | number)[]): Expression =>
  Expression.call(name, ...inputs);

/** c0·x^n + … + cn by Horner's rule */
const polynomial = (x: Expression, [first, ...rest]: readonly number[]): Expression =>
  rest.reduce((sum, coefficient) => sum.multiply(x).add(coefficient), Expression.of(first));

/** As the sigmoid's −|x|: what is left out then would never be taken. */
function isNeverPositive({ function: name, inputs: [x, factor] }: Expression): boolean {
  const isSquare = ({ function: inner, inputs: [a, b] }: Expression) => inner === 'multiply' && a === b;
  const atMost0 = (bound: Expression) => bound.function === 'constant' && bound.value <= 0;
  if (name === 'negate') return x.function === 'abs' || isSquare(x);
  if (name === 'multiply') return (x.function === 'abs' || isSquare(x)) && atMost0(factor);
  return name === 'lesser' && atMost0(factor);
}

/** A number with this added to it has the nearest whole number in its last bits, from −2^22 to 2^22. */
const WHOLE = 1.5 * 2 ** 23;

/** 2^n for a whole n */
const powerOfTwo = (n: Expression): Expression => call('powerOfTwo', n.add(WHOLE));

/** e^x = scale·(1 + rest) with scale = 2^n, of which there is no float for n = 128, and |rest| ≤ √2 − 1 */
function reduced(x: Expression): { n: Expression; scale: Expression; rest: Expression } {
  const shifted = x.multiply(Math.LOG2E).add(WHOLE);
  const n = shifted.subtract(WHOLE);
  const r = x.subtract(n.multiply(0.693145752)).subtract(n.multiply(1.42860677e-6));
  const p = polynomial(r, [1.98412698e-4, 1.38888889e-3, 8.33333333e-3, 4.16666667e-2, 1.66666667e-1, 0.5]);
  return { n, scale: call('powerOfTwo', shifted), rest: r.add(p.multiply(r.square())) };
}

// The same approximations as in math.wgsl.ts, where their errors and sources are stated, but where a shorter one is as exact; without
// fused operations they are a rounding less exact.
const approximations: Readonly<Partial<Record<FunctionName, (x: Expression) => Expression>>> = {
  exp(x) {
    const { n, scale, rest } = reduced(x);
    const mantissa = rest.add(1);
    if (isNeverPositive(x)) return x.below(-87.33654).select(0, mantissa.multiply(scale));
    const half = n.multiply(0.5).floor(); // n reaches 128
    const y = mantissa.multiply(powerOfTwo(half)).multiply(powerOfTwo(n.subtract(half)));
    return x.above(88.72283).select(Infinity, x.below(-87.33654).select(0, y));
  },
  expm1(x) {
    if (isNeverPositive(x)) {
      const { scale, rest } = reduced(call('greater', x, -64)); // below −17 it is −1 already
      return scale.multiply(rest).add(scale.subtract(1));
    }
    const coefficients = [
      2.48015873e-5, 1.98412698e-4, 1.38888889e-3, 8.33333333e-3, 4.16666667e-2, 1.66666667e-1, 0.5,
    ];
    const near = polynomial(x, coefficients).multiply(x).multiply(x).add(x);
    return x.abs().below(0.5).select(near, x.exp().subtract(1));
  },
  log(x) {
    const n = call('exponentOf', x);
    const m = call('mantissaOf', x);
    const s = m.subtract(1).divide(m.add(1));
    const q = s.square();
    const p = polynomial(q, [0.111111111, 0.142857143, 0.2, 0.333333333]);
    const rest = n.multiply(1.42860677e-6).add(p.multiply(q).multiply(s).add(s).multiply(2));
    const y = n.multiply(0.693145752).add(rest);
    const outside = x.abs().below(SMALLEST).select(-Infinity, Number.NaN);
    return x.atLeast(SMALLEST).select(x.equals(Infinity).select(x, y), outside);
  },
  log1p(u) {
    const s = u.divide(u.add(2));
    const q = s.square();
    const p = polynomial(q, [0.0666666667, 0.0769230769, 0.0909090909, 0.111111111, 0.142857143, 0.2, 0.333333333]);
    const near = p.multiply(q).multiply(s).add(s).multiply(2);
    return u.below(-0.5).select(u.add(1).log(), u.above(1).select(u.add(1).log(), near));
  },
  /** With e = e^−2|x|: near 0 (1 − e) / (1 + e), where e − 1 keeps its digits; beyond it 1 − 2e / (1 + e). One division; within 2.2 ulp. */
  tanh(x) {
    const t = x.abs();
    const { scale, rest } = reduced(call('greater', t.multiply(-2), -64));
    const e = scale.multiply(rest).add(scale);
    const isNear = t.below(0.55);
    const minusNear = scale.multiply(rest).add(scale.subtract(1));
    const quotient = isNear.select(minusNear.negate(), e.add(e)).divide(e.add(1));
    const y = isNear.select(quotient, Expression.of(1).subtract(quotient));
    return x.below(0).select(y.negate(), y);
  },
  normalProbability(x) {
    const t = x.abs().multiply(Math.SQRT1_2);
    const q = t.square();
    const e = polynomial(
      q,
      [
        7853861353153693e-20, -0.0008010193625184903, 0.005188327685732524, -0.02685381193529856, 0.112835851486142,
        -0.37612625824233, 1.12837916572671,
      ],
    );
    const half = t.multiply(0.5).multiply(e);
    const near = x.below(0).select(Expression.of(0.5).subtract(half), half.add(0.5));
    // ½·e^{t²}·erfc(t) = u·P(u), u = 1/(t + 3/2): a fit over t ≥ 1 by weighted least squares, within 1.1e-8 relative, for math.wgsl.ts' two.
    const u = Expression.of(1).divide(t.add(1.5));
    const scaled = polynomial(
      u,
      [
        -2.4891593274308272, 5.595825953800829, -4.206642823680863, 0.5836698124752003, 0.18131549551117646,
        0.5067265553864388, 0.4224515484241768, 0.28211022564040755,
      ],
    ).multiply(u);
    const tail = x.square().multiply(-0.5).exp().multiply(scaled); // as in the density, which a gradient asks for beside it
    return t.below(1).select(near, x.below(0).select(tail, Expression.of(1).subtract(tail)));
  },
};

/** The least normal float32. */
const SMALLEST = 2 ** -126;

/** Unsigned number in WebAssembly's variable-length form. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}

/** i32.const; the form of signed numbers. */
function integer(value: number): number[] {
  const bytes = [0x41];
  for (; value < -64 || value > 63; value >>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value & 127];
}

const vector = (operation: number): number[] => [0xfd, ...unsigned(operation)];
const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const I32 = {
  add: 0x6a,
  subtract: 0x6b,
  multiply: 0x6c,
  shiftLeft: 0x74,
  ltUnsigned: 0x49,
  geUnsigned: 0x4f,
  ltSigned: 0x48,
  gtSigned: 0x4a,
};
const V128 = { load: vector(0), splat32: vector(9), store: vector(11), constant: vector(12), storeLane: vector(90) };
const SELECT = 0x1b;
const [BLOCK, LOOP, LEAVE_BLOCK, AGAIN, END_OF] = [[0x02, 0x40], [0x03, 0x40], [0x0d, 1], [0x0c, 0], 0x0b];
const TYPE = { i32: 0x7f, v128: 0x7b, function: 0x60 };
/** Where a vector lies behind an address, aligned to 4 bytes. */
const placed = (place: number): number[] => [2, 16 * place];

const floatBytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];
const splat = (value: number): number[] => [...V128.constant, ...[0, 1, 2, 3].flatMap(() => floatBytes(value))];

/** Instructions of functions whose operands lie on the stack in order. */
const instructions: Readonly<Partial<Record<FunctionName, readonly number[]>>> = {
  add: vector(228),
  subtract: vector(229),
  multiply: vector(230),
  divide: vector(231),
  minimum: vector(232),
  maximum: vector(233),
  lesser: vector(234),
  greater: vector(235),
  abs: vector(224),
  negate: vector(225),
  sqrt: vector(227),
  floor: vector(104),
  equals: vector(65),
  below: vector(67),
  atMost: vector(69),
  multiplyAdd: vector(261),
  negateMultiplyAdd: vector(262),
  // The last bits of n + WHOLE are n; << 23 brings them to the exponent's place, whose zero is that of 1.
  powerOfTwo: [integer(23), vector(171), splat(1), vector(174)].flat(),
};

/** (bits − those of √½) >> 23, arithmetically: the exponent that leaves a mantissa of √½ … √2 */
const EXPONENT = [...integer(0x3f3504f3), ...vector(17), ...vector(177), ...integer(23), ...vector(172)];

const isZero = ({ function: name, value }: Expression): boolean => name === 'constant' && Object.is(value, 0);

/** What leaves the value of a node on the stack; `leave` gives what leaves another's there. */
function compute(
  { function: name, inputs }: Expression,
  leave: (node: Expression) => number[],
  relaxed: boolean,
): number[] {
  const input = (position: number): number[] => (position in inputs ? leave(inputs[position]) : []);
  switch (name) {
    case 'select': // by and-not, by the relaxed selection (conditions fill whole lanes, of which alone it is defined), by bits; the condition comes last
      if (isZero(inputs[1])) return [...input(2), ...input(0), ...vector(79)];
      return [...input(1), ...input(2), ...input(0), ...vector(relaxed ? 267 : 82)];
    case 'negate': // of an absolute value: the sign, set
      if (inputs[0].function === 'abs') return [...leave(inputs[0].inputs[0]), ...splat(-0), ...vector(80)];
      return [...input(0), ...instructions.negate!];
    case 'isNan':
      return [...input(0), ...input(0), ...vector(66)];
    case 'exponentOf':
      return [...input(0), ...EXPONENT, ...vector(250)];
    case 'mantissaOf':
      return [...input(0), ...input(0), ...EXPONENT, ...integer(23), ...vector(171), ...vector(177)];
    default:
      return [input(0), input(1), input(2), instructions[name as FunctionName]!].flat();
  }
}

/** Beside a number the comparison that one instruction does keeps NaN, too; in general only that of its first value. */
function quickest(name: FunctionName, [, b]: readonly Expression[]): FunctionName {
  const besideNumber = b?.function === 'constant' && !Number.isNaN(b.value);
  return besideNumber && name === 'minimum' ? 'lesser' : besideNumber && name === 'maximum' ? 'greater' : name;
}

/** The expressions with functions replaced by their approximations. */
function approximated(outputs: readonly Expression[]): Expression[] {
  const done = new Map<Expression, Expression>();
  const visit = (node: Expression): Expression => {
    const known = done.get(node);
    if (known) return known;
    let result = node;
    if (node.inputs.length > 0) {
      const name = node.function as FunctionName;
      const inputs = node.inputs.map(visit);
      const approximation = approximations[name];
      result = approximation ? visit(approximation(inputs[0])) : call(quickest(name, inputs), ...inputs);
    }
    done.set(node, result);
    done.set(result, result);
    return result;
  };
  return outputs.map(visit);
}

/** The expressions with products that are used once, in a sum or difference, in one instruction with it: a · b + c or c − a · b. */
function withFusedProducts(outputs: readonly Expression[]): Expression[] {
  const { nodes, indexOf } = inOrder(outputs);
  const uses = nodes.map(() => 0);
  for (const input of [...nodes.flatMap(({ inputs }) => inputs), ...outputs]) uses[indexOf(input)]++;
  const isFree = (node: Expression): boolean => node.function === 'multiply' && uses[indexOf(node)] === 1;
  const done: Expression[] = [];
  const of = (node: Expression): Expression => done[indexOf(node)];
  const product = (name: FunctionName, { inputs: [a, b] }: Expression, c: Expression): Expression =>
    call(name, of(a), of(b), of(c));
  for (const node of nodes) {
    const [a, b] = node.inputs;
    if (node.function === 'add' && isFree(a)) done.push(product('multiplyAdd', a, b));
    else if (node.function === 'add' && isFree(b)) done.push(product('multiplyAdd', b, a));
    else if (node.function === 'subtract' && isFree(b)) done.push(product('negateMultiplyAdd', b, a));
    else done.push(node.inputs.length > 0 ? call(node.function as FunctionName, ...node.inputs.map(of)) : node);
  }
  return outputs.map(of);
}

/**
 * The function of (part, addresses of all operands, count, chunk, bytes of a row): output k of the element at i is written to operand `targets[k]`. Operands of
 * kind `channel` are rows of whole eights that repeat; a part then begins with a row.
 */
export function generateFunction(
  operands: number,
  outputs: readonly Expression[],
  targets: readonly number[],
): GeneratedFunction {
  const exact = approximated(outputs);
  const made = new Map<string, Uint8Array>();
  return {
    bytes(shared, relaxed) {
      const key = `${shared} ${relaxed}`;
      const bytes =
        made.get(key) ?? moduleOf(operands, relaxed ? withFusedProducts(exact) : exact, targets, shared, relaxed);
      made.set(key, bytes);
      return bytes;
    },
  };
}

/**
 * Vectors that are computed side by side: one chain of operations fills the waits of another, and a constant that the engine keeps in
 * memory is fetched once for all of them. Short chains wait for memory whatever is done; what long ones keep would spill out of the registers. Rows are
 * whole numbers of two vectors.
 */
const sideBySide = (operations: number, hasRows: boolean): number =>
  !hasRows && operations > 15 && operations <= 40 ? 4 : 2;

function functionBody(
  operands: number,
  outputs: readonly Expression[],
  targets: readonly number[],
  relaxed: boolean,
): number[] {
  const { nodes, indexOf } = inOrder(outputs);
  const PART = 0;
  const [COUNT, CHUNK, ROW_BYTES, AT, END, ROW] = [1, 2, 3, 4, 5, 6].map((i) => operands + i);
  const hasRows = nodes.some(({ kind }) => kind === 'channel');
  const together = sideBySide(nodes.length, hasRows);
  const isFixed: boolean[] = []; // the same for all elements
  for (const node of nodes) {
    const inputs = node.inputs.map(indexOf);
    isFixed.push(node.function === 'operand' ? node.kind === 'number' : inputs.every((input) => isFixed[input]));
  }
  /** A local for each node, and for what is not fixed one for each vector. */
  const local = (n: number, v: number): number => ROW + 1 + n + (isFixed[n] ? 0 : v * nodes.length);
  const address = (operand: number): number[] => get(1 + operand);
  const at = (base: number[], place: number): number[] => [...base, ...get(place), I32.add];
  const valueOf = (node: Expression, v: number): number[] => {
    if (node.function === 'constant') return splat(node.value);
    if (node.function !== 'operand') return compute(node, (other) => get(local(indexOf(other), v)), relaxed);
    const base = address(node.value);
    if (node.kind === 'number') return [...base, ...V128.splat32, 2, ...unsigned(4 * node.index)];
    return [...at(base, node.kind === 'channel' ? ROW : AT), ...V128.load, ...placed(v)];
  };
  const define = (n: number, v: number): number[] => [...valueOf(nodes[n], v), ...set(local(n, v))];
  const before = nodes.flatMap((_, n) => (isFixed[n] ? define(n, 0) : []));
  /** Nodes of so many vectors, in turns. */
  const inside = (count: number): number[] =>
    nodes.flatMap((_, n) => (isFixed[n] ? [] : Array.from({ length: count }, (__, v) => define(n, v)).flat()));
  const result = (k: number, v: number): number[] => [
    ...at(address(targets[k]), AT),
    ...get(local(indexOf(outputs[k]), v)),
  ];
  const each = (store: (k: number) => number[]): number[] => outputs.flatMap((_, k) => store(k));
  const storeVector = (v: number): number[] => each((k) => [...result(k, v), ...V128.store, ...placed(v)]);
  const storeLane = (lane: number): number[] => each((k) => [...result(k, 0), ...V128.storeLane, 2, 4 * lane, lane]);
  const left = [...get(END), ...get(AT), I32.subtract];
  const when = (condition: number[], then: number[], otherwise: number[] = []): number[] =>
    [condition, 0x04, 0x40, then, otherwise.length > 0 ? [0x05, otherwise] : [], 0x0b].flat(2);
  const further = (place: number, bytes: number): number[] => [get(place), integer(bytes), I32.add, set(place)].flat();
  // row = row + bytes < row bytes ? row + bytes : 0
  const nextOfRow = (bytes: number): number[] =>
    [further(ROW, bytes), get(ROW), integer(0), get(ROW), get(ROW_BYTES), I32.ltUnsigned, SELECT, set(ROW)].flat();
  const advance = (bytes: number): number[] => [...further(AT, bytes), ...(hasRows ? nextOfRow(bytes) : [])];
  const loop = [
    [BLOCK, LOOP, left, integer(16 * together), I32.ltSigned, LEAVE_BLOCK],
    inside(together),
    Array.from({ length: together }, (_, v) => storeVector(v)),
    [advance(16 * together), AGAIN, END_OF, END_OF],
  ];
  const code = [
    // at = 4·part·chunk; end = 4·min((part + 1)·chunk, count)
    [get(PART), get(CHUNK), I32.multiply, integer(2), I32.shiftLeft, set(AT)],
    [get(PART), integer(1), I32.add, get(CHUNK), I32.multiply, set(END)],
    [get(END), get(COUNT), get(END), get(COUNT), I32.ltUnsigned, SELECT],
    [integer(2), I32.shiftLeft, set(END)],
    before,
    loop,
    [BLOCK, LOOP, get(AT), get(END), I32.geUnsigned, LEAVE_BLOCK],
    inside(1),
    when(
      [left, integer(15), I32.gtSigned].flat(),
      storeVector(0),
      // The last elements one by one: what lies behind them may be another's.
      [
        storeLane(0),
        when([left, integer(4), I32.gtSigned].flat(), storeLane(1)),
        when([left, integer(8), I32.gtSigned].flat(), storeLane(2)),
      ].flat(),
    ),
    advance(16),
    [AGAIN, END_OF, END_OF, END_OF], // of the loop, the block and the function
  ];
  const locals = [2, 3, TYPE.i32, unsigned(together * nodes.length), TYPE.v128]; // three i32, a v128 for each node and vector
  return [locals, code].flat(5);
}

/** A list with its length before it, as WebAssembly has them. */
const list = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
const text = (word: string): number[] => sized(Array.from(word, (letter) => letter.charCodeAt(0)));
const section = (id: number, items: readonly (readonly number[])[]): number[] => [id, ...sized(list(items))];

function moduleOf(
  operands: number,
  outputs: readonly Expression[],
  targets: readonly number[],
  shared: boolean,
  relaxed: boolean,
): Uint8Array {
  const parameters = Array.from({ length: operands + 4 }, () => TYPE.i32);
  const memory = shared ? [3, 1, ...unsigned(65536)] : [0, 1];
  const magic = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const sections = [
    section(1, [[TYPE.function, ...sized(parameters), 0]]),
    section(2, [[...text('env'), ...text('memory'), 2, ...memory]]),
    section(3, [[0]]),
    section(7, [[...text('run'), 0, 0]]),
    section(10, [sized(functionBody(operands, outputs, targets, relaxed))]),
  ];
  return Uint8Array.from([magic, ...sections].flat());
}
