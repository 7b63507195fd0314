/** Operators of ONNX that move axes and elements, on values and on constants, and those that take means over axes. */
import { ModelFileError } from '../../errors.js';
import { Cropping2D, Reshape } from '../../nn/layers/core.js';
import { GlobalAveragePooling2D, GlobalMaxPooling2D } from '../../nn/layers/pooling.js';
import type { SymbolicTensor } from '../../nn/layers/layer.js';
import { Concatenate } from '../../nn/layers/merging.js';
import { formatShape, sameShape, sizeOf } from '../../tensor/shape.js';
import { integers, type Constant } from './import-constants.js';
import { isConstant, isValue, type Given, type NodeReader, type Operator } from './import-node.js';
import {
  arranged,
  axesInOrder,
  CHANNELS_LAST,
  lengthsOf,
  partOf,
  reshaped,
  valueOf,
  type Value,
} from './import-values.js';

const lengthsOfGiven = (given: Given, batch: number): readonly number[] =>
  isValue(given) ? lengthsOf(given, batch) : given.shape;

/** The same elements under other lengths. */
function underLengths(node: NodeReader, given: Given, lengths: readonly number[]): Given {
  if (!lengths.every((length) => Number.isSafeInteger(length) && length >= 0) || lengths.length > 8)
    throw new ModelFileError(`expects at most 8 lengths, got ${formatShape(lengths.slice(0, 9))}`);
  if (isValue(given)) return reshaped(given, lengths, node.context);
  if (sizeOf(lengths) !== given.data.length)
    throw new ModelFileError(`expects ${given.data.length} elements, got ${formatShape(lengths)}`);
  return { ...given, shape: lengths };
}

function reshape(node: NodeReader): Given {
  const given = node.input(0);
  const before = lengthsOfGiven(given, node.context.batch);
  const wanted = [...node.constant(1).data.subarray(0, 16)];
  const copies = node.number('allowzero', 0) === 0;
  const lengths = wanted.map((length, axis) => (length === 0 && copies ? (before[axis] ?? 0) : length));
  const open = lengths.indexOf(-1);
  const known = sizeOf(lengths.filter((_, axis) => axis !== open));
  if (open >= 0) lengths[open] = known > 0 ? sizeOf(before) / known : 0;
  return underLengths(node, given, lengths);
}

/** Axes of length 1 that go away. */
function squeeze(node: NodeReader): Given {
  const given = node.input(0);
  const before = lengthsOfGiven(given, node.context.batch);
  const listed = node.listOf('axes', 1)?.map((axis) => node.axis(axis, before.length));
  const gone =
    listed ?? before.flatMap((length, axis) => (length === 1 && !(isValue(given) && axis === 0) ? [axis] : []));
  const longer = gone.find((axis) => before[axis] !== 1);
  if (longer !== undefined || (isValue(given) && gone.includes(0)))
    throw new ModelFileError(
      `expects axes of length 1 other than the batch, got ${gone.join(',')} of ${formatShape(before)}`,
    );
  const isLeft = (_: unknown, axis: number): boolean => !gone.includes(axis);
  return isValue(given) ? { ...given, axes: given.axes.filter(isLeft) } : { ...given, shape: before.filter(isLeft) };
}

function unsqueeze(node: NodeReader): Given {
  const given = node.input(0);
  const before = lengthsOfGiven(given, node.context.batch);
  const listed = node.listOf('axes', 1) ?? [];
  const rank = before.length + listed.length;
  const fresh = new Set(listed.map((axis) => node.axis(axis, rank)));
  if (fresh.size < listed.length || rank > 8)
    throw new ModelFileError(`expects different axes, got ${listed.join(',')}`);
  const spread = <One>(list: readonly One[], one: One): One[] => {
    let next = 0;
    return Array.from({ length: rank }, (_, axis) => (fresh.has(axis) ? one : list[next++]));
  };
  if (isConstant(given)) return { ...given, shape: spread(before, 1) };
  if (fresh.has(0)) throw new ModelFileError('expects the batch to stay the first axis, got an axis before it');
  return { ...given, axes: spread(given.axes, null) };
}

function transpose(node: NodeReader): Given {
  const given = node.input(0);
  const { length } = lengthsOfGiven(given, node.context.batch);
  const order = node.integers('perm') ?? Array.from({ length }, (_, axis) => length - 1 - axis);
  if (order.length !== length || order.toSorted((a, b) => a - b).some((axis, at) => axis !== at))
    throw new ModelFileError(`attribute perm expects the axes 0 to ${length - 1}, got ${order.slice(0, 9).join(',')}`);
  if (isConstant(given)) return node.context.folding.transposed(given, order);
  // a vector's order of elements is told apart from the order of axes: it stays with the one axis that is longer than 1
  return { ...given, axes: order.map((axis) => given.axes[axis]) };
}

function flatten(node: NodeReader): Given {
  const given = node.input(0);
  const before = lengthsOfGiven(given, node.context.batch);
  const from = node.number('axis', 1);
  const axis = from === before.length ? from : node.axis(from, before.length);
  return underLengths(node, given, [sizeOf(before.slice(0, axis)), sizeOf(before.slice(axis))]);
}

/** Means or maxima over axes: those axes before the others, as the pixels of a picture with the others as its channels. */
function reduce(node: NodeReader, value: Value, axes: readonly number[], keepsAxes: boolean, isMean: boolean): Value {
  const lengths = lengthsOf(value, node.context.batch);
  if (axes.includes(0)) throw new ModelFileError('expects pictures to stay apart, got a reduction over the batch');
  const remaining = (list: readonly (number | null)[]): (number | null)[] =>
    list.flatMap((one, axis) => (!axes.includes(axis) ? [one] : keepsAxes ? [null] : []));
  const over = axes.filter((axis) => lengths[axis] !== 1);
  if (over.length === 0) return { ...value, axes: remaining(value.axes) };
  const inOurs = axesInOrder(value);
  const kept = inOurs.filter((axis) => !axes.includes(axis));
  const reduced = inOurs.filter((axis) => axes.includes(axis));
  const picture = arranged(value, [...reduced, ...kept], node.context);
  const channels = sizeOf(kept.map((axis) => lengths[axis]));
  const isPicture = reduced.length === 2 && kept.length === 1;
  const pixels = isPicture
    ? picture
    : node.apply(
        new Reshape([sizeOf(reduced.map((axis) => lengths[axis])), 1, channels], { name: node.named('rows') }),
        picture,
      );
  const name = node.named();
  const layer = isMean ? new GlobalAveragePooling2D({ name }) : new GlobalMaxPooling2D({ name });
  const vector = node.apply(layer, pixels);
  const tensor =
    kept.length === 1
      ? vector
      : node.apply(
          new Reshape(kept.length === 0 ? [1] : kept.map((axis) => lengths[axis]), { name: node.named('columns') }),
          vector,
        );
  const { axes: own } = partOf(tensor, kept, lengths.length);
  return { tensor, axes: remaining(own), flattened: null };
}

const overPicture =
  (isMean: boolean): Operator =>
  (node) =>
    reduce(node, node.value(0, 4), [2, 3], true, isMean);

const overAxes =
  (isMean: boolean): Operator =>
  (node) => {
    const given = node.input(0);
    if (isConstant(given)) throw new ModelFileError('expects a value that depends on the pictures, got a constant');
    const { length } = given.axes;
    const listed = node.listOf('axes', 1);
    if ((!listed || listed.length === 0) && node.number('noop_with_empty_axes', 0) !== 0) return given;
    const all = Array.from({ length }, (_, axis) => axis);
    const axes = listed && listed.length > 0 ? listed.map((axis) => node.axis(axis, length)) : all;
    return reduce(node, given, [...new Set(axes)], node.number('keepdims', 1) !== 0, isMean);
  };

/** Part of a picture, or elements of a constant. */
function slice(node: NodeReader): Given {
  const given = node.input(0);
  const lengths = lengthsOfGiven(given, node.context.batch);
  const starts = node.listOf('starts', 1) ?? [];
  const ends = node.listOf('ends', 2) ?? [];
  const axes = (node.listOf('axes', 3) ?? starts.map((_, at) => at)).map((axis) => node.axis(axis, lengths.length));
  const steps = node.opset < 10 ? [] : (node.listOf('steps', 4) ?? []);
  if (ends.length !== starts.length || axes.length !== starts.length)
    throw new ModelFileError(
      `expected as many ends and axes as starts, got ${starts.length}, ${ends.length} and ${axes.length}`,
    );
  const ranges = lengths.map((length) => rangeOf(length, 0, length, 1));
  for (const [at, axis] of axes.entries()) {
    const step = steps[at] ?? 1;
    if (step !== 1 && !isConstant(given)) throw new ModelFileError(`expects steps of 1, got ${step}`);
    ranges[axis] = rangeOf(lengths[axis], starts[at], ends[at], step);
    if (ranges[axis].count === 0)
      throw new ModelFileError(
        `expects something to be left, got ${starts[at]} to ${ends[at]} of ${formatShape(lengths)}`,
      );
  }
  const cut = ranges.flatMap(({ count, step }, axis) => (count === lengths[axis] && step === 1 ? [] : [axis]));
  if (isConstant(given))
    return cut.reduce<Constant>((part, axis) => {
      const { first, count, step } = ranges[axis];
      const indices = Array.from({ length: count }, (_, at) => first + at * step);
      return node.context.folding.gathered(part, axis, indices, [count]);
    }, given);
  if (cut.length === 0) return given;
  if (cut.includes(0)) throw new ModelFileError('expects all pictures, got a part of the batch');
  const isPicture = given.axes.length === 4 && cut.every((axis) => axis >= 2);
  if (isPicture) {
    const sides = [2, 3].map((axis) => sidesOf(lengths[axis], ranges[axis]));
    const picture = arranged(given, CHANNELS_LAST, node.context);
    const layer = new Cropping2D({ name: node.named(), cropping: [sides[0], sides[1]] });
    return valueOf(node.apply(layer, picture), CHANNELS_LAST);
  }
  return cut.reduce<Value>(
    (value, axis) => alongRows(node, value, axis, (rows) => cropped(node, rows, ranges[axis])),
    given,
  );
}

interface Range {
  readonly first: number;
  readonly count: number;
  readonly step: number;
}

/** What a slice takes of an axis: negative starts and ends count from its end, a negative step goes backwards. */
function rangeOf(length: number, start: number, end: number, step: number): Range {
  if (!Number.isInteger(step) || step === 0) throw new ModelFileError(`expects steps other than 0, got ${step}`);
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
  const within = (place: number): number => Math.min(Math.max(place < 0 ? place + length : place, least), most);
  const first = within(start);
  return { first, count: Math.max(0, Math.ceil((within(end) - first) / step)), step };
}

/** What a range with steps of 1 leaves before it and behind it. */
const sidesOf = (length: number, { first, count }: Omit<Range, 'step'>): readonly [number, number] => [
  first,
  length - first - count,
];

/** Some rows of [H,W,C]. */
function cropped(node: NodeReader, rows: SymbolicTensor, range: Omit<Range, 'step'>): SymbolicTensor {
  const cropping = [sidesOf(rows.shape[0], range), [0, 0]] as const;
  return node.apply(new Cropping2D({ name: node.named(), cropping }), rows);
}

/** What is done along any axis but the batch, done along the rows of a picture [axis, others, 1]. */
function alongRows(
  node: NodeReader,
  value: Value,
  axis: number,
  change: (rows: SymbolicTensor) => SymbolicTensor,
): Value {
  const order = [axis, ...axesInOrder(value).filter((other) => other !== axis)];
  const first = arranged(value, order, node.context);
  const [length, ...others] = first.shape;
  const rows = [length, sizeOf(others), 1];
  const picture = sameShape(first.shape, rows)
    ? first
    : node.apply(new Reshape(rows, { name: node.named('rows') }), first);
  const changed = change(picture);
  const back = new Reshape([changed.shape[0], ...others], { name: node.named('back') });
  return partOf(sameShape(first.shape, rows) ? changed : node.apply(back, changed), order, value.axes.length);
}

const MOST_GATHERED = 64;

/** Elements of a constant; of a value some channels, say, in another order. */
function gather(node: NodeReader): Given {
  const given = node.input(0);
  const { data, shape } = node.constant(1);
  const lengths = lengthsOfGiven(given, node.context.batch);
  const axis = node.axis(node.number('axis', 0), lengths.length);
  if (isConstant(given)) return node.context.folding.gathered(given, axis, [...data], shape);
  if (axis === 0) throw new ModelFileError('expects all pictures, got a part of the batch');
  const indices = Array.from(data.subarray(0, MOST_GATHERED), (index) => (index < 0 ? index + lengths[axis] : index));
  if (
    data.length === 0 ||
    data.length > MOST_GATHERED ||
    !indices.every((index) => Number.isInteger(index) && index >= 0 && index < lengths[axis])
  )
    throw new ModelFileError(
      `expects 1 to ${MOST_GATHERED} indices below ${lengths[axis]}, got ${[...data.subarray(0, 8)].join(',')}`,
    );
  const taken = alongRows(node, given, axis, (rows) => {
    const parts = indices.map((index) => cropped(node, rows, { first: index, count: 1 }));
    return parts.length === 1
      ? parts[0]
      : node.apply(new Concatenate({ name: node.named('joined'), axis: 1 }), ...parts);
  });
  return underLengths(node, taken, [...lengths.slice(0, axis), ...shape, ...lengths.slice(axis + 1)]);
}

export const shapes: Readonly<Record<string, Operator>> = {
  Reshape: reshape,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Flatten: flatten,
  Slice: slice,
  GlobalAveragePool: overPicture(true),
  GlobalMaxPool: overPicture(false),
  ReduceMean: overAxes(true),
  ReduceMax: overAxes(false),
  Shape(node) {
    const lengths = lengthsOfGiven(node.input(0), node.context.batch);
    const place = (given: number): number =>
      Math.min(Math.max(given < 0 ? given + lengths.length : given, 0), lengths.length);
    return integers(lengths.slice(place(node.number('start', 0)), place(node.number('end', lengths.length))));
  },
  Gather: gather,
  ConstantOfShape(node) {
    const shape = [...node.constant(0).data];
    if (shape.length > 8 || !shape.every((length) => Number.isSafeInteger(length) && length >= 0))
      throw new ModelFileError(`expects at most 8 lengths, got ${formatShape(shape.slice(0, 9))}`);
    node.context.folding.take(sizeOf(shape));
    const value = node.tensor('value');
    const filled = new Float64Array(sizeOf(shape)).fill(value?.data[0] ?? 0);
    return { shape, data: value?.isInteger ? filled : Float32Array.from(filled), isInteger: value?.isInteger ?? false };
  },
  Constant(node) {
    const tensor = node.tensor('value');
    if (tensor) return tensor;
    if (node.has('value_float'))
      return { shape: [], data: Float32Array.of(node.number('value_float', 0)), isInteger: false };
    if (node.has('value_int')) return integers([node.number('value_int', 0)], []);
    if (node.has('value_ints')) return integers(node.integers('value_ints') ?? []);
    const list = node.integers('value_floats');
    if (list) return { shape: [list.length], data: Float32Array.from(list), isInteger: false };
    throw new ModelFileError('expects a tensor, numbers or one number, got another kind of constant');
  },
};
