/**
 * Every registered kernel on every device against its twin in float64, on random shapes.
 *
 * Tolerance: `roundings` float32 roundings of the output's largest magnitude (see the registry). Where an output must
 * be exact (places, copies, counts) the registry says 0.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { relu } from '../../src/kernels/relu.js';
import { kernels, type RegisteredKernel, type Sample, type SampleTensor } from '../../src/kernels/registry.js';
import type { Device } from '../../src/tensor/device.js';
import type { Numbers } from '../../src/tensor/kernel.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { formatShape } from '../../src/tensor/shape.js';
import { emptyTensor, launch, tensor, type Tensor } from '../../src/tensor/tensor.js';
import { openTestDevices } from '../support/open-devices.js';

const CASES = 25;

/** Outputs of the twin in float64. */
function reference({ kernel }: RegisteredKernel, sample: Sample): Numbers[] {
  const shapes = sample.inputs.map(({ shape }) => shape);
  const types = kernel.outputs(shapes, sample.attributes as never);
  const wide = ({ values, dtype }: SampleTensor): Numbers => (dtype === 'float32' ? Float64Array.from(values) : values);
  const outputs = types.map(({ shape }, index) => {
    const given = sample.inPlace?.[index];
    return given ? wide(given) : new Float64Array(shape.reduce((size, length) => size * length, 1)).fill(Number.NaN);
  });
  kernel.twin(
    { inputs: sample.inputs.map(wide), outputs },
    { inputs: shapes, outputs: types.map(({ shape }) => shape) },
    sample.attributes as never,
  );
  return outputs;
}

async function onDevice(device: Device, { kernel }: RegisteredKernel, sample: Sample): Promise<ArrayLike<number>[]> {
  const inputs = sample.inputs.map(({ values, shape }) => tensor(device, values, shape));
  const types = kernel.outputs(
    sample.inputs.map(({ shape }) => shape),
    sample.attributes as never,
  );
  // Filled with NaN first, so that an element that no thread writes shows.
  const places: Tensor[] = types.map(({ shape, dtype }, index) => {
    const given = sample.inPlace?.[index];
    if (given) return tensor(device, given.values, shape);
    const place = emptyTensor(device, shape, dtype);
    place.write(
      dtype === 'float32'
        ? new Float32Array(place.size).fill(Number.NaN)
        : new Uint32Array(place.size).fill(0xffffffff),
    );
    return place;
  });
  launch(kernel, inputs, sample.attributes as never, places);
  const results = await Promise.all(
    places.map((place) => (place.dtype === 'float32' ? place.read() : place.readIntegers())),
  );
  for (const item of [...inputs, ...places]) item.destroy();
  return results;
}

/** What is wrong with a device's results, in words; nothing if all are within the tolerance. */
function misses(
  { kernel, roundings }: RegisteredKernel,
  expected: Numbers[],
  got: ArrayLike<number>[],
  where: string,
): string[] {
  return expected.flatMap((values, output) => {
    const all = Array.from(values);
    const largest = all.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const tolerance = roundings * 2 ** -24 * largest + (roundings > 0 ? 2 ** -126 : 0);
    // A float32 cannot hold the float64 result itself, so the reference is rounded once.
    const worst = all.findIndex((value, i) => !(Math.abs(got[output][i] - Math.fround(value)) <= tolerance));
    if (worst < 0) return [];
    return [
      `${kernel.name} ${where}, output ${output}[${worst}]: got ${got[output][worst]}, expected ${all[worst]} ± ${tolerance}`,
    ];
  });
}

let devices: Device[] = [];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => {
  for (const device of devices) device.destroy();
});

describe('kernels against their float64 twins', () => {
  test('more threads than one dimension of workgroups holds', async () => {
    const values = Float32Array.from({ length: 2_200_001 }, (_, i) => (i % 1000) - 500); // 34,376 workgroups
    for (const device of devices) {
      const x = tensor(device, values);
      const y = await relu(x).read();
      expect(y.findIndex((value, i) => value !== Math.max(values[i], 0))).toBe(-1);
    }
  });

  test('each has a name of its own', () => {
    const names = kernels.map(({ kernel }) => kernel.name);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(kernels.map((registered) => [registered.kernel.name, registered] as const))('%s', async (_, registered) => {
    const failures: string[] = [];
    for (let index = 0; index < CASES; index++) {
      const sample = registered.sample(new Random(7, RandomStream.synthetic, index));
      const expected = reference(registered, sample);
      const shapes = sample.inputs.map(({ shape }) => formatShape(shape)).join(' ');
      for (const device of devices) {
        const got = await onDevice(device, registered, sample);
        const where = `on ${device.description.name}, ${shapes} ${JSON.stringify(sample.attributes)}`;
        failures.push(...misses(registered, expected, got, where));
      }
    }
    expect(failures).toEqual([]);
  });
});
