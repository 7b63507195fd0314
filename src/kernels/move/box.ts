/** Copying a box of one array to a place in another: what padding, cropping and concatenation are made of. */
import { dispatchThreads, ENTRY, type BufferView, type Dispatch, type Numbers } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';

/** A box of shape `size`, at `start` in an array of shape `shape`. */
export interface Corner {
  readonly shape: Shape;
  readonly start: readonly number[];
}

/** Distances in elements between neighbours along each axis, and the offset of the box. */
function strides({ shape, start }: Corner): { steps: number[]; offset: number } {
  const steps = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  return { steps, offset: start.reduce((sum, at, axis) => sum + at * steps[axis], 0) };
}

export function copyBox(from: Numbers, source: Corner, to: Numbers, target: Corner, size: Shape): void {
  const [read, write] = [strides(source), strides(target)];
  for (let index = 0; index < sizeOf(size); index++) {
    let rest = index;
    let [at, place] = [read.offset, write.offset];
    for (let axis = size.length - 1; axis >= 0; axis--) {
      const coordinate = rest % size[axis];
      rest = Math.floor(rest / size[axis]);
      at += coordinate * read.steps[axis];
      place += coordinate * write.steps[axis];
    }
    to[place] = from[at];
  }
}

const shader = (rank: number): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> target_values: array<f32>;
override READ_OFFSET: u32;
override WRITE_OFFSET: u32;
${Array.from({ length: rank }, (_, axis) => `override SIZE_${axis}: u32; override READ_${axis}: u32; override WRITE_${axis}: u32;`).join('\n')}
${ENTRY}
  var rest = index;
  var at = READ_OFFSET;
  var place = WRITE_OFFSET;
  ${Array.from({ length: rank }, (_, i) => rank - 1 - i)
    .map(
      (axis) => `at += rest % SIZE_${axis} * READ_${axis};
  place += rest % SIZE_${axis} * WRITE_${axis};
  rest /= SIZE_${axis};`,
    )
    .join('\n  ')}
  target_values[place] = source[at];
}`;

/** The same as one dispatch. */
export function copyBoxDispatch(
  from: BufferView,
  source: Corner,
  to: BufferView,
  target: Corner,
  size: Shape,
): Dispatch {
  const [read, write] = [strides(source), strides(target)];
  return dispatchThreads(shader(size.length), sizeOf(size), [from, to], {
    READ_OFFSET: read.offset,
    WRITE_OFFSET: write.offset,
    ...Object.fromEntries(
      size.flatMap((length, axis) => [
        [`SIZE_${axis}`, length],
        [`READ_${axis}`, read.steps[axis]],
        [`WRITE_${axis}`, write.steps[axis]],
      ]),
    ),
  });
}
