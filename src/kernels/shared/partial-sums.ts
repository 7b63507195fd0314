/**
 * The second stage of WebGPU's two-stage sums: output[i] = activation(Σ_s partial[s][i] + bias[i mod C]). The first
 * stage gives each of many threads a slice; adding the slices in their order keeps the result the same on every run.
 */
import {
  type BufferView,
  type Dispatch,
  dispatchThreads,
  ENTRY,
  type KernelTarget,
  WORKGROUP,
} from '../../tensor/kernel.js';
import { type Shape, sizeOf } from '../../tensor/shape.js';
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
  /** One of `sumVariants`: 'many slices' are shared by lanes. */
  readonly variant?: string | undefined;
}

/** A thread for each output, which adds all of its slices. */
const BY_THREADS = {
  enable: '',
  opening: ENTRY,
  sum: /* wgsl */ `
  var sum = 0.0;
  for (var slice = 0u; slice < SLICES; slice++) { sum += partials[slice * OUTPUTS + index]; }`,
};

/**
 * Several threads for each output, neighbouring outputs in a workgroup: thread `lane` of an output adds every LANES-th slice, then the
 * first thread adds what the lanes have, in their order.
 */
const BY_LANES = {
  enable: '',
  opening: /* wgsl */ `
override THREADS: u32;
override LANES: u32;
var<workgroup> sums: array<f32, ${WORKGROUP}>;
@compute @workgroup_size(${WORKGROUP})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let outputs = ${WORKGROUP}u / LANES;
  let index = (group.y * groups.x + group.x) * outputs + thread % outputs;
`,
  sum: /* wgsl */ `
  var sum = 0.0;
  if (index < OUTPUTS) {
    for (var slice = thread / outputs; slice < SLICES; slice += LANES) { sum += partials[slice * OUTPUTS + index]; }
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread >= outputs || index >= OUTPUTS) { return; }
  for (var lane = 1u; lane < LANES; lane++) { sum += sums[lane * outputs + thread]; }`,
};

/**
 * A workgroup for each output: its threads share the slices, then their sums are added within subgroups by a tree of fixed
 * shape, and those of the subgroups in their order. How threads are numbered within subgroups is the driver's business; so
 * each subgroup leaves its sum at the place of its first thread, the others leave 0.
 */
const BY_SUBGROUPS = {
  enable: 'enable subgroups;',
  opening: /* wgsl */ `
override THREADS: u32;
var<workgroup> sums: array<f32, ${WORKGROUP}>;
@compute @workgroup_size(${WORKGROUP})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index * ${WORKGROUP}u >= THREADS) { return; }
`,
  sum: /* wgsl */ `
  var sum = 0.0;
  for (var slice = thread; slice < SLICES; slice += ${WORKGROUP}u) { sum += partials[slice * OUTPUTS + index]; }
  for (var step = 1u; step < lanes; step *= 2u) { sum += subgroupShuffleXor(sum, step); }
  sums[thread] = select(0.0, sum, lane == 0u);
  workgroupBarrier();
  if (thread > 0u) { return; }
  for (var i = 1u; i < ${WORKGROUP}u; i++) { sum += sums[i]; }`,
};

/** Fewer slices are added by one thread in no time; more outputs keep a GPU busy with a thread for each. */
const [MANY_SLICES, FEW_OUTPUTS] = [16, 4096];

/** Names of the ways to divide a sum: the first runs everywhere and suits software adapters, the second large GPUs. */
export const sliceVariants = ['few slices', 'many slices'] as const;

/** Threads that keep a GPU busy; kernels with fewer outputs than this split their sums into slices. */
export const busyThreads = (variant?: string): number => (variant === 'many slices' ? 65_536 : 16_384);

/** How the rows of x [..., C] are divided among threads that each take one channel of a slice of them. */
export function rowSlices(x: Shape, variant?: string) {
  const channels = x.at(-1)!;
  const rows = sizeOf(x) / channels;
  const rowsOfSlice = Math.max(32, Math.ceil((rows * channels) / busyThreads(variant)));
  return { rows, channels, rowsOfSlice, slices: Math.max(1, Math.ceil(rows / rowsOfSlice)) };
}

/** In which ways `size` sums of so many slices can be added up on a target. */
export const sumVariants = ({ features }: KernelTarget, size: number, slices: number): readonly string[] =>
  slices >= MANY_SLICES && size <= FEW_OUTPUTS
    ? [...sliceVariants, ...(features.has('subgroups') ? ['subgroups'] : [])]
    : [];

/** A power of two: so many threads that the slices of all outputs keep a GPU busy, with some slices for each. */
function lanesFor(outputs: number, slices: number): number {
  const most = Math.min(WORKGROUP, slices / 4, busyThreads('many slices') / outputs);
  return 2 ** (31 - Math.clz32(Math.max(1, Math.floor(most))));
}

const partialSumsShader = (
  { enable, opening, sum }: typeof BY_THREADS,
  bias: boolean,
  rest: boolean,
  activation: FusedActivation,
): string => /* wgsl */ `${enable}
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
${bias ? '@group(0) @binding(2) var<storage, read> bias: array<f32>;' : ''}
${rest ? `@group(0) @binding(${bias ? 3 : 2}) var<storage, read_write> rest: array<f32>;` : ''}
override SLICES: u32;
override CHANNELS: u32;
override SIZE: u32;
override OUTPUTS: u32;
${opening}${sum}
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
  { bias, channels = 1, activation = 'linear', rest, restSize = 0, variant }: SumOptions = {},
): Dispatch {
  const outputs = size + restSize;
  const lanes = variant === 'many slices' ? lanesFor(outputs, slices) : 1;
  const form = variant === 'subgroups' ? BY_SUBGROUPS : lanes > 1 ? BY_LANES : BY_THREADS;
  return dispatchThreads(
    partialSumsShader(form, bias !== undefined, rest !== undefined, activation),
    form === BY_SUBGROUPS ? WORKGROUP * outputs : lanes * outputs,
    [partials, output, ...(bias ? [bias] : []), ...(rest ? [rest] : [])],
    { ...(lanes > 1 && { LANES: lanes }), SLICES: slices, CHANNELS: channels, SIZE: size, OUTPUTS: outputs },
  );
}
