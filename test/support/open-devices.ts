/** The devices that kernels are tested on: WebGPU (Dawn in Node, or the browser's) and the CPU device. */
import { CpuDevice } from '../../src/tensor/cpu-device.js';
import type { Device } from '../../src/tensor/device.js';
import { WebGpuDevice } from '../../src/tensor/webgpu-device.js';
import { noteDevice } from './devices.js';
import { getAdapter } from './gpu.js';

export async function openTestDevice(kind: 'webgpu' | 'cpu'): Promise<Device> {
  noteDevice(kind);
  return kind === 'cpu' ? CpuDevice.open() : WebGpuDevice.open(await getAdapter());
}

export const openTestDevices = (): Promise<Device[]> => Promise.all([openTestDevice('webgpu'), openTestDevice('cpu')]);
