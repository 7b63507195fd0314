/** Reductions along axes see a tensor as [outer, length, inner]: neighbouring axes count as one. */
import { expectArray, expectNumber } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';

/** `count` neighbouring axes from `first` on. */
export interface AxisRange {
  readonly first: number;
  readonly count: number;
}

export function alongAxes(shape: Shape, { first, count }: AxisRange): { outer: number; length: number; inner: number } {
  return {
    outer: sizeOf(shape.slice(0, first)),
    length: sizeOf(shape.slice(first, first + count)),
    inner: sizeOf(shape.slice(first + count)),
  };
}

/** The axis, counted from the front. @throws ShapeError when there is none such */
export function resolveAxis(op: string, shape: Shape, axis: number): number {
  expectNumber(axis, `${op}: axis`);
  const resolved = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= shape.length)
    throw new ShapeError(
      `${op}: axis expects an integer from ${-shape.length} to ${shape.length - 1}, got ${axis} (x ${formatShape(shape)})`,
    );
  return resolved;
}

/** Ranges that together are these axes, last first. Default: all axes. @throws ShapeError for an axis that is not there */
export function axisRanges(op: string, shape: Shape, axes: number | readonly number[] | undefined): AxisRange[] {
  const given = axes === undefined ? shape.map((_, axis) => axis) : typeof axes === 'number' ? [axes] : axes;
  expectArray(given, `${op}: axis`);
  const sorted = [...new Set(given.map((axis) => resolveAxis(op, shape, axis)))].toSorted((a, b) => a - b);
  const ranges: AxisRange[] = [];
  for (const axis of sorted) {
    const last = ranges.at(-1);
    if (last && last.first + last.count === axis) ranges[ranges.length - 1] = { ...last, count: last.count + 1 };
    else ranges.push({ first: axis, count: 1 });
  }
  return ranges.toReversed();
}
