/** Operators of ONNX that slide windows over pictures, and padding. ONNX says it in numbers, or by name (`auto_pad`). */
import { ModelFileError } from '../../errors.js';
import { windowGeometry, type Padding, type Pair } from '../../kernels/shared/window.js';
import { Cropping2D, ZeroPadding2D } from '../../nn/layers/core.js';
import type { SymbolicTensor } from '../../nn/layers/layer.js';
import { AveragePooling2D, MaxPooling2D } from '../../nn/layers/pooling.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import type { Given, NodeReader, Operator } from './import-node.js';
import { arranged, CHANNELS_LAST, lengthsOf, valueOf } from './import-values.js';

export interface Window {
  readonly size: Pair;
  readonly strides: Pair;
  readonly dilation: Pair;
  /** By name where our names mean the same. */
  readonly padding: Padding;
}

/** @param size of the window @param picture [H,W,C] */
export function windowOf(node: NodeReader, size: Pair, picture: Shape): Window {
  const given = node.pair('kernel_shape', size);
  if (given.join() !== size.join())
    throw new ModelFileError(`attribute kernel_shape expects ${formatShape(size)}, got ${formatShape(given)}`);
  const strides = node.pair('strides', [1, 1]);
  const dilation = node.pair('dilations', [1, 1]);
  const [least, most] = [1, 4096];
  for (const pair of [size, strides, dilation])
    if (!pair.every((side) => Number.isInteger(side) && side >= least && side <= most))
      throw new ModelFileError(
        `expects windows, strides and dilations from ${least} to ${most}, got ${formatShape(pair)}`,
      );
  return { size, strides, dilation, padding: paddingOf(node, { size, strides, dilation }, picture) };
}

function paddingOf(node: NodeReader, window: Omit<Window, 'padding'>, picture: Shape): Padding {
  const automatic = node.text('auto_pad', 'NOTSET');
  const { size, strides, dilation } = window;
  const reach = (axis: 0 | 1): number => (size[axis] - 1) * dilation[axis] + 1;
  if (automatic === 'VALID') return 'valid';
  if (automatic === 'SAME_UPPER') return 'same';
  const along = (axis: 0 | 1, [before, after]: Pair): Pair => {
    if (automatic === 'SAME_LOWER') {
      const total = Math.max(
        (Math.ceil(picture[axis] / strides[axis]) - 1) * strides[axis] + reach(axis) - picture[axis],
        0,
      );
      return [Math.ceil(total / 2), Math.floor(total / 2)];
    }
    return [before, after];
  };
  if (automatic !== 'NOTSET' && automatic !== 'SAME_LOWER')
    throw new ModelFileError(
      `attribute auto_pad expects NOTSET, VALID, SAME_UPPER or SAME_LOWER, got '${automatic.slice(0, 40)}'`,
    );
  const pads = node.integers('pads') ?? [0, 0, 0, 0];
  if (pads.length !== 4 || !pads.every((side) => Number.isInteger(side) && side >= 0 && side <= 4096))
    throw new ModelFileError(`attribute pads expects four numbers from 0 to 4096, got ${pads.slice(0, 9).join(',')}`);
  const [top, left, bottom, right] = pads;
  const explicit = [along(0, [top, bottom]), along(1, [left, right])] as const;
  const ceil = node.number('ceil_mode', 0) !== 0;
  return named(window, ceil ? [ceiled(window, explicit, picture, 0), ceiled(window, explicit, picture, 1)] : explicit);
}

/** The padding after with which an incomplete last window counts, unless it begins behind the picture and its padding before. */
function ceiled(
  { size, strides, dilation }: Omit<Window, 'padding'>,
  padding: readonly [Pair, Pair],
  picture: Shape,
  axis: 0 | 1,
): Pair {
  const [before, after] = padding[axis];
  const reach = (size[axis] - 1) * dilation[axis] + 1;
  const whole = picture[axis] + before + after - reach;
  let last = Math.ceil(whole / strides[axis]);
  if (last * strides[axis] >= picture[axis] + before) last--;
  return [before, Math.max(after, last * strides[axis] + reach - picture[axis] - before)];
}

/** Numbers by name, where a name says the same for pictures of every size. */
function named({ size, strides, dilation }: Omit<Window, 'padding'>, explicit: readonly [Pair, Pair]): Padding {
  if (explicit.flat().every((side) => side === 0)) return 'valid';
  const isSame = explicit.every(([before, after], axis) => {
    const total = (size[axis] - 1) * dilation[axis];
    return strides[axis] === 1 && before === Math.floor(total / 2) && before + after === total;
  });
  return isSame ? 'same' : explicit;
}

/** A frame of one value around a picture. */
export function padded(
  node: NodeReader,
  picture: SymbolicTensor,
  padding: readonly [Pair, Pair],
  value = 0,
): SymbolicTensor {
  const layer = new ZeroPadding2D({ name: node.named('pad'), padding, value });
  return node.apply(layer, picture);
}

function pool(node: NodeReader, kind: 'MaxPool' | 'AveragePool'): Given {
  const picture = arranged(node.value(0, 4), CHANNELS_LAST, node.context);
  const size = node.integers('kernel_shape') ?? [];
  if (size.length !== 2)
    throw new ModelFileError(`attribute kernel_shape expects two integers, got ${size.slice(0, 9).join(',')}`);
  if (node.pair('dilations', [1, 1]).some((step) => step !== 1))
    throw new ModelFileError(
      `attribute dilations expects 1 for pools, got ${node.pair('dilations', [1, 1]).join(',')}`,
    );
  node.only('storage_order', 0, 'rows first');
  const { strides, padding } = windowOf(node, size as [number, number], picture.shape);
  const common = { poolSize: size as [number, number], strides };
  if (kind === 'MaxPool')
    return valueOf(node.apply(new MaxPooling2D({ name: node.named(), ...common, padding }), picture), CHANNELS_LAST);
  const counted = node.number('count_include_pad', 0) !== 0 ? node.integers('pads') : undefined;
  if (
    !counted ||
    counted.every((side) => side === 0) ||
    (typeof padding === 'string' && node.text('auto_pad', 'NOTSET') !== 'NOTSET')
  )
    return valueOf(
      node.apply(new AveragePooling2D({ name: node.named(), ...common, padding }), picture),
      CHANNELS_LAST,
    );
  // padding that counts is part of the picture; what only completes the last window does not count
  const [top, left, bottom, right] = counted;
  const larger = padded(node, picture, [
    [top, bottom],
    [left, right],
  ]);
  const { outputHeight, outputWidth } = windowGeometry('AveragePool', [1, ...picture.shape], {
    size: common.poolSize,
    strides,
    dilation: [1, 1],
    padding,
  });
  const beyond = (axis: 0 | 1, count: number): Pair => [
    0,
    Math.max((count - 1) * strides[axis] + size[axis] - larger.shape[axis], 0),
  ];
  const rest = [beyond(0, outputHeight), beyond(1, outputWidth)] as const;
  const isWhole = rest.every(([, after]) => after === 0);
  const layer = new AveragePooling2D({ name: node.named(), ...common, padding: isWhole ? 'valid' : rest });
  return valueOf(node.apply(layer, larger), CHANNELS_LAST);
}

function pad(node: NodeReader): Given {
  const value = node.value(0);
  node.only('mode', 'constant', 'a frame of one value');
  const lengths = lengthsOf(value, node.context.batch);
  const { length } = lengths;
  const listed = node.listOf('pads', 1) ?? [];
  const axes = (node.opset >= 18 ? node.listOf('axes', 3) : null)?.map((axis) => node.axis(axis, length));
  const fill = (node.opset < 11 ? node.number('value', 0) : node.scalar(2)) ?? 0;
  const over = axes ?? lengths.map((_, axis) => axis);
  if (listed.length !== 2 * over.length || !listed.every((side) => Number.isInteger(side) && Math.abs(side) <= 4096))
    throw new ModelFileError(`expects ${2 * over.length} pads of at most 4096, got ${listed.slice(0, 9).join(',')}`);
  const sides = lengths.map((_, axis): Pair => {
    const at = over.lastIndexOf(axis);
    return at < 0 ? [0, 0] : [listed[at], listed[at + over.length]];
  });
  const moved = sides.flatMap(([before, after], axis) => (before === 0 && after === 0 ? [] : [axis]));
  if (moved.length === 0) return value;
  const spatial =
    length === 4
      ? [moved.every((axis) => axis >= 2) && [2, 3], moved.every((axis) => axis === 1 || axis === 2) && [1, 2]].find(
          Array.isArray,
        )
      : undefined;
  if (!spatial)
    throw new ModelFileError(
      `expects to pad rows and columns of a picture, got axes ${moved.join(',')} of ${formatShape(lengths)}`,
    );
  const order = [...spatial, spatial[0] === 2 ? 1 : 3];
  let picture = arranged(value, order, node.context);
  const [rows, columns] = [sides[spatial[0]], sides[spatial[1]]];
  const part = (sign: 1 | -1): readonly [Pair, Pair] => {
    const only = ([before, after]: Pair): Pair => [Math.max(sign * before, 0), Math.max(sign * after, 0)];
    return [only(rows), only(columns)];
  };
  if (
    part(-1)
      .flat()
      .some((side) => side > 0)
  )
    picture = node.apply(new Cropping2D({ name: node.named('crop'), cropping: part(-1) }), picture);
  if (
    part(1)
      .flat()
      .some((side) => side > 0)
  ) {
    if (!Number.isFinite(fill)) throw new ModelFileError(`expects a finite value to pad with, got ${fill}`);
    picture = node.apply(new ZeroPadding2D({ name: node.named(), padding: part(1), value: fill || 0 }), picture); // not −0
  }
  return valueOf(picture, order);
}

export const windows: Readonly<Record<string, Operator>> = {
  MaxPool: (node) => pool(node, 'MaxPool'),
  AveragePool: (node) => pool(node, 'AveragePool'),
  Pad: pad,
};
