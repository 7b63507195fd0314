/** The adapters that a GPU object offers, the browser's `navigator.gpu` or Dawn's in Node: what they are called, what they can do. */
import { BeltnetError } from '../../errors.js';

/** WebGPU's entry: `navigator.gpu`, or what Dawn gives. A type of our own, so that projects compile which have none of WebGPU's. */
export interface GpuObject {
  requestAdapter(options?: object): Promise<object | null>;
}

/** What `requestAdapter` gives: the same for WebGPU's GPUAdapter. */
export interface GpuAdapterObject {
  requestDevice(descriptor?: object): Promise<object>;
}

export interface AdapterDescription {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly kind: 'hardware' | 'software';
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
}

export function describeAdapter(adapter: GpuAdapterObject): AdapterDescription {
  const { info, limits, features } = adapter as GPUAdapter;
  const named: Record<string, number> = {};
  // The limits are getters on the prototype, so they have to be named one by one.
  for (const name of [
    'maxBufferSize',
    'maxStorageBufferBindingSize',
    'maxStorageBuffersPerShaderStage',
    'maxComputeInvocationsPerWorkgroup',
    'maxComputeWorkgroupStorageSize',
    'maxComputeWorkgroupsPerDimension',
  ] as const) {
    named[name] = limits[name];
  }
  return {
    name: info.description || info.device || `${info.vendor} ${info.architecture}`.trim() || 'unnamed adapter',
    vendor: info.vendor || 'unknown',
    architecture: info.architecture || 'unknown',
    kind: isSoftware(info) ? 'software' : 'hardware',
    limits: named,
    features: [...features].map(String).toSorted(),
  };
}

function isSoftware(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter ||
    /swiftshader|llvmpipe|lavapipe|software|basic render/i.test(
      `${info.vendor} ${info.architecture} ${info.device} ${info.description}`,
    )
  );
}

/**
 * The adapters that a GPU object offers, hardware first, without duplicates.
 */
export async function requestAdapters(given: GpuObject): Promise<GpuAdapterObject[]> {
  const gpu = given as GPU;
  const found = new Map<string, GPUAdapter>();
  for (const options of [
    { powerPreference: 'high-performance' },
    { powerPreference: 'low-power' },
    { forceFallbackAdapter: true },
  ] as const) {
    const adapter = await gpu.requestAdapter(options).catch((error: unknown) => {
      if (error instanceof BeltnetError) throw error;
      return null; // a backend that cannot even enumerate has no adapter for us
    });
    if (!adapter) continue;
    const { vendor, architecture, device, description } = adapter.info;
    const key = [vendor, architecture, device, description].join('|');
    if (!found.has(key)) found.set(key, adapter);
  }
  return [...found.values()].toSorted((a, b) => Number(isSoftware(a.info)) - Number(isSoftware(b.info)));
}
