/** Choosing a device in Node: as in browsers, with Dawn as the GPU and worker threads for the CPU. */
import { checkNames } from '../options.js';
import type { Device } from './device.js';
import { openNodeCpuDevice } from './cpu/cpu-thread.node.js';
import {
  browserGpu,
  chooseDevice as chooseFrom,
  deviceOptionNames,
  listAdapters as listFrom,
  type DeviceChoice,
  type DeviceName,
  type OpenDeviceOptions,
} from './open-device.js';
import { destroyAtExit, openGpu } from './webgpu/dawn.node.js';
import type { AdapterDescription, GpuObject } from './webgpu/adapter.js';

/** 'cpu' needs no GPU object, and 'auto' no software one: both then start without loading Dawn's driver. */
async function gpuFor(name: DeviceName): Promise<GpuObject | null> {
  return name === 'cpu' ? null : (browserGpu() ?? openGpu({ software: name === 'webgpu' }));
}

/** As in browsers, with Dawn's adapters. @throws NoDeviceError when 'webgpu' is asked for and there is no adapter */
export async function chooseDevice(name: DeviceName = 'auto'): Promise<DeviceChoice> {
  const choice = await chooseFrom(name, await gpuFor(name));
  const open =
    choice.kind === 'cpu'
      ? (options?: OpenDeviceOptions) => openNodeCpuDevice(options)
      : async (options?: OpenDeviceOptions) => destroyAtExit(await choice.open(options));
  return { ...choice, open };
}

export async function openDevice(name: DeviceName = 'auto', options: OpenDeviceOptions = {}): Promise<Device> {
  checkNames('openDevice', options, deviceOptionNames);
  return (await chooseDevice(name)).open(options);
}

/** All adapters, the software one that comes with Chromium included. */
export async function listAdapters(): Promise<AdapterDescription[]> {
  return listFrom(await gpuFor('webgpu'));
}
