/** Copying a box of one array to a place in another: what padding, cropping, concatenation and exchanging axes are made of. */
import { split } from '../../tensor/cpu/parts.js';
import { dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import type { BufferView, Dispatch, Numbers, WasmCall } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';

/** A box of shape `size`, at `start` in an array of shape `shape`. */
export interface Corner {
  readonly shape: Shape;
  readonly start: readonly number[];
  /** Distances in elements between neighbours along each axis; by default those of an array of this shape. */
  readonly steps?: readonly number[];
}

export const stepsOf = (shape: Shape): number[] => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));

/** Distances in elements between neighbours along each axis, and the offset of the box. */
function strides({ shape, start, steps = stepsOf(shape) }: Corner): { steps: readonly number[]; offset: number } {
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

/** Axes that a call's function counts along, before the run of neighbours. */
const COUNTED_AXES = 3;

/** The same as calls into the WebAssembly module: of runs as long as both arrays have them, along at most three axes at a time. */
export function copyBoxCalls(from: number, source: Corner, to: number, target: Corner, size: Shape): WasmCall[] {
  const [read, write] = [strides(source), strides(target)];
  /** Axes of the box, outermost first; neighbours that lie behind each other in both arrays are joined. */
  const axes: { length: number; read: number; write: number }[] = [];
  for (const [axis, length] of size.entries()) {
    const [step, place] = [read.steps[axis], write.steps[axis]];
    const outer = axes.at(-1);
    if (outer && outer.read === length * step && outer.write === length * place) {
      axes[axes.length - 1] = { length: outer.length * length, read: step, write: place };
    } else if (length > 1 || axis === size.length - 1) axes.push({ length, read: step, write: place });
  }
  const last = axes.at(-1);
  const run = last?.read === 1 && last.write === 1 ? (axes.pop()?.length ?? 1) : 1;
  while (axes.length < COUNTED_AXES) axes.unshift({ length: 1, read: 0, write: 0 });
  const outer = axes.slice(0, -COUNTED_AXES);
  const [first, second, third] = axes.slice(-COUNTED_AXES);
  const runs = first.length * second.length * third.length;
  const { parts, chunk } = split(runs, Math.ceil(4096 / run));
  const steps = [first.read, second.read, third.read, first.write, second.write, third.write];
  const calls: WasmCall[] = [];
  for (let index = 0; index < outer.reduce((product, { length }) => product * length, 1); index++) {
    let rest = index;
    let [at, place] = [read.offset, write.offset];
    for (const axis of outer.toReversed()) {
      at += (rest % axis.length) * axis.read;
      place += (rest % axis.length) * axis.write;
      rest = Math.floor(rest / axis.length);
    }
    calls.push({
      function: 'copyRuns',
      parts,
      arguments: [from + 4 * at, to + 4 * place, runs, chunk, second.length, third.length, run, ...steps],
    });
  }
  return calls;
}
