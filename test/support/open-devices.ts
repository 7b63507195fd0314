/** The devices that kernels are tested on: WebGPU (Dawn in Node, or the browser's) and the CPU device. */
import { CpuDevice, type CpuDeviceOptions } from '../../src/tensor/cpu/cpu-device.js';
import type { Device } from '../../src/tensor/device.js';
import { WebGpuDevice } from '../../src/tensor/webgpu/webgpu-device.js';
import { noteDevice } from './devices.js';
import { getAdapter, inBrowser } from './gpu.js';

declare global {
  var beltnetTestCpu: ((options?: CpuDeviceOptions) => Promise<CpuDevice>) | undefined;
}

/** As a user's program opens it: in Node with worker threads. */
export function openTestCpu(options: CpuDeviceOptions = {}): Promise<CpuDevice> {
  noteDevice('cpu');
  if (inBrowser) return CpuDevice.open(options);
  if (!globalThis.beltnetTestCpu)
    throw new Error('the set-up file of the vitest project provides the CPU device of Node');
  return globalThis.beltnetTestCpu(options);
}

export async function openTestDevice(kind: 'webgpu' | 'cpu'): Promise<Device> {
  if (kind === 'cpu') return openTestCpu();
  noteDevice(kind);
  // More variants to check; the first ones are the choice still.
  return WebGpuDevice.open(await getAdapter(), { subgroups: true, halfPrecision: true, autotune: false });
}

/** All of them, the CPU device also without fused multiply-add. */
export const openTestDevices = (): Promise<Device[]> =>
  Promise.all([openTestDevice('webgpu'), openTestDevice('cpu'), openTestCpu({ relaxedSimd: false })]);
