/** The trial between a kernel's variants: the quickest wins, but none that computes something else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conv2dMaxPool2dForward, conv2dMaxPool2dValues } from '../../src/kernels/conv2d/conv2d-max-pool2d.js';
import { conv2dForward } from '../../src/kernels/conv2d/conv2d.js';
import { quickest, type Contender } from '../../src/tensor/webgpu/autotune.js';
import { defineKernel, ENTRY, PLAIN_TARGET, planThreads } from '../../src/tensor/kernel.js';
import { launch, tensor, zeros } from '../../src/tensor/tensor.js';
import { WebGpuDevice } from '../../src/tensor/webgpu/webgpu-device.js';
import { getAdapter } from '../support/gpu.js';

/** Takes the given milliseconds a run, by its own account. */
const contender = (variant: string, milliseconds: number, ...outputs: ArrayLike<number>[]): Contender => ({
  variant,
  coarseness: variant === 'half' ? 2 ** 13 : 1,
  outputs: async () => outputs,
  time: async (runs) => runs * milliseconds,
});

const right = Float32Array.of(1, -2, 4096);
const places = Uint32Array.from({ length: 9 }, (_, i) => i % 4);

describe('the quickest', () => {
  test.each([
    ['a quicker one wins', [contender('first', 2, right), contender('second', 1, right)], 'second'],
    ['a slower one does not', [contender('first', 1, right), contender('second', 2, right)], 'first'],
    ['nor one that gains next to nothing', [contender('first', 1, right), contender('second', 0.98, right)], 'first'],
    [
      'another order of additions is no error',
      [contender('first', 2, right), contender('second', 1, Float32Array.of(1.25, -2, 4096))],
      'second',
    ],
    ...(
      [
        ['a wrong number', [1, -2, 4098]],
        ['not a number', [1, Number.NaN, 4096]],
        ['an element that was not written', [1, -2, 0]],
      ] as const
    ).map(
      ([what, wrong]) =>
        [what, [contender('first', 2, right), contender('second', 1, Float32Array.from(wrong))], 'first'] as const,
    ),
    [
      'wrong places of maxima',
      [
        contender('first', 2, right, places),
        contender(
          'second',
          1,
          right,
          places.map((place) => 3 - place),
        ),
      ],
      'first',
    ],
    [
      'one that rounds more coarsely, as it may',
      [contender('first', 2, right), contender('half', 1, Float32Array.of(1.5, -2, 4098))],
      'half',
    ],
    [
      'one wrong among three',
      [contender('first', 3, right), contender('second', 1, Float32Array.of(0, 0, 0)), contender('third', 2, right)],
      'third',
    ],
  ] as const)('%s', async (_, contenders, expected) => {
    expect(await quickest(contenders)).toBe(expected);
  });
});

/** x → 2x; the second variant is wrong, and quicker than the first, which does everything a thousand times. */
const doubled = defineKernel<null>({
  name: 'doubled',
  outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
  variants: () => ['slow', 'wrong', 'quick'],
  twin({ inputs: [x], outputs: [y] }) {
    for (let i = 0; i < x.length; i++) y[i] = 2 * x[i];
  },
  wgsl({ inputs: [[length]] }, _, { variant = 'slow' }) {
    const code = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
${ENTRY}
  for (var time = 0u; time < ${variant === 'slow' ? 1000 : 1}u; time++) {
    y[index] = ${variant === 'wrong' ? '1.0' : 'x[index]'} + x[index];
  }
}`;
    return planThreads(code, length);
  },
});

describe('a kernel is told its target', () => {
  test('features only where the adapter has them and they are asked for', async () => {
    const seen: ReadonlySet<string>[] = [];
    const curious = defineKernel<null>({
      ...{ ...doubled, name: 'curious' },
      variants(_, __, { features, limits }) {
        expect(limits.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
        seen.push(features);
        return ['plain', ...features];
      },
    });
    for (const asked of [false, true]) {
      const adapter = await getAdapter(); // which gives one device only
      const device = await WebGpuDevice.open(adapter, { halfPrecision: asked, subgroups: asked });
      const variants = device.variantsOf({
        kernel: curious,
        shapes: { inputs: [[4]], outputs: [[4]] },
        attributes: null,
      });
      for (const feature of ['subgroups', 'shader-f16'])
        expect(variants.includes(feature)).toBe(asked && adapter.features.has(feature));
      device.destroy();
    }
    expect(seen.length).toBe(2);
  });

  test('half precision is offered where a target has it, to predictions and forward passes alone', () => {
    const features = new Set(['shader-f16'] as const);
    const window = { size: [3, 3], strides: [1, 1], dilation: [1, 1], padding: 'valid' } as const;
    const shapes = { inputs: [[1, 8, 8, 4], [3, 3, 4, 4], [4]], outputs: [] };
    const offered = [conv2dForward, conv2dMaxPool2dValues, conv2dMaxPool2dForward].map((kernel) =>
      [features, PLAIN_TARGET.features].map((has) =>
        kernel.variants!(shapes, { window, activation: 'relu' }, { ...PLAIN_TARGET, features: has }).includes(
          'half precision',
        ),
      ),
    );
    expect(offered).toEqual([
      [true, false],
      [true, false],
      [false, false],
    ]);
  });
});

describe('on a device that tries variants', () => {
  let device: WebGpuDevice;
  beforeAll(async () => {
    device = await WebGpuDevice.open(await getAdapter(), { autotune: true });
  });
  afterAll(() => device.destroy());

  test('a recorded step takes a right one, and gives the same as before', async () => {
    const x = tensor(
      device,
      Float32Array.from({ length: 4096 }, (_, i) => i / 8),
    );
    const y = zeros(device, [4096]);
    const recording = device.record(device.createPool(), () => launch(doubled, [x], null, [y]));
    expect(await device.tune(recording)).toBe(true);
    const [[subject, choice]] = device.kernelChoices;
    expect(subject).toBe('doubled [4096] null');
    expect(['slow', 'quick']).toContain(choice); // whichever this adapter takes for the quicker one
    expect(await device.tune(recording)).toBe(false); // a choice stands
    launch(doubled, [x], null, [y]);
    expect((await y.read()).every((value, i) => value === i / 4)).toBe(true);
  });

  test('where memory is left for the step alone, nothing is tried', async () => {
    const small = await WebGpuDevice.open(await getAdapter(), { autotune: true, memoryBudget: 3 * 4 * 4096 });
    const [x, y] = [zeros(small, [4096]), zeros(small, [4096])];
    const recording = small.record(small.createPool(), () => launch(doubled, [x], null, [y]));
    expect(await small.tune(recording)).toBe(true);
    expect([...small.kernelChoices.values()]).toEqual(['slow']);
    launch(doubled, [x], null, [y]);
    expect(await y.read()).toEqual(new Float32Array(4096));
    small.destroy();
  });

  test('a choice that the kernel does not know is refused, rather than to be another', async () => {
    const other = await WebGpuDevice.open(await getAdapter(), { kernelChoices: { 'doubled [4] null': 'quickest' } });
    const [x, y] = [tensor(other, Float32Array.of(1, 2, 3, 4)), zeros(other, [4])];
    expect(() => launch(doubled, [x], null, [y])).toThrow(
      /kernelChoices: expects one of slow, wrong, quick for doubled \[4\] null, got 'quickest'/,
    );
    other.destroy();
  });
});
