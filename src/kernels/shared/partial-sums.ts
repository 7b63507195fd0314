/**
 * The second stage of WebGPU's two-stage sums: output[i] = activation(Σ_s partial[s][i] + bias[i mod C]). The first
 * stage gives each of many threads a slice; adding the slices in their order keeps the result the same on every run.
 */
import { type BufferView, type Dispatch, dispatchThreads, ENTRY } from '../../tensor/kernel.js';
import { activate, type FusedActivation } from './fused-activation.js';

/** What else happens to the sums. */
export interface SumOptions {
  readonly bias?: BufferView | undefined;
  /** Length of the bias. */
  readonly channels?: number;
  readonly activation?: FusedActivation;
  /** Where elements of a slice beyond the output go: a second output. */
  readonly rest?: BufferView;
  readonly restSize?: number;
}

const partialSumsShader = (bias: boolean, rest: boolean, activation: FusedActivation): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
${bias ? '@group(0) @binding(2) var<storage, read> bias: array<f32>;' : ''}
${rest ? `@group(0) @binding(${bias ? 3 : 2}) var<storage, read_write> rest: array<f32>;` : ''}
override SLICES: u32;
override CHANNELS: u32;
override SIZE: u32;
${ENTRY}
  var sum = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) { sum += partials[slice * THREADS + index]; }
  ${rest ? 'if (index >= SIZE) { rest[index - SIZE] = sum; return; }' : ''}
  ${bias ? 'sum += bias[index % CHANNELS];' : ''}
  output[index] = ${activate(activation, 'sum')};
}`;

/** @param size elements of the output; a slice of `partials` has `restSize` more */
export function partialSums(
  partials: BufferView,
  output: BufferView,
  size: number,
  slices: number,
  { bias, channels = 1, activation = 'linear', rest, restSize = 0 }: SumOptions = {},
): Dispatch {
  return dispatchThreads(
    partialSumsShader(bias !== undefined, rest !== undefined, activation),
    size + restSize,
    [partials, output, ...(bias ? [bias] : []), ...(rest ? [rest] : [])],
    { SLICES: slices, CHANNELS: channels, SIZE: size },
  );
}

/** Threads that keep a GPU busy; kernels with fewer outputs than this split their sums into slices. */
export const BUSY_THREADS = 16384;
