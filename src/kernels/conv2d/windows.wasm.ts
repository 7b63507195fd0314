/** Axes and bands of convolutions on the CPU device: what `wasm/window.ts` is told. */
import type { WasmCall } from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { floats } from '../shared/wasm-parts.js';
import type { ConvolutionShape } from './convolution-shape.js';

/** One axis, as the class of that name in `wasm/window.ts`. */
export interface Axis {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly stride: number;
  readonly divisor: number;
  readonly dilation: number;
  readonly shift: number;
  readonly before: number;
  readonly after: number;
}

/** A sum over windows of a picture with `groups · inputs` channels: a convolution, or the input gradient of one. */
export interface WindowSum {
  readonly batch: number;
  readonly axes: readonly [Axis, Axis];
  readonly groups: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Floats between the weights of neighbouring inputs, outputs and groups of one tap. */
  readonly weightStrides: readonly [number, number, number];
  readonly activation: FusedActivation;
}

const lowestInput = ({ taps, divisor, dilation, shift }: Omit<Axis, 'before' | 'after'>): number =>
  Math.floor((Math.min(0, (taps - 1) * dilation) + shift) / divisor);

const highestInput = (
  { taps, stride, divisor, dilation, shift }: Omit<Axis, 'before' | 'after'>,
  output: number,
): number => Math.floor((output * stride + Math.max(0, (taps - 1) * dilation) + shift) / divisor);

const withBorder = (axis: Omit<Axis, 'before' | 'after'>): Axis => ({
  ...axis,
  before: Math.max(0, -lowestInput(axis)),
  after: Math.max(0, highestInput(axis, axis.outputs - 1) - axis.inputs + 1),
});

/** Rows and columns of a convolution. */
export function forwardAxes(shape: ConvolutionShape): [Axis, Axis] {
  const { size, strides, dilation } = shape.window;
  const along = (axis: 0 | 1, inputs: number, outputs: number, before: number): Axis =>
    withBorder({
      inputs,
      outputs,
      taps: size[axis],
      stride: strides[axis],
      divisor: 1,
      dilation: dilation[axis],
      shift: -before,
    });
  return [along(0, shape.height, shape.outputHeight, shape.top), along(1, shape.width, shape.outputWidth, shape.left)];
}

/** Those of its input gradient, which is a sum over windows of dz. */
export function inputGradientAxes(shape: ConvolutionShape): [Axis, Axis] {
  const { size, strides, dilation } = shape.window;
  const along = (axis: 0 | 1, inputs: number, outputs: number, before: number): Axis =>
    withBorder({
      inputs,
      outputs,
      taps: size[axis],
      stride: 1,
      divisor: strides[axis],
      dilation: -dilation[axis],
      shift: before,
    });
  return [along(0, shape.outputHeight, shape.height, shape.top), along(1, shape.outputWidth, shape.width, shape.left)];
}

/** Bytes of an axis in memory. */
export const AXIS_BYTES = 36;

/** Writes both axes to scratch memory of 2 · AXIS_BYTES; rows come first. */
export const axisCalls = (to: number, axes: readonly [Axis, Axis]): WasmCall[] =>
  axes.map(({ inputs, outputs, taps, stride, divisor, dilation, shift, before, after }, index) => ({
    function: 'windowAxis',
    parts: 1,
    arguments: [to + index * AXIS_BYTES, inputs, outputs, taps, stride, divisor, dilation, shift, before, after],
  }));

/** Bytes of a band of source rows, with their border, that are worked on at a time: they stay in a second-level cache. */
const BAND_BYTES = 131072;

/** Lines of output that are worked on at a time, and the memory of the rows that they see. */
export function bandOf(
  [rows, columns]: readonly [Axis, Axis],
  channels: number,
  mostLines = rows.outputs,
): { lines: number; bytes: number } {
  const rowBytes = floats((columns.before + columns.inputs + columns.after) * channels);
  const bytesOf = (lines: number): number =>
    rowBytes * (Math.ceil(((lines - 1) * rows.stride + (rows.taps - 1) * Math.abs(rows.dilation)) / rows.divisor) + 1);
  let lines = 1;
  while (lines < mostLines && bytesOf(lines + 1) <= BAND_BYTES) lines++;
  return { lines, bytes: bytesOf(lines) };
}
