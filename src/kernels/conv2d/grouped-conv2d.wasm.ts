/** Convolution in groups on the CPU device: depthwise in `wasm/depthwise.ts`, other groups as small convolutions. */
import type { Plan, WasmCall } from '../../tensor/kernel.js';
import { split } from '../../tensor/cpu/parts.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { floats } from '../shared/wasm-parts.js';
import { forwardCalls, inputGradientCalls, weightGradientCalls } from './conv2d.wasm.js';
import type { GroupedShape } from './convolution-shape.js';
import { AXIS_BYTES, axisCalls, bandOf, forwardAxes, inputGradientAxes, type Axis } from './windows.wasm.js';

/** Groups of one input channel with fewer outputs than this are depthwise; the others would leave a tile empty. */
const DEPTHWISE_OUTPUTS = 8;

const isDepthwise = ({ inputs, outputs }: GroupedShape): boolean => inputs === 1 && outputs < DEPTHWISE_OUTPUTS;

interface DepthwisePlan {
  readonly axes: [Axis, Axis];
  /** How often each channel of the source is repeated, and how many neighbours of the target are summed. */
  readonly repeat?: number;
  readonly sumOf?: number;
  readonly activation?: FusedActivation;
}

function depthwiseCalls(
  { batch, outputChannels: channels }: GroupedShape,
  { axes, repeat = 1, sumOf = 1, activation = 'linear' }: DepthwisePlan,
): Plan<number, WasmCall> {
  const [rows, columns] = axes;
  const band = bandOf(axes, channels);
  const lines = batch * rows.outputs;
  const { parts, chunk } = split(lines);
  const longLine = sumOf > 1 ? floats(columns.outputs * channels) + 32 : 0;
  return {
    scratch: [2 * AXIS_BYTES],
    workspace: 8 * rows.taps * columns.taps + longLine + band.bytes,
    steps: ({ inputs: [source, weight, bias = 0], outputs: [target] }, [at]) => [
      ...axisCalls(at, axes),
      {
        function: 'depthwise',
        parts,
        arguments: [
          source,
          weight,
          bias,
          target,
          at,
          at + AXIS_BYTES,
          lines,
          channels,
          repeat,
          sumOf,
          Number(activation === 'relu'),
          chunk,
          band.lines,
        ],
      },
    ],
  };
}

/** x, w, b? → y */
export function groupedForwardCalls(shape: GroupedShape, activation: FusedActivation): Plan<number, WasmCall> {
  if (!isDepthwise(shape)) return forwardCalls(shape, activation);
  return depthwiseCalls(shape, { axes: forwardAxes(shape), repeat: shape.outputs, activation });
}

/** dz, w → dx */
export function groupedInputGradientCalls(shape: GroupedShape): Plan<number, WasmCall> {
  if (!isDepthwise(shape)) return inputGradientCalls(shape);
  return depthwiseCalls(shape, { axes: inputGradientAxes(shape), sumOf: shape.outputs });
}

/** x, dz → dw */
export function groupedWeightGradientCalls(shape: GroupedShape): Plan<number, WasmCall> {
  if (!isDepthwise(shape)) return weightGradientCalls(shape);
  const { batch, outputChannels: channels, outputs: repeat } = shape;
  const axes = forwardAxes(shape);
  const [rows, columns] = axes;
  const taps = rows.taps * columns.taps;
  const band = bandOf(axes, channels);
  const lines = batch * rows.outputs;
  const { parts, chunk } = split(lines);
  return {
    scratch: [2 * AXIS_BYTES, floats(parts * taps * Math.ceil(channels / 4) * 4)],
    workspace: band.bytes,
    steps: ({ inputs: [x, dz], outputs: [dw] }, [at, slices]) => [
      ...axisCalls(at, axes),
      {
        function: 'depthwiseWeightGradient',
        parts,
        arguments: [x, dz, slices, at, at + AXIS_BYTES, lines, channels, repeat, chunk, band.lines],
      },
      { function: 'finishDepthwiseWeightGradient', parts: taps, arguments: [slices, dw, parts, taps, channels] },
    ],
  };
}
