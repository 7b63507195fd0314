/** The device that a command computes on. */
import { UsageError } from '../../src/errors.js';
import {
  checkNames,
  chooseDevice,
  readWholeFile,
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

/** @throws UsageError for a file that is not a run's kernels.json */
export async function readKernelChoices(path: string): Promise<Record<string, string>> {
  const refuse = (got: string) => new UsageError(`--kernels: expects the kernels.json of a run, got ${path}: ${got}`);
  const kind = { what: 'the kernels.json of a run', mostBytes: 2 ** 20 };
  const bytes = await readWholeFile(path, {
    ...kind,
    refuse: (message) => new UsageError(`--kernels: expects the kernels.json of a run, got ${message}`),
  });
  let choices: unknown;
  try {
    choices = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw refuse((error as Error).message);
  }
  const isObject = typeof choices === 'object' && choices !== null && !Array.isArray(choices);
  if (!isObject || !Object.values(choices as object).every((variant) => typeof variant === 'string'))
    throw refuse('not an object of names');
  // A key is a kernel's name, then shapes and attributes; a variant's name is checked where it is used.
  const unknown = Object.keys(choices as object).find((key) => !checkNames().includes(key.split(' ', 1)[0]));
  if (unknown !== undefined) throw refuse(`choices for '${unknown}', which is no kernel of this version`);
  return choices as Record<string, string>;
}

/** "cpu (WebAssembly SIMD, 2 threads): no hardware GPU adapter was found" */
export function describeDevice({ name, reason }: Pick<DeviceFacts, 'name' | 'reason'>): string {
  return `${name}: ${reason}`;
}
