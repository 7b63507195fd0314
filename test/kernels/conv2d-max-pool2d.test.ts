/** The fused op against the two that it replaces, on every device, and what it makes of NaN and of ties. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deviceErrors } from '../../src/checks/checks.js';
import { conv2dMaxPool2d } from '../../src/kernels/conv2d/conv2d-max-pool2d.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { maxPool2d } from '../../src/kernels/pool/max-pool2d.js';
import { ops } from '../../src/kernels/registry.js';
import { floats } from '../../src/kernels/shared/samples.js';
import { backward, record } from '../../src/tensor/autograd.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { sizeOf, type Shape } from '../../src/tensor/shape.js';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';
import { openTestDevices } from '../support/open-devices.js';

let devices: Device[] = [];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => {
  for (const device of devices) device.destroy();
});

type Options = NonNullable<Parameters<typeof conv2dMaxPool2d>[2]>;

/** Output where gradients are wanted and where not, and gradients of x, weight and bias, for a random upstream gradient. */
async function outcome(
  device: Device,
  compute: (x: Tensor, weight: Tensor, bias: Tensor) => Tensor,
  shapes: readonly Shape[],
): Promise<Float32Array[]> {
  const random = new Random(11, RandomStream.synthetic);
  const draw = (shape: Shape): Tensor =>
    tensor(
      device,
      Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1)),
      shape,
    );
  const inputs = shapes.map((shape) => Object.assign(draw(shape), { requiresGradient: true })) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const { result, tape } = record(() => compute(...inputs));
  const gradients = backward(tape, result, draw(result.shape));
  return Promise.all(
    [result, compute(...inputs), ...inputs.map((input) => gradients.get(input)!)].map((item) => item.read()),
  );
}

describe('conv2dMaxPool2d', () => {
  test.each<[string, Shape[], Options]>([
    ['the mission', [[3, 21, 18, 3], [3, 3, 3, 32], [32]], { activation: 'relu' }],
    ['many channels', [[2, 13, 16, 32], [3, 3, 32, 32], [32]], { activation: 'relu' }],
    ['many odd channels', [[2, 11, 7, 13], [3, 3, 13, 18], [18]], { activation: 'relu', padding: 'same' }],
    ['odd channels, same padding', [[2, 9, 12, 5], [3, 2, 5, 7], [7]], { activation: 'relu', padding: 'same' }],
    ['strides and dilation', [[1, 19, 23, 2], [2, 3, 2, 9], [9]], { strides: [2, 1], dilation: [1, 3] }],
    ['one pixel left', [[1, 4, 5, 1], [3, 3, 1, 1], [1]], {}],
  ])('equals maxPool2d(conv2d(x)): %s', async (_, shapes, options) => {
    for (const device of devices) {
      const fused = await outcome(device, (x, w, bias) => conv2dMaxPool2d(x, w, { ...options, bias }), shapes);
      const apart = await outcome(device, (x, w, bias) => maxPool2d(conv2d(x, w, { ...options, bias })), shapes);
      fused.forEach((values, which) => {
        const largest = Math.max(...apart[which].map(Math.abs), 1);
        const worst = Math.max(...values.map((value, i) => Math.abs(value - apart[which][i])));
        // Sums of at most some hundred products in another order: far fewer than 64 roundings of the largest value.
        expect(worst, `${device.description.name}, result ${which}`).toBeLessThanOrEqual(64 * 2 ** -24 * largest);
      });
    }
  });

  test('NaN counts as the maximum at each place of a window, in predictions too', async () => {
    for (const device of devices) {
      for (const place of [0, 1, 2, 3]) {
        for (const channels of [1, 4]) {
          const values = Array.from({ length: 4 * channels }, (_, at) =>
            Math.floor(at / channels) === place ? NaN : at - 7,
          );
          const x = tensor(device, values, [1, 2, 2, channels]);
          const identity = Array.from({ length: channels ** 2 }, (_, at) => Number(at % (channels + 1) === 0));
          const weight = tensor(device, identity, [1, 1, channels, channels]);
          for (const compute of [() => maxPool2d(x), () => conv2dMaxPool2d(x, weight, { activation: 'relu' })]) {
            const results = [compute(), record(compute).result];
            for (const result of results) expect([...(await result.read())]).toEqual(Array(channels).fill(NaN));
          }
        }
      }
    }
  });

  test('NaN is not lost, and the first of equal maxima gets the gradient', async () => {
    for (const device of devices) {
      const weight = tensor(device, [1], [1, 1, 1, 1]);
      const x = tensor(device, [1, 1, 0, NaN, 1, 1, 0, 0], [1, 2, 4, 1]);
      x.requiresGradient = true;
      const { result, tape } = record(() => conv2dMaxPool2d(x, weight, { activation: 'relu' }));
      expect([...(await result.read())]).toEqual([1, NaN]);
      expect([...(await conv2dMaxPool2d(x, weight, { activation: 'relu' }).read())]).toEqual([1, NaN]);
      const gradient = await backward(tape, result, tensor(device, [5, 7], [1, 1, 2, 1]))
        .get(x)!
        .read();
      expect([...gradient]).toEqual([5, 0, 0, 7, 0, 0, 0, 0]);
    }
  });
});

test.each<[string, Shape[], Options]>([
  [
    'a large window, which the plain loop alone takes, with several vectors of channels',
    [[2, 5, 40, 8], [3, 19, 8, 12], [12]],
    {},
  ],
  ['strides longer than the picture', [[2, 1, 2, 4], [3, 3, 4, 4], [4]], { strides: [2, 3], padding: 'same' }],
])('conv2d: %s', async (_, shapes, options) => {
  const random = new Random(12, RandomStream.synthetic);
  const inputs = shapes.map((shape) => floats(random, shape));
  const { roundings } = ops.find(({ op }) => op.name === 'conv2d')!;
  for (const device of devices) {
    const measured = await deviceErrors(device, {
      inputs,
      compute: ([x, w, bias]) => conv2d(x, w, { ...options, bias }),
    });
    expect(measured.filter(({ error }) => !(error <= roundings))).toEqual([]);
  }
});
