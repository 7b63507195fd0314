/**
 * A kernel is one mathematical function over arrays. It is written three times at most: as a plain-TypeScript twin
 * (the documentation, the tests' oracle in float64, and the fallback of the CPU device), as WGSL for the WebGPU
 * device, and, where it pays, as calls into the WebAssembly module for the CPU device.
 */
import { expectCount } from '../expect.js';
import type { DType, Shape, TensorType } from './shape.js';

/** The part of typed arrays that twins use, so that one twin runs on Float32Array and on Float64Array. */
export interface Numbers {
  readonly length: number;
  [index: number]: number;
  fill(value: number, start?: number, end?: number): unknown;
}

/** A kernel's operands in one representation: arrays for a twin, buffer views for WGSL, addresses for WebAssembly. */
export interface Operands<Value> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

export interface OperandShapes {
  readonly inputs: readonly Shape[];
  readonly outputs: readonly Shape[];
}

/** A range of a device buffer. WebGPU wants `offset` to be a multiple of 256. */
export interface BufferView {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly bytes: number;
  readonly dtype: DType;
}

/** Memory of a device; what is inside is the device's business. */
export interface DeviceBuffer {
  readonly bytes: number;
}

/** How a device carries out a kernel: intermediate buffers (bytes each) and the steps, in order. */
export interface Plan<Value, Step> {
  readonly scratch?: readonly number[];
  /** Bytes that each thread of the CPU device works in while it does a part; the function knows where. */
  readonly workspace?: number;
  steps(operands: Operands<Value>, scratch: readonly Value[]): readonly Step[];
}

/** One compute dispatch. Bindings of group 0 are `bindings` in order. */
export interface Dispatch {
  readonly code: string;
  readonly constants?: Readonly<Record<string, number>>;
  readonly bindings: readonly BufferView[];
  readonly workgroups: readonly [number, number, number];
}

/** A WebAssembly module of its own that exports one function, `run`, and imports the memory; see cpu/expression.wasm.ts. */
export interface GeneratedFunction {
  /**
   * @param shared whether the memory is one that threads share
   * @param relaxed whether products may be added with one rounding (relaxed SIMD)
   */
  bytes(shared: boolean, relaxed: boolean): Uint8Array;
}

/**
 * A call of an exported function of the WebAssembly module: once for each part 0 … parts − 1, which is its first argument,
 * in any order and on any thread. Addresses and numbers only, so that other threads can be told of it.
 */
export interface WasmCall {
  readonly function: string | GeneratedFunction;
  readonly parts: number;
  readonly arguments: readonly number[];
}

/** Abilities of an adapter that WebGPU does not promise; a kernel may use one only where its target has it. */
export type OptionalFeature = 'shader-f16' | 'subgroups';

/** Where WGSL is to run, and which form of it is wanted. */
export interface KernelTarget {
  readonly features: ReadonlySet<OptionalFeature>;
  readonly limits: {
    /** Threads of a workgroup, at most: 256 at least. */
    readonly maxComputeInvocationsPerWorkgroup: number;
    /** Bytes that a workgroup's threads may share: 16,384 at least. */
    readonly maxComputeWorkgroupStorageSize: number;
  };
  /** One of the kernel's `variants`; none means the first. */
  readonly variant?: string;
}

/** What every WebGPU adapter has. */
export const PLAIN_TARGET: KernelTarget = {
  features: new Set(),
  limits: { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 16_384 },
};

export interface Kernel<Attributes = unknown> {
  readonly name: string;
  /**
   * Types of the outputs for given inputs; throws ShapeError on a misfit.
   * With `inPlace` the caller provides the outputs, and the kernel reads them before it writes them.
   */
  outputs(inputs: readonly Shape[], attributes: Attributes): readonly TensorType[];
  readonly inPlace?: boolean;
  twin(operands: Operands<Numbers>, shapes: OperandShapes, attributes: Attributes): void;
  wgsl(shapes: OperandShapes, attributes: Attributes, target: KernelTarget): Plan<BufferView, Dispatch>;
  /**
   * Names of WGSL variants, for kernels that have several, as far as the target can run them: the first runs everywhere and
   * serves software adapters (see webgpu/autotune.ts).
   */
  variants?(shapes: OperandShapes, attributes: Attributes, target: KernelTarget): readonly string[];
  /** Variants that round more coarsely, each with how many times as much its error may be: 2^13 for half precision. */
  readonly coarseness?: Readonly<Record<string, number>>;
  /** Additions and multiplications that the result needs, for profiles. */
  operations?(shapes: OperandShapes, attributes: Attributes): number;
  /** null: these attributes are left to the twin. */
  wasm?(shapes: OperandShapes, attributes: Attributes): Plan<number, WasmCall> | null;
}

/** A kernel with its operands on a device: what `launch` asks for. */
export interface KernelCall<Attributes> {
  readonly kernel: Kernel<Attributes>;
  readonly inputs: readonly BufferView[];
  readonly outputs: readonly BufferView[];
  readonly shapes: OperandShapes;
  readonly attributes: Attributes;
}

export function defineKernel<Attributes>(kernel: Kernel<Attributes>): Kernel<Attributes> {
  return kernel;
}

/** Threads of a workgroup in the kernels that give each thread one element (or one small tile). */
export const WORKGROUP = 64;

/**
 * Workgroups for `threads` threads in one dimension, folded into two because a dimension holds at most 65,535 groups.
 * The shader finds its thread as `id.y * groups.x * 64 + id.x` and leaves when that is beyond the last.
 */
function workgroupsFor(threads: number): [number, number, number] {
  const groups = Math.max(1, Math.ceil(threads / WORKGROUP));
  const columns = Math.min(groups, 32768);
  return [columns, Math.ceil(groups / columns), 1];
}

/** Opening of a shader that gives each thread one index below the override constant THREADS. */
export const ENTRY = /* wgsl */ `
override THREADS: u32;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * ${WORKGROUP}u + id.x;
  if (index >= THREADS) { return; }
`;

/** A dispatch of a shader that opens with ENTRY: one thread for each index below `threads`. */
export function dispatchThreads(
  code: string,
  threads: number,
  bindings: readonly BufferView[],
  constants: Readonly<Record<string, number>> = {},
): Dispatch {
  expectCount(threads, 'dispatchThreads: threads');
  return { code, constants: { THREADS: threads, ...constants }, bindings, workgroups: workgroupsFor(threads) };
}

/** The plan of most kernels: one such dispatch, bound to the inputs and outputs in their order. */
export function planThreads(
  code: string,
  threads: number,
  constants?: Readonly<Record<string, number>>,
): Plan<BufferView, Dispatch> {
  return { steps: ({ inputs, outputs }) => [dispatchThreads(code, threads, [...inputs, ...outputs], constants)] };
}
