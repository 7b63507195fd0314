/**
 * Every registered kernel and op on every device against its twin in float64, on random shapes.
 * Tolerance: `roundings` float32 roundings of the output's largest magnitude (see the registry). Where an output must
 * be exact (places, copies, counts) the registry says 0.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DIFFERENCE_TOLERANCE,
  kernelErrors,
  opDifferenceError,
  opErrors,
  sampleNumber,
  variantsOf,
} from '../../src/checks/checks.js';
import { kernels, ops } from '../../src/kernels/registry.js';
import { addBias, columnSumsKernel } from '../../src/kernels/dense/bias.js';
import { axisSum } from '../../src/kernels/reduce/reduce.js';
import { sumOfSquaresKernel } from '../../src/kernels/reduce/sum-of-squares.js';
import { batchMoments, batchNormParameterGradients } from '../../src/kernels/norm/batch-norm.js';
import { relu } from '../../src/kernels/activation/relu.js';
import type { RegisteredKernel } from '../../src/kernels/shared/samples.js';
import type { Device } from '../../src/tensor/device.js';
import { tensor } from '../../src/tensor/tensor.js';
import { getAdapter, inBrowser } from '../support/gpu.js';
import { openTestDevices } from '../support/open-devices.js';

/**
 * Numbers of the inputs, 25 in all. Chromium compiles the same WGSL by the same compiler as Node and runs the same WebAssembly: what is
 * wrong in one is wrong in the other, so that each input is tried in one of them. Mutations are tried in Node alone, on all.
 */
const isAlone = !inBrowser && Boolean(process.env.BELTNET_EVERY_INPUT);
const isOfChromium = (input: number): boolean => input >= 10 && input < 16;
const INPUTS = Array.from({ length: 25 }, (_, input) => input).filter(
  (input) => isAlone || isOfChromium(input) === inBrowser,
);
/** Inputs that each of several variants is tried on, twelve in all: a fault of arithmetic shows on every other one. */
const VARIANT_INPUTS = isAlone ? 12 : inBrowser ? 4 : 8;
/** Beyond their kernels ops are the same program in both. */
const OP_CASES = inBrowser ? 1 : 4;
/** Gradients in float64 need no device. */
const DIFFERENCE_CASES = inBrowser ? 1 : 20;

let devices: Device[] = [];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => {
  for (const device of devices) device.destroy();
});

/** On its inputs here. */
function errorsOf(device: Device, registered: RegisteredKernel): ReturnType<typeof kernelErrors> {
  const left = INPUTS.values();
  const sample = () => registered.sample(sampleNumber(left.next().value!));
  return kernelErrors(device, { ...registered, sample }, INPUTS.length, VARIANT_INPUTS);
}

/** What misses its tolerance, in words. */
async function misses(
  roundings: number,
  measure: (device: Device) => ReturnType<typeof kernelErrors>,
): Promise<string[]> {
  const found: string[] = [];
  for (const device of devices) {
    for (const { what, error, where } of await measure(device)) {
      if (!(error <= roundings)) found.push(`${what} on ${device.description.name}: ${error} roundings, ${where}`);
    }
  }
  return found;
}

describe('kernels against their float64 twins', () => {
  test('more threads than one dimension of workgroups holds', async () => {
    const values = Float32Array.from({ length: 2_200_001 }, (_, i) => (i % 1000) - 500); // 34,376 workgroups
    for (const device of devices) {
      const x = tensor(device, values);
      const y = await relu(x).read();
      expect(y.findIndex((value, i) => value !== Math.max(values[i], 0))).toBe(-1);
    }
  });

  test('more elements of a channel than a thread takes at once', async () => {
    const [rows, channels] = [8_191, 24]; // eight rows a thread, but for the last
    for (const device of devices) {
      const x = tensor(
        device,
        Float32Array.from({ length: rows * channels }, (_, i) => i % 1009),
        [rows, channels],
      );
      const bias = tensor(
        device,
        Float32Array.from({ length: channels }, (_, c) => 2000 * c),
        [channels],
      );
      const y = await addBias(x, bias).read();
      expect(y.findIndex((value, i) => value !== (i % 1009) + 2000 * (i % channels))).toBe(-1);
    }
  });

  test('the inputs bring out every variant of the kernels that have several', async () => {
    const webgpu = devices.find(({ description }) => description.kind === 'webgpu')!;
    const { features } = await getAdapter();
    // Their other variant is there only where the adapter has subgroups.
    const sums = [axisSum, columnSumsKernel, sumOfSquaresKernel, batchMoments, batchNormParameterGradients].map(
      ({ name }) => name,
    );
    const tried = kernels
      .filter(({ kernel }) => 'variants' in kernel && (features.has('subgroups') || !sums.includes(kernel.name)))
      .map((registered) => {
        const counts = new Map<string | null, number>();
        for (const index of INPUTS) {
          for (const variant of variantsOf(webgpu, registered, registered.sample(sampleNumber(index))))
            counts.set(variant, (counts.get(variant) ?? 0) + 1);
        }
        counts.delete(null); // inputs for which there is only one
        return { name: registered.kernel.name, variants: counts.size, least: Math.min(...counts.values()) };
      });
    expect(tried.length).toBeGreaterThanOrEqual(7);
    expect(tried.filter(({ variants, least }) => variants < 2 || least < 1)).toEqual([]);
  });

  test.each(kernels.map((registered) => [registered.kernel.name, registered] as const))('%s', async (_, registered) => {
    expect(await misses(registered.roundings, (device) => errorsOf(device, registered))).toEqual([]);
  });
});

describe('ops, forward and backward, against the float64 reference', () => {
  test.each(ops.map((registered) => [registered.op.name, registered] as const))('%s', async (_, registered) => {
    expect(await misses(registered.roundings, (device) => opErrors(device, registered, OP_CASES))).toEqual([]);
  });
});

describe('gradient rules against finite differences in float64', () => {
  test.each(ops.map((registered) => [registered.op.name, registered] as const))('%s', (_, registered) => {
    expect(opDifferenceError(registered, DIFFERENCE_CASES)).toBeLessThan(DIFFERENCE_TOLERANCE);
  });
});
