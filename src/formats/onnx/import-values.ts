/**
 * Values of a network while an ONNX graph is read. ONNX has channels first and moves axes about freely; we compute with channels last.
 * So a value is what one of our layers gives, and which axes of it the file's axes are: Transpose, Squeeze and Unsqueeze, and Reshape
 * as far as only lengths of 1 come or go, change that list and cost nothing. Where an operator needs a layout, `arranged` makes it.
 */
import { ModelFileError } from '../../errors.js';
import { Flatten, Permute, Reshape } from '../../nn/layers/core.js';
import type { Layer, SymbolicTensor } from '../../nn/layers/layer.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../../tensor/shape.js';

export interface Value {
  /** Without the batch axis. */
  readonly tensor: SymbolicTensor;
  /** Of each axis of the file's value the axis of ours, 0 being the batch; null for one of length 1 that ours does not have. */
  readonly axes: readonly (number | null)[];
  /** For a vector that was a picture: its shape, and the axes of that in the order in which the file flattens them. */
  readonly flattened: { readonly shape: Shape; readonly axes: readonly number[] } | null;
}

/** Applies a layer of the node that is being read. */
export type Apply = (layer: Layer, inputs: readonly SymbolicTensor[]) => SymbolicTensor;

/** Makes a name for another layer of the node that is being read. */
export type NameLayer = (purpose: string) => string;

export interface Tools {
  readonly apply: Apply;
  readonly named: NameLayer;
  /** What stands for the batch in shapes: its length, where the file fixes it, or 1. */
  readonly batch: number;
}

export const isValue = (value: object): value is Value => 'tensor' in value;

/** Channels last of four axes [N,C,H,W]. */
export const CHANNELS_LAST = [2, 3, 1] as const;

export const lengthsOf = ({ tensor, axes }: Value, batch: number): number[] =>
  axes.map((axis) => (axis === null ? 1 : axis === 0 ? batch : tensor.shape[axis - 1]));

/** The file's axes that ours has too, in our order, without the batch. */
export const axesInOrder = ({ axes }: Value): number[] =>
  axes.flatMap((own, at) => (at === 0 || own === null ? [] : [at])).toSorted((a, b) => axes[a]! - axes[b]!);

/** What a layer gives whose axes are some of the file's `rank`, in this order; the others are of length 1. */
export const partOf = (tensor: SymbolicTensor, order: readonly number[], rank: number): Value => ({
  tensor,
  axes: Array.from({ length: rank }, (_, at) => (at === 0 ? 0 : order.includes(at) ? order.indexOf(at) + 1 : null)),
  flattened: null,
});

/** What a layer gives whose axes are all of the file's after the batch, in this order. */
export const valueOf = (tensor: SymbolicTensor, order: readonly number[]): Value =>
  partOf(tensor, order, order.length + 1);

/** @throws ModelFileError unless the batch is the first axis, as in the input */
export function checkBatch({ axes }: Value): void {
  if (axes[0] === 0) return;
  throw new ModelFileError(`expects the batch to stay the first axis, got it at ${axes.indexOf(0)}`);
}

/**
 * The value as a tensor with the file's axes in a given order, without the batch: [2, 3, 1] for channels last.
 * @param order all axes of the file's value but those of length 1
 */
export function arranged(value: Value, order: readonly number[], tools: Tools): SymbolicTensor {
  checkBatch(value);
  if (value.flattened) return arranged(unfolded(value, tools), order, tools);
  const { tensor, axes } = value;
  const lengths = order.map((axis) => lengthsOf(value, 1)[axis]);
  const sequence = order.flatMap((axis) => axes[axis] ?? []).filter((axis) => tensor.shape[axis - 1] !== 1);
  const own = tensor.shape.flatMap((length, axis) => (length === 1 ? [] : [axis + 1]));
  if (sequence.length !== own.length)
    throw new ModelFileError(
      `expects axes ${order.join(',')} and others of length 1, got ${formatShape(lengthsOf(value, tools.batch))}`,
    );
  let turned = tensor;
  if (sequence.some((axis, at) => axis !== own[at])) {
    const rest = tensor.shape.flatMap((length, axis) => (length === 1 ? [axis + 1] : []));
    turned = tools.apply(new Permute([...sequence, ...rest], { name: tools.named('permute') }), [tensor]);
  }
  if (sameShape(turned.shape, lengths)) return turned;
  return tools.apply(new Reshape(lengths, { name: tools.named('reshape') }), [turned]);
}

/** A flattened vector in the file's order. */
function unfolded({ tensor, axes, flattened }: Value, tools: Tools): Value {
  const { shape, axes: order } = flattened!;
  const picture = tools.apply(new Reshape(shape, { name: tools.named('unflatten') }), [tensor]);
  const turned = tools.apply(new Permute(order, { name: tools.named('permute') }), [picture]);
  return { tensor: tools.apply(new Flatten({ name: tools.named('flatten') }), [turned]), axes, flattened: null };
}

/** A vector in our own order, and where element i of the file's lies in it; null where the two are the same. */
export function vectorOf(value: Value, tools: Tools): { tensor: SymbolicTensor; order: Uint32Array | null } {
  const { tensor, flattened, axes } = value;
  checkBatch(value);
  if (axes.length !== 2)
    throw new ModelFileError(`expects a vector for each picture, got ${formatShape(lengthsOf(value, tools.batch))}`);
  if (!flattened) return { tensor: arranged(value, [1], tools), order: null };
  return { tensor, order: orderOf(flattened) };
}

function orderOf({ shape, axes }: NonNullable<Value['flattened']>): Uint32Array {
  const strides = axes.map((axis) => sizeOf(shape.slice(axis)));
  const lengths = axes.map((axis) => shape[axis - 1]);
  return Uint32Array.from({ length: sizeOf(shape) }, (_, at) => {
    let [rest, place] = [at, 0];
    for (let i = axes.length - 1; i >= 0; i--) {
      place += (rest % lengths[i]) * strides[i];
      rest = Math.floor(rest / lengths[i]);
    }
    return place;
  });
}

/** The value under other lengths. @param lengths with the batch */
export function reshaped(value: Value, lengths: readonly number[], tools: Tools): Value {
  checkBatch(value);
  const before = lengthsOf(value, tools.batch);
  const given = `got ${formatShape(lengths)} of ${formatShape(before)}`;
  if (sizeOf(before) !== sizeOf(lengths)) throw new ModelFileError(`expected as many elements as before, ${given}`);
  if (lengths[0] !== before[0]) throw new ModelFileError(`expects the batch to stay the first axis, ${given}`);
  const long = value.axes.filter((_, at) => at > 0 && before[at] !== 1);
  const wanted = lengths.slice(1).filter((length) => length !== 1);
  const isSame =
    long.length === wanted.length &&
    before
      .slice(1)
      .filter((length) => length !== 1)
      .join() === wanted.join();
  if (isSame) {
    let next = 0;
    return { ...value, axes: lengths.map((length, at) => (at === 0 ? 0 : length === 1 ? null : long[next++])) };
  }
  if (wanted.length <= 1 && !value.flattened) {
    const { tensor } = value;
    const vector = tensor.shape.length === 1 ? tensor : tools.apply(new Flatten({ name: tools.named('') }), [tensor]);
    const order = long.filter((axis) => axis !== null);
    const isTurned = order.some((axis, at) => at > 0 && axis < order[at - 1]);
    const axes = lengths.map((length, at) => (at === 0 ? 0 : length === 1 ? null : 1));
    // axes of length 1 may stand anywhere
    const rest = tensor.shape.flatMap((length, axis) => (length === 1 ? [axis + 1] : []));
    return { tensor: vector, axes, flattened: isTurned ? { shape: tensor.shape, axes: [...order, ...rest] } : null };
  }
  const all = Array.from({ length: before.length - 1 }, (_, at) => at + 1);
  const tensor = arranged(value, all, tools);
  const target = lengths.length === 1 ? [1] : lengths.slice(1);
  return {
    tensor: tools.apply(new Reshape(target, { name: tools.named('') }), [tensor]),
    axes: lengths.map((_, at) => at),
    flattened: null,
  };
}
