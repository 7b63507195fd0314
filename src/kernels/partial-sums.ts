/**
 * The second stage of WebGPU's two-stage sums: output[i] = activation(Σ_s partial[s][i] + bias[i mod C]). The first
 * stage gives each of many threads a slice; adding the slices in their order keeps the result the same on every run.
 */
import { type BufferView, type Dispatch, dispatchThreads, ENTRY } from '../tensor/kernel.js';

/** Activations that are fused into a kernel's last step. */
export type FusedActivation = 'linear' | 'relu';

/** WGSL expression for the activation of `x`, a scalar or a vector. relu keeps NaN: `x <= 0` is false for it. */
export function activate(activation: FusedActivation, x: string, type: 'f32' | 'vec4f' = 'f32'): string {
  return activation === 'relu' ? `select(${x}, ${type}(0.0), ${x} <= ${type}(0.0))` : x;
}

const partialSumsShader = (bias: boolean, activation: FusedActivation): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
${bias ? '@group(0) @binding(2) var<storage, read> bias: array<f32>;' : ''}
override SLICES: u32;
override CHANNELS: u32;
${ENTRY}
  var sum = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) { sum += partials[slice * THREADS + index]; }
  ${bias ? 'sum += bias[index % CHANNELS];' : ''}
  output[index] = ${activate(activation, 'sum')};
}`;

/** @param size elements of the output, and of each of the `slices` slices of `partials` */
export function partialSums(
  partials: BufferView,
  output: BufferView,
  size: number,
  slices: number,
  {
    bias,
    channels = 1,
    activation = 'linear',
  }: { bias?: BufferView | undefined; channels?: number; activation?: FusedActivation } = {},
): Dispatch {
  return dispatchThreads(
    partialSumsShader(bias !== undefined, activation),
    size,
    bias ? [partials, output, bias] : [partials, output],
    { SLICES: slices, CHANNELS: channels },
  );
}

/** Threads that keep a GPU busy; kernels with fewer outputs than this split their sums into slices. */
export const BUSY_THREADS = 16384;
