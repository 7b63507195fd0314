/** Convolution, whole or in groups, on the CPU device: direct, over bands of the picture (`wasm/convolution.ts`). */
import type { Plan, WasmCall } from '../../tensor/kernel.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { split } from '../../tensor/cpu/parts.js';
import { ceil8, TILE_BYTES, floats, sumSlicesCall } from '../shared/wasm-parts.js';
import { flat, type GroupedShape } from './convolution-shape.js';
import {
  AXIS_BYTES,
  axisCalls,
  bandOf,
  forwardAxes,
  inputGradientAxes,
  type Axis,
  type WindowSum,
} from './windows.wasm.js';
import {
  gradientTakesWinograd,
  stridedWinogradCalls,
  takesStridedWinograd,
  takesWinograd,
  winogradCalls,
  winogradGradientCalls,
} from './winograd.wasm.js';

/** Parts of the channels that a weight gradient is split into, where its slices are few because they are large. */
const WORTHWHILE_PARTS = 16;
/** Most bytes that the slices of a weight gradient take together. */
const SLICE_BYTES = 2 ** 23;
/** Pixels whose products are summed in registers: their values stay in a first-level cache. */
const PIXELS = 128;

const windowCalls = (
  at: number,
  offsets: number,
  axes: readonly [Axis, Axis],
  channels: number,
  inputs: number,
): WasmCall[] => [
  ...axisCalls(at, axes),
  { function: 'windowOffsets', parts: 1, arguments: [offsets, at, at + AXIS_BYTES, channels, inputs] },
];

function sumCalls(sum: WindowSum): Plan<number, WasmCall> {
  if (takesWinograd(sum)) return winogradCalls(sum);
  if (takesStridedWinograd(sum)) return stridedWinogradCalls(sum);
  const { batch, axes, groups, inputs, outputs, weightStrides, activation } = sum;
  const [rows, columns] = axes;
  const taps = rows.taps * columns.taps;
  const band = bandOf(axes, groups * inputs);
  const lines = batch * rows.outputs;
  const { parts, chunk } = split(lines);
  return {
    scratch: [2 * AXIS_BYTES + floats(taps * inputs), floats(taps * inputs * groups * ceil8(outputs))],
    workspace: band.bytes,
    steps: ({ inputs: [source, weight, bias = 0], outputs: [target] }, [at, packed]) => {
      const offsets = at + 2 * AXIS_BYTES;
      return [
        ...windowCalls(at, offsets, axes, groups * inputs, inputs),
        {
          function: 'packWindows',
          parts: (groups * ceil8(outputs)) / 8,
          arguments: [packed, weight, at, at + AXIS_BYTES, groups, inputs, outputs, ...weightStrides],
        },
        {
          function: 'convolve',
          parts,
          arguments: [
            source,
            packed,
            bias,
            target,
            at,
            at + AXIS_BYTES,
            offsets,
            lines,
            groups,
            inputs,
            outputs,
            Number(activation === 'relu'),
            chunk,
            band.lines,
          ],
        },
      ];
    },
  };
}

export function forwardSum(shape: GroupedShape, activation: FusedActivation): WindowSum {
  const { batch, groups, inputs, outputs } = shape;
  const weightStrides = [groups * outputs, 1, outputs] as const;
  return { batch, axes: forwardAxes(shape), groups, inputs, outputs, weightStrides, activation };
}

/** x, w, b? → y */
export const forwardCalls = (shape: GroupedShape, activation: FusedActivation): Plan<number, WasmCall> =>
  sumCalls(forwardSum(flat(shape), activation));

/** dz, w → dx: a sum over windows of dz with the weights' channels exchanged. */
export function inputGradientCalls(given: GroupedShape): Plan<number, WasmCall> {
  const shape = flat(given);
  const { batch, groups, inputs, outputs } = shape;
  return sumCalls({
    batch,
    axes: inputGradientAxes(shape),
    groups,
    inputs: outputs,
    outputs: inputs,
    weightStrides: [1, groups * outputs, outputs],
    activation: 'linear',
  });
}

/** x, dz → dw: products by slices of the lines, their sum. */
export function weightGradientCalls(given: GroupedShape): Plan<number, WasmCall> {
  const shape = flat(given);
  const { batch, groups, inputs, outputs } = shape;
  const axes = forwardAxes(shape);
  if (gradientTakesWinograd({ batch, axes, groups, inputs, outputs })) return winogradGradientCalls(shape);
  const [rows, columns] = axes;
  const depth = rows.taps * columns.taps * inputs;
  const bandLines = Math.max(1, Math.min(rows.outputs, Math.floor(PIXELS / columns.outputs)));
  const lines = batch * rows.outputs;
  const sliceBytes = floats(depth * groups * outputs);
  const affordable = Math.max(1, Math.floor(SLICE_BYTES / sliceBytes));
  const { parts: slices, chunk } = split(lines, Math.max(2 * bandLines, Math.ceil(lines / affordable)));
  const panels = groups * (ceil8(outputs) / 8);
  const panelChunk = Math.ceil(panels / Math.min(panels, Math.ceil(WORTHWHILE_PARTS / slices)));
  const parts = slices * Math.ceil(panels / panelChunk);
  const band = bandOf(axes, groups * inputs, bandLines);
  return {
    scratch: [2 * AXIS_BYTES + floats(depth), slices > 1 ? slices * sliceBytes : 0],
    workspace: TILE_BYTES + floats(9 * bandLines * columns.outputs) + band.bytes,
    steps: ({ inputs: [x, dz], outputs: [dw] }, [at, sums]) => {
      const offsets = at + 2 * AXIS_BYTES;
      return [
        ...windowCalls(at, offsets, axes, groups * inputs, inputs),
        {
          function: 'convolutionWeightGradient',
          parts,
          arguments: [
            x,
            dz,
            slices > 1 ? sums : dw,
            at,
            at + AXIS_BYTES,
            offsets,
            lines,
            groups,
            inputs,
            outputs,
            chunk,
            slices,
            panelChunk,
            band.lines,
          ],
        },
        ...(slices > 1 ? [sumSlicesCall(sums, slices, dw, depth, groups * outputs)] : []),
      ];
    },
  };
}
