/** The device that a command computes on. */
import {
  chooseDevice,
  type AdapterDescription,
  type Device,
  type DeviceDescription,
  type DeviceName,
} from '../src/index.node.js';

/** What is worth knowing about it: for the terminal, `--json` and a run's configuration. */
export interface DeviceFacts extends DeviceDescription {
  /** Why this one. */
  readonly reason: string;
  readonly adapter: AdapterDescription | null;
}

/** How a command says what to compute on. */
export interface DeviceOptions {
  readonly device: DeviceName;
  /** Of the cpu device. */
  readonly threads?: number;
}

/**
 * Opens a device for as long as `work` takes; an open one would keep Node from ending.
 *
 * @throws NoDeviceError when there is none of that name
 */
export async function withDevice<Result>(
  { device: name, threads }: DeviceOptions,
  work: (device: Device, facts: DeviceFacts) => Promise<Result>,
): Promise<Result> {
  const choice = await chooseDevice(name);
  const device = await choice.open(threads === undefined ? {} : { threads });
  try {
    return await work(device, { ...device.description, reason: choice.reason, adapter: choice.adapter });
  } finally {
    device.destroy();
  }
}

/** "cpu (WebAssembly SIMD, 2 threads): no hardware GPU adapter was found" */
export function describeDevice({ name, reason }: Pick<DeviceFacts, 'name' | 'reason'>): string {
  return `${name}: ${reason}`;
}
