/** 3×3 convolutions and their input gradients in Winograd's way on the CPU device: `wasm/winograd-four.ts`. */
import type { Plan, WasmCall } from '../../tensor/kernel.js';
import { split } from '../../tensor/cpu/parts.js';
import { ceil8, floats } from '../shared/wasm-parts.js';
import type { WindowSum } from './windows.wasm.js';

/** Below so many channels on either side the transforms cost what the products save. */
const LEAST_CHANNELS = 12;
/** Positions of a transformed patch of 6×6. */
const POSITIONS = 36;
/** Bytes of the transforms that are worked on at a time: they stay in a second-level cache, beside some of the weights. */
const BLOCK_BYTES = 262144;
const MOST_PATCHES = 32;

/** Chosen by shape alone, so that a picture's bits do not depend on its batch. */
export const takesWinograd = ({ axes, groups, inputs, outputs }: WindowSum): boolean =>
  groups === 1 &&
  Math.min(inputs, outputs) >= LEAST_CHANNELS &&
  axes.every(
    ({ taps, stride, divisor, dilation, outputs: length }) =>
      taps === 3 && stride === 1 && divisor === 1 && Math.abs(dilation) === 1 && length >= 3,
  );

export function winogradCalls({
  batch,
  axes,
  inputs,
  outputs,
  weightStrides,
  activation,
}: WindowSum): Plan<number, WasmCall> {
  const [rows, columns] = axes;
  const turned = rows.dilation < 0; // an input gradient's taps run backwards: the same windows, the kernel turned by 180°
  const reach = turned ? 2 : 0;
  const [values, sums] = [Math.ceil(inputs / 4) * 4, ceil8(outputs)];
  const patches = batch * Math.ceil(rows.outputs / 4) * Math.ceil(columns.outputs / 4);
  const { parts, chunk } = split(patches, 4, 4);
  const fitting = Math.floor(BLOCK_BYTES / floats(POSITIONS * (values + sums)) / 4) * 4;
  const block = Math.max(4, Math.min(MOST_PATCHES, chunk, fitting));
  const blockFloats = POSITIONS * (block * (values + sums) + 32);
  const scratchBytes = 64 + 576 + floats(values + POSITIONS * inputs + blockFloats);
  const weightBytes = floats(inputs * sums);
  const tap = inputs * outputs;
  const [inputStride, outputStride] = weightStrides;
  return {
    scratch: [POSITIONS * weightBytes, 288 * inputs, parts * scratchBytes],
    steps: ({ inputs: [x, weight, bias = 0], outputs: [y] }, [transformed, between, scratch]) => [
      {
        function: 'winogradFourWeights',
        parts: inputs,
        arguments: [
          ...[weight + (turned ? floats(8 * tap) : 0), transformed, inputs, outputs],
          ...[turned ? -tap : tap, inputStride, outputStride, weightBytes, between],
        ],
      },
      {
        function: 'winogradFour',
        parts,
        arguments: [
          ...[x, transformed, bias, y, rows.inputs, columns.inputs, inputs, rows.outputs, columns.outputs, outputs],
          ...[reach - rows.shift, reach - columns.shift, patches, Number(activation === 'relu'), chunk, block],
          ...[scratch, scratchBytes],
        ],
      },
    ],
  };
}
