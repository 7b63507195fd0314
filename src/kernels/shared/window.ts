/** Geometry of windows that slide over a picture: shared by convolution and pooling. */
import { expectArray } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { formatShape, type Shape } from '../../tensor/shape.js';

export type Pair = readonly [number, number];
/** By name, or [top, bottom] and [left, right]. */
export type Padding = 'valid' | 'same' | readonly [Pair, Pair];

export interface WindowAttributes {
  /** Rows and columns of the window. */
  readonly size: Pair;
  readonly strides: Pair;
  readonly dilation: Pair;
  readonly padding: Padding;
}

/** Where windows lie over a picture [height, width]: `top` and `left` rows and columns of padding come before it. */
export interface WindowGeometry {
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly top: number;
  readonly left: number;
}

/**
 * 'valid' drops incomplete windows. 'same' gives ceil(input / stride) outputs; the odd row or column of padding comes
 * at the end, as in TensorFlow (tensorflow.org, tf.nn: "notes on padding"). In numbers, incomplete windows are dropped as well; each
 * side is smaller than the window, so that every window sees a part of the picture.
 *
 * @param op names the operation in errors
 * @param x shape [N,H,W,C]
 */
export function windowGeometry(
  op: string,
  x: Shape,
  { size, strides, dilation, padding }: WindowAttributes,
): WindowGeometry {
  if (x.length !== 4) throw new ShapeError(`${op}: x expects [N,H,W,C], got ${formatShape(x)}`);
  for (const [name, pair] of Object.entries({ size, strides, dilation })) {
    expectArray(pair, `${op}: ${name}`);
    if (pair.length !== 2 || !pair.every((value) => Number.isInteger(value) && value >= 1)) {
      throw new ShapeError(`${op}: ${name} expects two integers of at least 1, got ${formatShape(pair)}`);
    }
  }
  const along = (axis: 0 | 1): { count: number; before: number } => {
    const input = x[axis + 1];
    const reach = (size[axis] - 1) * dilation[axis] + 1;
    if (padding === 'valid') return { count: Math.floor((input - reach) / strides[axis]) + 1, before: 0 };
    if (padding !== 'same') {
      if (!Array.isArray(padding) || !Array.isArray(padding[axis]))
        throw new ShapeError(`${op}: padding expects 'valid', 'same' or [[top, bottom], [left, right]], got others`);
      const [before, after] = padding[axis] as Pair;
      if (![before, after].every((side) => Number.isInteger(side) && side >= 0 && side < reach))
        throw new ShapeError(
          `${op}: padding expects integers from 0 to below the window's ${reach}, got ${formatShape(padding[axis])}`,
        );
      return { count: Math.floor((input + before + after - reach) / strides[axis]) + 1, before };
    }
    const count = Math.ceil(input / strides[axis]);
    return { count, before: Math.floor(Math.max((count - 1) * strides[axis] + reach - input, 0) / 2) };
  };
  const rows = along(0);
  const columns = along(1);
  if (rows.count < 1 || columns.count < 1) {
    throw new ShapeError(
      `${op}: a window of ${formatShape(size)} does not fit into x ${formatShape(x)}; use larger pictures, fewer layers or padding 'same'`,
    );
  }
  return { outputHeight: rows.count, outputWidth: columns.count, top: rows.before, left: columns.before };
}

/** Values of WINDOW_CONSTANTS, for shaders that pool. */
export function windowConstants(op: string, x: Shape, window: WindowAttributes): Record<string, number> {
  const { outputHeight, outputWidth, top, left } = windowGeometry(op, x, window);
  return {
    HEIGHT: x[1],
    WIDTH: x[2],
    CHANNELS: x[3],
    OUTPUT_HEIGHT: outputHeight,
    OUTPUT_WIDTH: outputWidth,
    WINDOW_HEIGHT: window.size[0],
    WINDOW_WIDTH: window.size[1],
    STRIDE_HEIGHT: window.strides[0],
    STRIDE_WIDTH: window.strides[1],
    TOP: top,
    LEFT: left,
  };
}

export const WINDOW_CONSTANTS = Object.keys(
  windowConstants('', [1, 1, 1, 1], { size: [1, 1], strides: [1, 1], dilation: [1, 1], padding: 'valid' }),
)
  .map((name) => `override ${name}: u32;`)
  .join('\n');
