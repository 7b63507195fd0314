/** Operators of ONNX that work element by element, as layers: activations, arithmetic with constants and of values. */
import { ModelFileError } from '../../errors.js';
import type { Activation as ActivationName } from '../../nn/activations.js';
import { Activation, ELU, LeakyReLU, ReLU, Softmax } from '../../nn/layers/activation.js';
import { Dropout, Flatten, Reshape } from '../../nn/layers/core.js';
import type { Layer, SymbolicTensor } from '../../nn/layers/layer.js';
import { Add, Concatenate, Multiply } from '../../nn/layers/merging.js';
import { BatchNormalization } from '../../nn/layers/normalization.js';
import { Rescaling } from '../../nn/layers/preprocessing.js';
import { formatShape, sizeOf } from '../../tensor/shape.js';
import { isFloatType, type Constant } from './import-constants.js';
import { floats, isConstant, isValue, type Given, type NodeReader, type Operator } from './import-node.js';
import { arranged, axesInOrder, lengthsOf, partOf, valueOf, vectorOf, type Value } from './import-values.js';

const byName =
  (activation: ActivationName): Operator =>
  (node) =>
    node.keep(node.value(0), new Activation(activation, { name: node.named() }));

const relu = (node: NodeReader, purpose: string, maxValue: number | null = null): Layer =>
  new ReLU({ name: node.named(purpose), maxValue });
const scaled = (node: NodeReader, purpose: string, scale: number, offset: number): Layer =>
  new Rescaling({ name: node.named(purpose), scale, offset });

/** Bounds at least as wide as float32 bound nothing. */
const WIDEST = 3.4e38;

/** min(max(x, least), most) as relus that are moved about. */
function clipped(node: NodeReader, value: Value, least: number | null, most: number | null): Value {
  const [low, high] = [least ?? -Infinity, most ?? Infinity];
  if (!(low <= high)) throw new ModelFileError(`expects bounds in order, got ${low} and ${high}`);
  const range = high < WIDEST ? high - low : null;
  if (low > -WIDEST) {
    if (low === 0) return node.keep(value, relu(node, '', range));
    const moved = node.keep(value, scaled(node, 'from', 1, -low));
    return node.keep(node.keep(moved, relu(node, '', range)), scaled(node, 'to', 1, low));
  }
  if (range === null) return value;
  const turned = node.keep(value, scaled(node, 'from', -1, high)); // high − relu(high − x)
  return node.keep(node.keep(turned, relu(node, '')), scaled(node, 'to', -1, high));
}

/** How far a layer that follows is the same number, written in float32. */
const near = (value: number, wanted: number): boolean => Math.abs(value - wanted) < 1e-4 * Math.abs(wanted);

/** x · (1 + tanh z) / 2 with z = √(2/π) · (x + 0.044715 x³), which is x · sigmoid(2z). */
function geluByTanh(node: NodeReader): Value {
  const value = node.value(0);
  const x = value.tensor;
  const cube = node.apply(new Multiply({ name: node.named('cube') }), x, x, x);
  const part = node.apply(scaled(node, 'part', 0.044715, 0), cube);
  const sum = node.apply(new Add({ name: node.named('sum') }), x, part);
  const twice = node.apply(scaled(node, 'twice', 2 * Math.sqrt(2 / Math.PI), 0), sum);
  const gate = node.apply(new Activation('sigmoid', { name: node.named('gate') }), twice);
  return { ...value, tensor: node.apply(new Multiply({ name: node.named() }), x, gate) };
}

const isNumber = (given: Given, wanted: number): boolean =>
  isConstant(given) && given.data.length === 1 && near(given.data[0], wanted);

const isHalfOf = ({ layer, inputs }: SymbolicTensor, x: SymbolicTensor): boolean =>
  layer instanceof Rescaling && near(layer.options.scale, 0.5) && layer.options.offset === 0 && inputs[0] === x;

/** x · (1 + erf(x / √2)) / 2, as exporters take GELU apart. */
function errorFunction(node: NodeReader): Given {
  const inside = node.value(0);
  const { layer, inputs } = inside.tensor;
  const plus = node.follower('Add');
  const product = plus && isNumber(plus.other, 1) ? plus.next('Mul') : null;
  const isScaled = layer instanceof Rescaling && layer.options.offset === 0 && near(layer.options.scale, Math.SQRT1_2);
  if (isScaled && product) {
    const [x] = inputs;
    const isX = (given: Given): boolean => isValue(given) && given.tensor === x;
    const gelu = (): Value => ({ ...inside, tensor: node.apply(new Activation('gelu', { name: node.named() }), x) });
    if (isValue(product.other) && isHalfOf(product.other.tensor, x)) return product.becomes(gelu());
    const last = product.next('Mul');
    const isWhole = isX(product.other) && last && isNumber(last.other, 0.5);
    if (last && (isWhole || (isNumber(product.other, 0.5) && isX(last.other)))) return last.becomes(gelu());
  }
  throw new ModelFileError('expects it as a part of GELU, x · (1 + erf(x / √2)) / 2, got another use');
}

/** What a constant's shape, aligned at the last axes, says along each axis of a value. @throws where the value would grow */
function alongValue({ shape }: Constant, lengths: readonly number[]): number[] {
  const missing = lengths.length - shape.length;
  const along = lengths.map((_, axis) => (axis < missing ? 1 : shape[axis - missing]));
  const isLonger = missing < 0 && shape.slice(0, -missing).some((length) => length !== 1);
  if (missing < 0) along.splice(0, along.length, ...shape.slice(-missing));
  if (isLonger || along.some((length, axis) => length !== 1 && length !== lengths[axis]))
    throw new ModelFileError(`expects a constant that fits ${formatShape(lengths)}, got ${formatShape(shape)}`);
  return along;
}

/** x · scale + offset by channel, as a batch normalization that is frozen: training leaves a constant of the graph alone. */
function byChannel(
  node: NodeReader,
  tensor: SymbolicTensor,
  scale: Float32Array,
  offset: Float32Array,
): SymbolicTensor {
  const layer = new BatchNormalization({ name: node.named(), epsilon: 1e-14, trainable: false });
  const filled = (value: number): Float32Array => new Float32Array(scale.length).fill(value);
  const parameters = { gamma: scale, beta: offset, moving_mean: filled(0), moving_variance: filled(1) };
  for (const [name, data] of Object.entries(parameters)) node.weight(layer, name, [data.length], data);
  return node.apply(layer, tensor);
}

/** x · scale + offset, where one is a constant of the file and the other a number. */
function affine(node: NodeReader, value: Value, constant: Constant, parts: (c: number) => [number, number]): Value {
  const lengths = lengthsOf(value, node.context.batch);
  const along = alongValue(constant, lengths);
  const long = along.flatMap((length, axis) => (length === 1 ? [] : [axis]));
  if (long.length === 0) {
    const [scale, offset] = parts(constant.data[0]);
    return scale === 1 && offset === 0 ? value : node.keep(value, scaled(node, '', scale, offset));
  }
  if (long.includes(0)) throw new ModelFileError('expects one constant for all pictures, got one for each');
  const given = floats(constant);
  const split = (at: (index: number) => number, count: number): [Float32Array, Float32Array] => {
    const both = Array.from({ length: count }, (_, index) => parts(given[at(index)]));
    return [Float32Array.from(both, ([scale]) => scale), Float32Array.from(both, ([, offset]) => offset)];
  };
  if (long.length === 1 && !value.flattened) {
    const [axis] = long;
    const order = [...axesInOrder(value).filter((other) => other !== axis), axis];
    const isLast = value.axes[axis] === value.tensor.shape.length;
    const tensor = isLast ? value.tensor : arranged(value, order, node.context);
    const made = byChannel(node, tensor, ...split((index) => index, given.length));
    return isLast ? { ...value, tensor: made } : partOf(made, order, lengths.length);
  }
  if (value.axes.length === 2) {
    const { tensor, order } = vectorOf(value, node.context);
    const ours = new Uint32Array(given.length);
    for (let i = 0; i < given.length; i++) ours[order ? order[i] : i] = i;
    return { ...value, tensor: byChannel(node, tensor, ...split((index) => ours[index], given.length)) };
  }
  // a constant for each pixel: as for a vector, in the order of our elements
  const order = axesInOrder(value);
  const tensor = arranged(value, order, node.context);
  const steps = along.map((length, axis) => (length === 1 ? 0 : sizeOf(along.slice(axis + 1))));
  const at = (index: number): number => {
    let [rest, place] = [index, 0];
    for (const axis of order.toReversed()) {
      place += (rest % lengths[axis]) * steps[axis];
      rest = Math.floor(rest / lengths[axis]);
    }
    return place;
  };
  const vector = node.apply(new Flatten({ name: node.named('flatten') }), tensor);
  const made = byChannel(node, vector, ...split(at, vector.shape[0]));
  const back = node.apply(new Reshape(tensor.shape, { name: node.named('unflatten') }), made);
  return partOf(back, order, lengths.length);
}

/** Values in one layout, so that a layer can join them; the axes of what it gives. */
export function aligned(
  node: NodeReader,
  values: readonly Value[],
): { tensors: SymbolicTensor[]; order: number[]; flattened: Value['flattened'] } {
  const [first] = values;
  const rank = first.axes.length;
  const odd = values.find((value) => value.axes.length !== rank);
  if (odd)
    throw new ModelFileError(
      `expects values of as many axes, got ${formatShape(lengthsOf(first, node.context.batch))} and ${formatShape(lengthsOf(odd, node.context.batch))}`,
    );
  const asIs = values.every(
    ({ axes, flattened }) =>
      axes.join() === first.axes.join() && JSON.stringify(flattened) === JSON.stringify(first.flattened),
  );
  const isWhole = ({ axes, tensor }: Value): boolean =>
    axes.filter((axis) => axis !== null).length === tensor.shape.length + 1;
  const size = ({ tensor }: Value): number => tensor.shape.filter((length) => length !== 1).length;
  const largest = values.reduce((most, value) => (size(value) > size(most) ? value : most));
  const unknown = largest.axes.flatMap((axis, at) => (at === 0 || axis !== null ? [] : [at]));
  const order = [...unknown, ...axesInOrder(largest)];
  if (asIs && isWhole(first) && unknown.length === 0)
    return { tensors: values.map(({ tensor }) => tensor), order, flattened: first.flattened };
  return { tensors: values.map((value) => arranged(value, order, node.context)), order, flattened: null };
}

function joined(node: NodeReader, values: readonly Value[], layer: Layer): Value {
  const { tensors, order, flattened } = aligned(node, values);
  return { ...valueOf(node.apply(layer, ...tensors), order), flattened };
}

/** x · sigmoid(x) and x · hard_sigmoid(x) have names. */
function gated(node: NodeReader, [a, b]: readonly Value[]): Value | null {
  for (const [x, gate] of [
    [a, b],
    [b, a],
  ]) {
    const { layer, inputs } = gate.tensor;
    if (!(layer instanceof Activation) || inputs[0] !== x.tensor) continue;
    if (layer.activation === 'sigmoid') return node.keep(x, new Activation('swish', { name: node.named() }));
    if (layer.activation === 'hard_sigmoid') return node.keep(x, new Activation('hard_swish', { name: node.named() }));
  }
  return null;
}

interface Arithmetic {
  readonly constants: (x: number, y: number) => number;
  /** The value's factor and summand, of a constant c. */
  readonly behind: (c: number) => [number, number];
  readonly before: ((c: number) => [number, number]) | null;
  readonly values: ((node: NodeReader, values: readonly Value[]) => Value) | null;
  /** Whether there may be any number of inputs. */
  readonly isSum?: boolean;
}

const arithmetic =
  ({ constants, behind, before, values, isSum = false }: Arithmetic): Operator =>
  (node) => {
    const given = node.all();
    const [a, b] = given;
    if (given.length !== 2 && !isSum) throw new ModelFileError(`expects two inputs, got ${given.length}`);
    if (given.every(isConstant)) return given.reduce((x, y) => node.context.folding.joined(x, y, constants));
    if (given.length !== 2) {
      if (values && given.every(isValue)) return given.length === 1 ? given[0] : values(node, given);
      throw new ModelFileError(`expects two inputs, or values only, got ${given.length}`);
    }
    if (isValue(a) && isConstant(b)) return affine(node, a, b, behind);
    if (isConstant(a) && isValue(b)) {
      if (before) return affine(node, b, a, before);
      throw new ModelFileError('expects a value divided by a constant, got the reverse');
    }
    if (values && isValue(a) && isValue(b)) return values(node, [a, b]);
    throw new ModelFileError('expects a value divided by a constant, got two values');
  };

const sum: Arithmetic = {
  constants: (x, y) => x + y,
  behind: (c) => [1, c],
  before: (c) => [1, c],
  values: (node, values) => joined(node, values, new Add({ name: node.named() })),
};

const bound =
  (which: 'Min' | 'Max'): Operator =>
  (node) => {
    const given = node.all();
    if (given.every(isConstant))
      return given.reduce((x, y) => node.context.folding.joined(x, y, which === 'Min' ? Math.min : Math.max));
    const number = given.find((one) => isConstant(one) && one.data.length === 1) as Constant | undefined;
    const value = given.find(isValue);
    if (given.length !== 2 || !number || !value)
      throw new ModelFileError('expects a value and one number as its bound');
    return which === 'Min' ? clipped(node, value, null, number.data[0]) : clipped(node, value, number.data[0], null);
  };

/** A function of constants, which is all that shape arithmetic needs of it. */
const ofConstants =
  (change: (x: number) => number): Operator =>
  (node) =>
    node.context.folding.changed(node.constant(0), change);

export const elementwise: Readonly<Record<string, Operator>> = {
  Relu: (node) => node.keep(node.value(0), relu(node, '')),
  Sigmoid: byName('sigmoid'),
  Tanh: byName('tanh'),
  HardSwish: byName('hard_swish'),
  Gelu: (node) => (node.text('approximate', 'none') === 'tanh' ? geluByTanh(node) : byName('gelu')(node)),
  Erf: errorFunction,
  Clip: (node) =>
    node.opset < 11
      ? clipped(
          node,
          node.value(0),
          node.has('min') ? node.number('min', 0) : null,
          node.has('max') ? node.number('max', 0) : null,
        )
      : clipped(node, node.value(0), node.scalar(1), node.scalar(2)),
  LeakyRelu(node) {
    const negativeSlope = node.number('alpha', 0.01);
    if (negativeSlope < 0) throw new ModelFileError(`attribute alpha expects at least 0, got ${negativeSlope}`);
    return node.keep(node.value(0), new LeakyReLU({ name: node.named(), negativeSlope }));
  },
  PRelu(node) {
    const slope = node.constant(1);
    if (slope.data.some((one) => one !== slope.data[0] || one < 0))
      throw new ModelFileError('expects one slope of at least 0 for all channels, got several');
    return node.keep(node.value(0), new LeakyReLU({ name: node.named(), negativeSlope: slope.data[0] ?? 0 }));
  },
  ThresholdedRelu: (node) =>
    node.keep(node.value(0), new ReLU({ name: node.named(), threshold: node.number('alpha', 1) })),
  Elu: (node) => node.keep(node.value(0), new ELU({ name: node.named(), alpha: node.number('alpha', 1) })),
  // gamma · elu(x, alpha)
  Selu(node) {
    const curved = node.keep(
      node.value(0),
      new ELU({ name: node.named(), alpha: node.number('alpha', 1.6732632423543772) }),
    );
    return node.keep(curved, scaled(node, 'scale', node.number('gamma', 1.0507009873554805), 0));
  },
  HardSigmoid(node) {
    const [alpha, beta] = [node.number('alpha', 0.2), node.number('beta', 0.5)];
    if (near(alpha, 1 / 6) && beta === 0.5) return byName('hard_sigmoid')(node);
    const line = node.keep(node.value(0), scaled(node, 'line', alpha, beta));
    return node.keep(line, relu(node, '', 1));
  },
  Softmax(node) {
    const value = node.value(0);
    const lengths = lengthsOf(value, node.context.batch);
    const axis = node.axis(node.number('axis', node.opset < 13 ? 1 : -1), lengths.length);
    if (axis === 0) throw new ModelFileError('expects a softmax within each picture, got one over the batch');
    // before operator set 13 all axes from this one on are taken together
    if (node.opset < 13 && lengths.slice(axis + 1).some((length) => length !== 1))
      throw new ModelFileError(
        `expects a softmax over one axis, got one over all from ${axis} of ${formatShape(lengths)}`,
      );
    const layer = new Softmax({ name: node.named() });
    if (value.axes[axis] === value.tensor.shape.length) return node.keep(value, layer);
    const others = lengths.flatMap((_, at) => (at === 0 || at === axis ? [] : [at]));
    return valueOf(node.apply(layer, arranged(value, [...others, axis], node.context)), [...others, axis]);
  },
  Identity: (node) => node.input(0),
  Cast(node) {
    const given = node.input(0);
    const isFloat = isFloatType(node.number('to', 1));
    if (isConstant(given)) {
      const data = isFloat ? Float32Array.from(given.data) : Float64Array.from(given.data, Math.trunc);
      return { shape: given.shape, data, isInteger: !isFloat };
    }
    if (!isFloat) throw new ModelFileError('expects floats to stay floats, got a cast to whole numbers');
    return given;
  },
  Dropout(node) {
    const value = node.value(0);
    const rate = node.opset < 12 ? node.number('ratio', 0.5) : (node.scalar(1) ?? 0.5);
    return rate >= 0 && rate < 1 ? node.keep(value, new Dropout(rate, { name: node.named() })) : value;
  },
  Add: arithmetic(sum),
  Sum: arithmetic({ ...sum, isSum: true }),
  Sub: arithmetic({
    constants: (x, y) => x - y,
    behind: (c) => [1, -c],
    before: (c) => [-1, c],
    values: (node, [a, b]) =>
      joined(node, [a, node.keep(b, scaled(node, 'negative', -1, 0))], new Add({ name: node.named() })),
  }),
  Mul: arithmetic({
    constants: (x, y) => x * y,
    behind: (c) => [c, 0],
    before: (c) => [c, 0],
    values: (node, values) => gated(node, values) ?? joined(node, values, new Multiply({ name: node.named() })),
  }),
  Div: arithmetic({ constants: (x, y) => x / y, behind: (c) => [1 / c, 0], before: null, values: null }),
  Min: bound('Min'),
  Max: bound('Max'),
  Floor: ofConstants(Math.floor),
  Ceil: ofConstants(Math.ceil),
  Sqrt: ofConstants(Math.sqrt),
  Neg: ofConstants((x) => -x),
  Reciprocal: ofConstants((x) => 1 / x),
  Concat(node) {
    const given = node.all();
    const axis = node.number('axis', node.opset < 4 ? 1 : NaN);
    if (given.every(isConstant))
      return node.context.folding.concatenated(given, node.axis(axis, given[0].shape.length));
    if (!given.every(isValue)) throw new ModelFileError('expects values only or constants only, got both');
    const [first] = given;
    const along = node.axis(axis, first.axes.length);
    if (along === 0) throw new ModelFileError('expects pictures to stay apart, got an axis of 0, the batch');
    if (given.length === 1) return first;
    // vectors that were flattened cannot be joined in two orders
    const plain = given.some(({ flattened }) => flattened)
      ? given.map((value) => ({ tensor: arranged(value, [1], node.context), axes: value.axes, flattened: null }))
      : given;
    const { tensors, order } = aligned(node, plain);
    const layer = new Concatenate({ name: node.named(), axis: order.indexOf(along) + 1 });
    return valueOf(node.apply(layer, ...tensors), order);
  },
};
