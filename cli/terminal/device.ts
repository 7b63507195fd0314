/** The device that a command computes on. */
import { UsageError } from '../../src/errors.js';
import {
  chooseDevice,
  readKernelChoices,
  type AdapterDescription,
  type Device,
  type DeviceDescription,
} from '../../src/index.node.js';
import type { Options } from './command.js';
import type { deviceFlags } from './common-flags.js';

/** What is worth knowing about it: for the terminal, `--json` and a run's configuration. */
export interface DeviceFacts extends DeviceDescription {
  /** Why this one. */
  readonly reason: string;
  readonly adapter: AdapterDescription | null;
}

/** How a command says what to compute on. */
export interface DeviceOptions extends Options<typeof deviceFlags> {
  /** A file with variants of WebGPU kernels that an earlier run chose. */
  readonly kernels?: string | undefined;
  /** The same bits on any machine: the cpu device, with operations only that IEEE 754 rounds alike everywhere. */
  readonly reproducible?: boolean;
  /** Whether kernels may add across subgroups. */
  readonly subgroups?: boolean;
}

/**
 * Opens a device for as long as `work` takes; an open one would keep Node from ending.
 *
 * @throws NoDeviceError when there is none of that name; UsageError for a GPU that should be reproducible
 */
export async function withDevice<Result>(
  { device: name, threads, kernels, reproducible = false, subgroups = false }: DeviceOptions,
  work: (device: Device, facts: DeviceFacts) => Promise<Result>,
): Promise<Result> {
  if (reproducible && name === 'webgpu')
    throw new UsageError(
      '--reproducible: expects --device cpu, whose bits are the same on every machine, got webgpu; leave one of them out',
    );
  const choice = await chooseDevice(reproducible ? 'cpu' : name);
  const device = await choice.open({
    subgroups,
    ...(threads !== undefined && { threads }),
    ...(reproducible && { relaxedSimd: false }),
    ...(kernels !== undefined && { kernelChoices: await readKernelChoices(kernels) }),
  });
  try {
    const reason = reproducible ? 'the same bits on every machine' : choice.reason;
    return await work(device, { ...device.description, reason, adapter: choice.adapter });
  } finally {
    device.destroy();
  }
}

/** "cpu (WebAssembly SIMD, 2 threads): no hardware GPU adapter was found" */
export function describeDevice({ name, reason }: Pick<DeviceFacts, 'name' | 'reason'>): string {
  return `${name}: ${reason}`;
}
