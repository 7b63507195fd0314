/** Choosing a device. */
import { NoDeviceError, UsageError } from '../errors.js';
import { checkNames, preview } from '../options.js';
import { CpuDevice } from './cpu/cpu-device.js';
import type { Device } from './device.js';
import { describeAdapter, requestAdapters, type AdapterDescription, type GpuObject } from './webgpu/adapter.js';
import { WebGpuDevice } from './webgpu/webgpu-device.js';

export type DeviceName = 'auto' | 'webgpu' | 'cpu';

export interface OpenDeviceOptions {
  /** Variants of WebGPU kernels that an earlier run chose (see `Device.kernelChoices`), for the same bits as then. */
  kernelChoices?: Readonly<Record<string, string>>;
  /** Most bytes of tensors at a time; default 4 GiB. */
  memoryBudget?: number;
  /** Threads of the cpu device; default one per processor core, at most 8. Results do not depend on it. */
  threads?: number;
  /** False: the cpu device does without fused multiply-add, for the same bits as in engines that lack it. Default true. */
  relaxedSimd?: boolean;
  /** True: WebGPU kernels may round to half precision where the adapter has it, for speed. Default false. */
  halfPrecision?: boolean;
  /** True: WebGPU kernels may add across subgroups where the adapter has them. Default false: so far that ran on software adapters only. */
  subgroups?: boolean;
}

/** Of these, for `checkNames`. */
export const deviceOptionNames: Readonly<Record<keyof OpenDeviceOptions, true>> = {
  kernelChoices: true,
  memoryBudget: true,
  threads: true,
  relaxedSimd: true,
  halfPrecision: true,
  subgroups: true,
};

export interface DeviceChoice {
  readonly kind: 'webgpu' | 'cpu';
  /** The adapter, for webgpu. */
  readonly adapter: AdapterDescription | null;
  /** Why this one, in words. */
  readonly reason: string;
  open(options?: OpenDeviceOptions): Promise<Device>;
}

/** The GPU object of the page, where there is one. */
export const browserGpu = (): GpuObject | null =>
  typeof navigator === 'undefined' ? null : ((navigator as { gpu?: GpuObject }).gpu ?? null);

export async function listAdapters(gpu: GpuObject | null = browserGpu()): Promise<AdapterDescription[]> {
  return gpu ? (await requestAdapters(gpu)).map(describeAdapter) : [];
}

/**
 * 'auto' takes a hardware adapter, else the CPU device: a software adapter runs the same kernels several times slower.
 * @throws UsageError for another name; NoDeviceError when 'webgpu' is asked for and there is no adapter
 */
export async function chooseDevice(
  name: DeviceName = 'auto',
  gpu: GpuObject | null = browserGpu(),
): Promise<DeviceChoice> {
  if (name !== 'auto' && name !== 'webgpu' && name !== 'cpu')
    throw new UsageError(`device: expects auto, webgpu or cpu, got ${preview(name)}`);
  if (name === 'cpu') return cpuChoice('asked for');
  const [adapter] = gpu ? await requestAdapters(gpu) : [];
  if (!adapter) {
    if (name === 'auto') return cpuChoice('no hardware GPU adapter was found');
    throw new NoDeviceError(
      'webgpu: no adapter was found; install a graphics driver with Vulkan, Metal or Direct3D 12, or use the cpu device',
    );
  }
  const description = describeAdapter(adapter);
  if (name === 'auto' && description.kind === 'software')
    return cpuChoice(`the only GPU adapter is software (${description.name}), which is slower`);
  return {
    kind: 'webgpu',
    adapter: description,
    reason: name === 'auto' ? 'a hardware GPU adapter was found' : 'asked for',
    open: (options) => WebGpuDevice.open(adapter, options),
  };
}

function cpuChoice(reason: string): DeviceChoice {
  return { kind: 'cpu', adapter: null, reason, open: (options) => CpuDevice.open(options) };
}

export async function openDevice(
  name: DeviceName = 'auto',
  options: OpenDeviceOptions & { gpu?: GpuObject | null } = {},
): Promise<Device> {
  checkNames('openDevice', options, { ...deviceOptionNames, gpu: true });
  const choice = await chooseDevice(name, options.gpu === undefined ? browserGpu() : options.gpu);
  return choice.open(options);
}
