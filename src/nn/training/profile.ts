/**
 * Where a recorded step's time goes: milliseconds of each kernel, and how that compares with what the device does at most.
 * The most is measured, not looked up: a chain of multiplications and additions, and a pass over memory.
 */
import { multiplyAddChain } from '../../kernels/shared/multiply-add-chain.js';
import { reluForward } from '../../kernels/activation/relu.js';
import { expectDevice, type Device, type Recording } from '../../tensor/device.js';
import type { Shape } from '../../tensor/shape.js';
import { emptyTensor, launch, zeros } from '../../tensor/tensor.js';

/** A kernel on operands of certain shapes. */
export interface KernelProfile {
  readonly kernel: string;
  readonly inputs: readonly Shape[];
  /** The WGSL variant, where a choice was made. */
  readonly variant: string | null;
  /** True: the device has nothing quicker than the kernel's plain TypeScript. */
  readonly isTwin: boolean;
  /** Of one step. */
  readonly launches: number;
  readonly milliseconds: number;
  /** Additions and multiplications; null where the kernel does not say. */
  readonly operations: number | null;
  /** What must be read and written at least: inputs and outputs, once. */
  readonly bytes: number;
}

export interface StepProfile {
  /** The slowest first. */
  readonly kernels: readonly KernelProfile[];
  /** What the device was seen to do at most. */
  readonly peak: { readonly operationsPerSecond: number; readonly bytesPerSecond: number };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Runs a recorded step `rounds` times, kernel by kernel; medians. The step does its work each time. */
export async function profileStep(device: Device, recording: Recording, rounds = 10): Promise<StepProfile> {
  const runs: number[][] = [];
  for (let round = 0; round <= rounds; round++) runs.push(await device.profile(recording));
  const groups = new Map<string, KernelProfile>();
  for (const [index, call] of device.callsOf(recording).entries()) {
    const { kernel, shapes, attributes, inputs, outputs } = call;
    const variant = device.chosenVariant(call);
    const key = JSON.stringify([kernel.name, shapes.inputs, variant]);
    const earlier = groups.get(key);
    const operations = kernel.operations?.(shapes, attributes) ?? null;
    groups.set(key, {
      kernel: kernel.name,
      inputs: shapes.inputs,
      variant,
      isTwin: device.runsTwin(call),
      launches: (earlier?.launches ?? 0) + 1,
      // The first run of each has compiled what was not compiled yet.
      milliseconds: (earlier?.milliseconds ?? 0) + median(runs.slice(1).map((times) => times[index])),
      operations: operations === null ? null : (earlier?.operations ?? 0) + operations,
      bytes: (earlier?.bytes ?? 0) + sum([...inputs, ...outputs].map((view) => view.bytes)),
    });
  }
  const kernels = [...groups.values()].toSorted((a, b) => b.milliseconds - a.milliseconds);
  return { kernels, peak: await measurePeak(device) };
}

/** Milliseconds that a measurement of the peak takes at least, so that starting it counts for nothing. */
const MEASURED = 10;
const ATTEMPTS = 5;
/** Milliseconds of all attempts after which there are no more of a device that is slow, but for a second one. */
const ENOUGH = 100;
/** Chains enough for each thread of a large GPU. */
const CHAIN_VALUES = 2 ** 20;
/** More than caches hold. */
const PASS_VALUES = 2 ** 24;

/** The most operations and bytes a second that the device was seen to do. */
export async function measurePeak(device: Device): Promise<StepProfile['peak']> {
  expectDevice(device, 'measurePeak: device');
  return {
    operationsPerSecond: await fastest(device, CHAIN_VALUES, (scale) => ({
      work: (x, y) => launch(multiplyAddChain, [x], { rounds: scale }, [y]),
      amount: 2 * scale * CHAIN_VALUES,
    })),
    bytesPerSecond: await fastest(device, PASS_VALUES, (scale) => ({
      work(x, y) {
        for (let pass = 0; pass < scale; pass++) launch(reluForward, [x], null, [y]);
      },
      amount: scale * 2 * 4 * PASS_VALUES,
    })),
  };
}

type Pair = ReturnType<typeof emptyTensor>;

/** Amount a second of work that is made larger until it takes long enough; the best of some attempts. */
async function fastest(
  device: Device,
  values: number,
  make: (scale: number) => { work: (x: Pair, y: Pair) => void; amount: number },
): Promise<number> {
  const [x, y] = [zeros(device, [values]), emptyTensor(device, [values])];
  const pool = device.createPool();
  try {
    for (let scale = 1; ; scale *= 2) {
      const { work, amount } = make(scale);
      const recording = device.record(pool, () => work(x, y));
      await device.profile(recording); // compiles
      const times: number[] = [];
      const isLongEnough = (): boolean => Math.min(...times) >= MEASURED;
      do times.push(sum(await device.profile(recording)));
      while (isLongEnough() && times.length < ATTEMPTS && (times.length < 2 || sum(times) < ENOUGH));
      if (isLongEnough()) return (amount / Math.min(...times)) * 1000;
    }
  } finally {
    device.forget(pool);
    x.destroy();
    y.destroy();
    device.trim();
  }
}
