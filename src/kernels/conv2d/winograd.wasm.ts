/**
 * 3×3 convolutions and their gradients in Winograd's way on the CPU device: `wasm/winograd-four.ts`, with strides of 2 `wasm/winograd-strided.ts`, weight
 * gradients `wasm/winograd-gradient.ts`.
 */
import type { Plan, WasmCall } from '../../tensor/kernel.js';
import { square } from '../../tensor/exact-math.js';
import { split } from '../../tensor/cpu/parts.js';
import { ceil8, floats } from '../shared/wasm-parts.js';
import type { GroupedShape } from './convolution-shape.js';
import { forwardAxes, type Axis, type WindowSum } from './windows.wasm.js';

/** Below so many channels on either side the transforms cost what the products save. */
const LEAST_CHANNELS = 12;
/** Positions of a transformed patch of 6×6. */
const POSITIONS = 36;
/** Bytes of the transforms that are worked on at a time: they stay in a second-level cache, beside some of the weights. */
const BLOCK_BYTES = 262144;
const MOST_PATCHES = 32;
/** Input channels whose kernels are transformed together: for eight outputs they fill whole lines of a cache. */
const WEIGHT_CHANNELS = 16;
/** Parts of a convolution: threads that are not equally quick wait for each other no longer than for one of them. */
const MOST_PARTS = 32;
/** Slices of a weight gradient, at most. */
const MOST_SLICES = 16;
/** Parts that a weight gradient is split into, where its slices are few because they are large. */
const WORTHWHILE_PARTS = 8;
/** Of a weight gradient's transforms more at a time: the deeper its products, the less often its sums are fetched and put back. */
const GRADIENT_BLOCK_BYTES = 1048576;
/** With strides the products are of one patch's values and of four. */
const MOST_STRIDED_GRADIENT_PATCHES = 64;
/** Most bytes that the slices of a weight gradient take together. */
const SLICE_BYTES = 2 ** 23;

const ceil4 = (count: number): number => Math.ceil(count / 4) * 4;

const patchesOf = (batch: number, height: number, width: number): number =>
  batch * Math.ceil(height / 4) * Math.ceil(width / 4);

/** Patches whose transforms, of so many floats each, fit; no more than a part has. */
const blockOf = (floatsOfPatch: number, chunk: number, most = MOST_PATCHES, bytes = BLOCK_BYTES): number =>
  Math.max(4, Math.min(most, ceil4(chunk), 4 * Math.floor(bytes / floats(4 * floatsOfPatch))));

/** Transforms the kernels; of an input gradient, whose taps run backwards, from the last one on. */
function weightsCall(
  name: 'winogradFourWeights' | 'winogradStridedWeights',
  { inputs, outputs, weightStrides }: WindowSum,
  turned: boolean,
  stride: number,
): { scratch: number; call: (weight: number, transformed: number) => WasmCall } {
  const { parts, chunk } = split(inputs, WEIGHT_CHANNELS);
  const [inputStride, outputStride] = weightStrides;
  const tap = inputs * outputs;
  const first = turned ? floats(8 * tap) : 0;
  return {
    scratch: POSITIONS * stride,
    call: (weight, transformed) => ({
      function: name,
      parts,
      arguments: [
        ...[weight + first, transformed, inputs, outputs, turned ? -tap : tap],
        ...[inputStride, outputStride, stride, chunk],
      ],
    }),
  };
}

/** Chosen by shape alone, so that a picture's bits do not depend on its batch. */
export const takesWinograd = ({
  axes,
  groups,
  inputs,
  outputs,
}: Pick<WindowSum, 'axes' | 'groups' | 'inputs' | 'outputs'>): boolean =>
  groups === 1 &&
  Math.min(inputs, outputs) >= LEAST_CHANNELS &&
  axes.every(
    ({ taps, stride, divisor, dilation, outputs: length }) =>
      taps === 3 && stride === 1 && divisor === 1 && Math.abs(dilation) === 1 && length >= 3,
  );

/** @param options.pooled takes the maxima of 2×2 outputs; what an odd last row or column would give is left out */
export function winogradCalls(
  sum: WindowSum,
  { pooled = false }: { readonly pooled?: boolean } = {},
): Plan<number, WasmCall> {
  const { batch, axes, inputs, outputs, activation } = sum;
  const [rows, columns] = axes;
  const [height, width] = axes.map(({ outputs: length }) => length - (pooled ? length % 2 : 0));
  const turned = rows.dilation < 0; // an input gradient's taps run backwards: the same windows, the kernel turned by 180°
  const reach = turned ? 2 : 0;
  const [values, sums] = [ceil4(inputs), ceil8(outputs)];
  const patches = patchesOf(batch, height, width);
  const { parts, chunk } = split(patches, ceil4(patches / MOST_PARTS), 4);
  const block = blockOf(POSITIONS * (values + sums), chunk);
  const blockFloats = POSITIONS * (block * (values + sums) + 32);
  const workspace = 64 + 576 + floats(POSITIONS * inputs + blockFloats);
  const weightStride = floats(inputs * sums) + 64; // as between the positions of patches
  const weights = weightsCall('winogradFourWeights', sum, turned, weightStride);
  return {
    scratch: [weights.scratch],
    workspace,
    steps: ({ inputs: [x, weight, bias = 0], outputs: [y] }, [transformed]) => [
      weights.call(weight, transformed),
      {
        function: 'winogradFour',
        parts,
        arguments: [
          x,
          transformed,
          bias,
          y,
          rows.inputs,
          columns.inputs,
          inputs,
          height,
          width,
          outputs,
          reach - rows.shift,
          reach - columns.shift,
          patches,
          Number(activation === 'relu'),
          Number(pooled),
          chunk,
          block,
        ],
      },
    ],
  };
}

/** Positions of a transformed patch of 9×9, which meet 36 matrices in 39 products. */
const STRIDED_POSITIONS = 81;
const STRIDED_PRODUCTS = 39;
/** Bytes that the products' operands lie further apart than their sizes. */
const GAP = 64;
/** Below so many outputs of a picture the transforms of the weights cost what the products save. */
const LEAST_STRIDED_OUTPUTS = 64;

/**
 * Products for each value that is transformed, of a patch's position: below so many the transforms of an input gradient (as large as the picture) or
 * of a weight gradient (of both sides) cost what the products save.
 */
const LEAST_TURNED_SHARE = 16;
const LEAST_GRADIENT_SHARE = 20;
/** Below so many patches it is the sums of a weight gradient that cost it. */
const LEAST_GRADIENT_PATCHES = 16;

const productShare = (inputs: number, outputs: number): number => (inputs * outputs) / (inputs + outputs);

/** Outputs that a patch of a sum has along one axis: an input gradient's is the other way round. */
const patchOf = ({ divisor }: Axis): number => (divisor === 2 ? 8 : 4);

/**
 * A convolution with strides of 2, or the input gradient of one, chosen by shape alone, too. Where outputs end within a patch, not much of it may go to
 * waste.
 */
export const takesStridedWinograd = ({
  axes,
  groups,
  inputs,
  outputs,
}: Parameters<typeof takesWinograd>[0]): boolean => {
  const [rows, columns] = axes;
  const patch = patchOf(rows);
  const pixels = rows.outputs * columns.outputs;
  const whole = (length: number): number => Math.ceil(length / patch) * patch;
  return (
    groups === 1 &&
    Math.min(inputs, outputs) >= LEAST_CHANNELS &&
    (patch === 4 || productShare(inputs, outputs) >= LEAST_TURNED_SHARE) &&
    pixels >= LEAST_STRIDED_OUTPUTS * square(patch / 4) &&
    pixels >= 0.75 * whole(rows.outputs) * whole(columns.outputs) &&
    axes.every(
      ({ taps, stride, divisor, dilation }) =>
        taps === 3 && stride * divisor === 2 && divisor === rows.divisor && Math.abs(dilation) === 1,
    )
  );
};

export function stridedWinogradCalls(sum: WindowSum): Plan<number, WasmCall> {
  const { batch, axes, inputs, outputs, activation } = sum;
  const [rows, columns] = axes;
  const turned = rows.divisor === 2; // an input gradient, of which dz is the source: taps run backwards
  const size = patchOf(rows);
  const [values, sums] = [ceil4(inputs), ceil8(outputs)];
  const patches = batch * Math.ceil(rows.outputs / size) * Math.ceil(columns.outputs / size);
  const least = patches < MOST_PARTS ? 2 : 4; // of few patches, parts with half a tile still keep two threads busy
  const { parts, chunk } = split(patches, Math.ceil(patches / MOST_PARTS / least) * least, least);
  const block = blockOf(STRIDED_POSITIONS * (values + sums), chunk);
  const workspace =
    64 + 1344 + floats(STRIDED_POSITIONS * (inputs + block * (values + sums))) + 2 * STRIDED_PRODUCTS * GAP;
  const weightStride = floats(inputs * sums) + GAP;
  const weights = weightsCall('winogradStridedWeights', sum, turned, weightStride);
  // Of eight neighbours in dx, those that one tap saw begin with the second, or with the first where the padding is odd.
  const ones = axes.map(({ shift }) => (turned ? 1 - (shift % 2) : 1));
  const origins = axes.map(({ shift }, axis) => (turned ? ones[axis] - Math.floor(shift / 2) : -shift));
  return {
    scratch: [weights.scratch],
    workspace,
    steps: ({ inputs: [x, weight, bias = 0], outputs: [y] }, [transformed]) => [
      weights.call(weight, transformed),
      {
        function: 'winogradStrided',
        parts,
        arguments: [
          x,
          transformed,
          bias,
          y,
          rows.inputs,
          columns.inputs,
          inputs,
          rows.outputs,
          columns.outputs,
          outputs,
          ...origins,
          ...ones,
          patches,
          Number(turned),
          Number(activation === 'relu'),
          chunk,
          block,
        ],
      },
    ],
  };
}

/** For weight gradients, which are sums over the batch. */
export const gradientTakesWinograd = (sum: Omit<WindowSum, 'weightStrides' | 'activation'>): boolean =>
  patchesOf(sum.batch, sum.axes[0].outputs, sum.axes[1].outputs) >= LEAST_GRADIENT_PATCHES &&
  (takesWinograd(sum) || (takesStridedWinograd(sum) && productShare(sum.inputs, sum.outputs) >= LEAST_GRADIENT_SHARE));

/** x, dz → dw */
export function winogradGradientCalls({ batch, inputs, outputs, ...shape }: GroupedShape): Plan<number, WasmCall> {
  const [rows, columns] = forwardAxes({ batch, ...shape });
  const strided = rows.stride === 2;
  const [positions, products] = strided ? [STRIDED_POSITIONS, STRIDED_PRODUCTS] : [POSITIONS, POSITIONS];
  const mostPatches = strided ? MOST_STRIDED_GRADIENT_PATCHES : MOST_PATCHES;
  const patches = patchesOf(batch, rows.outputs, columns.outputs);
  const sliceBytes = POSITIONS * (floats(ceil4(inputs) * ceil8(outputs)) + GAP);
  const affordable = Math.max(1, Math.floor(SLICE_BYTES / sliceBytes));
  const { parts: slices, chunk } = split(
    patches,
    // Whole blocks, as far as that goes: each fetches all sums.
    mostPatches * Math.ceil(patches / Math.min(affordable, MOST_SLICES) / mostPatches),
  );
  const panels = ceil8(outputs) / 8;
  const channelChunk = 8 * Math.ceil(panels / Math.min(panels, Math.ceil(WORTHWHILE_PARTS / slices)));
  const parts = slices * Math.ceil(outputs / channelChunk);
  const perPatch = positions * (ceil4(inputs) + channelChunk);
  const block = blockOf(perPatch, chunk, mostPatches, GRADIENT_BLOCK_BYTES);
  const workspace =
    64 + 16 * positions + 32 + floats(positions * inputs + 16 * outputs + block * perPatch) + 2 * products * GAP;
  return {
    scratch: [slices * sliceBytes],
    workspace,
    steps: ({ inputs: [x, dz], outputs: [dw] }, [sums]) => [
      {
        function: 'winogradGradient',
        parts,
        arguments: [
          x,
          dz,
          sums,
          rows.inputs,
          columns.inputs,
          inputs,
          rows.outputs,
          columns.outputs,
          outputs,
          -rows.shift,
          -columns.shift,
          Number(strided),
          patches,
          chunk,
          slices,
          channelChunk,
          block,
        ],
      },
      {
        function: 'finishWinogradGradient',
        parts: inputs,
        arguments: [sums, dw, slices, inputs, outputs, Number(strided)],
      },
    ],
  };
}
