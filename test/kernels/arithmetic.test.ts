/** Broadcasting against plain loops, numbers as operands, and a loss of one's own in one line with its gradient. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ShapeError, UsageError } from '../../src/errors.js';
import { add, divide, maximum, minimum, multiply, subtract } from '../../src/kernels/elementwise/arithmetic.js';
import { clip, log, pow } from '../../src/kernels/elementwise/functions.js';
import { broadcastTo } from '../../src/kernels/reduce/broadcast.js';
import { mean, sum } from '../../src/kernels/reduce/reduce.js';
import { backward, record } from '../../src/tensor/autograd.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { sizeOf, type Shape } from '../../src/tensor/shape.js';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';
import { openTestDevices } from '../support/open-devices.js';

let devices: Device[];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => devices.forEach((device) => device.destroy()));

const random = new Random(21, RandomStream.synthetic);
const numbers = (shape: Shape): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(0.5, 2));

/** Element at a place of the common shape, by NumPy's rule. */
function elementOf(values: Float32Array, shape: Shape, place: readonly number[]): number {
  let at = 0;
  for (const [axis, length] of shape.entries())
    at = at * length + (length === 1 ? 0 : place[place.length - shape.length + axis]);
  return values[at];
}

describe('broadcasting', () => {
  test.each<[Shape, Shape, Shape]>([
    [[2, 3, 4, 5], [5], [2, 3, 4, 5]],
    [
      [2, 3, 4, 5],
      [2, 1, 1, 5],
      [2, 3, 4, 5],
    ],
    [
      [3, 1],
      [1, 4],
      [3, 4],
    ],
    [[], [2, 3], [2, 3]],
    [
      [1, 3, 1, 2],
      [4, 1, 5, 1],
      [4, 3, 5, 2],
    ],
    [[7], [6, 1], [6, 7]],
  ])('%j and %j give %j', async (a, b, common) => {
    const [x, y] = [numbers(a), numbers(b)];
    const places = Array.from({ length: sizeOf(common) }, (_, index) => {
      let rest = index;
      return common
        .toReversed()
        .map((length) => {
          const at = rest % length;
          rest = Math.floor(rest / length);
          return at;
        })
        .toReversed();
    });
    const expected = (f: (m: number, n: number) => number) =>
      Float32Array.from(places, (place) => f(elementOf(x, a, place), elementOf(y, b, place)));
    for (const device of devices) {
      const [left, right] = [tensor(device, x, a), tensor(device, y, b)];
      const sums = add(left, right);
      expect(sums.shape).toEqual(common);
      expect(await sums.read()).toEqual(expected((m, n) => Math.fround(m + n)));
      expect(await subtract(left, right).read()).toEqual(expected((m, n) => Math.fround(m - n)));
      expect(await multiply(left, right).read()).toEqual(expected((m, n) => Math.fround(m * n)));
      expect(await minimum(left, right).read()).toEqual(expected(Math.min));
      expect(await maximum(left, right).read()).toEqual(expected(Math.max));
      const quotients = await divide(left, right).read();
      expected((m, n) => m / n).forEach((value, i) => expect(Math.abs(quotients[i] / value - 1)).toBeLessThan(4e-7));
    }
  });

  test('the gradient is summed over what was repeated', async () => {
    for (const device of devices) {
      const [x, scale] = [tensor(device, numbers([4, 3]), [4, 3]), tensor(device, numbers([3]))];
      x.requiresGradient = scale.requiresGradient = true;
      const { result, tape } = record(() => sum(multiply(x, scale)));
      const gradients = backward(tape, result);
      const [given, factors] = [await x.read(), await scale.read()];
      const expected = [0, 1, 2].map((c) => [0, 1, 2, 3].reduce((total, n) => total + given[n * 3 + c], 0));
      (await gradients.get(scale)!.read()).forEach((value, c) => expect(value).toBeCloseTo(expected[c], 5));
      expect(await gradients.get(x)!.read()).toEqual(Float32Array.from(given, (_, i) => factors[i % 3]));
    }
  });

  test('shapes that do not fit are refused by name', () => {
    const [a, b] = [tensor(devices[0], numbers([2, 3]), [2, 3]), tensor(devices[0], numbers([2]))];
    expect(() => add(a, b)).toThrow(ShapeError);
    expect(() => add(a, b)).toThrow('add: expects shapes that are equal along each axis or 1 there, got [2,3] and [2]');
    expect(() => broadcastTo(a, [3])).toThrow(ShapeError);
    expect(() => clip(a, 2, 1)).toThrow(UsageError);
  });
});

test('numbers as operands', async () => {
  for (const device of devices) {
    const x = tensor(device, [1, -2, 4, 0.5]);
    expect(await add(x, 3).read()).toEqual(Float32Array.of(4, 1, 7, 3.5));
    expect(await subtract(x, 1).read()).toEqual(Float32Array.of(0, -3, 3, -0.5));
    expect(await subtract(1, x).read()).toEqual(Float32Array.of(0, 3, -3, 0.5));
    expect(await multiply(x, -2).read()).toEqual(Float32Array.of(-2, 4, -8, -1));
    expect(await divide(x, 4).read()).toEqual(Float32Array.of(0.25, -0.5, 1, 0.125));
    expect(await divide(2, x).read()).toEqual(Float32Array.of(2, -1, 0.5, 4));
    expect(await minimum(x, 1).read()).toEqual(Float32Array.of(1, -2, 1, 0.5));
    expect(await maximum(x, 1).read()).toEqual(Float32Array.of(1, 1, 4, 1));
    expect(await pow(x, 3).read()).toEqual(Float32Array.of(1, -8, 64, 0.125));
  }
});

test('NaN stays NaN, and logarithms end where they should', async () => {
  for (const device of devices) {
    const x = tensor(device, [NaN, 0, -1, Infinity, 1]);
    expect(await log(x).read()).toEqual(Float32Array.of(NaN, -Infinity, NaN, Infinity, 0));
    expect(Array.from(await clip(x, -0.5, 2).read())).toEqual([NaN, 0, -0.5, 2, 1]);
    expect(Array.from(await maximum(x, tensor(device, [0, 0, NaN, 0, 2])).read())).toEqual([NaN, 0, NaN, Infinity, 2]);
  }
});

/** Lin et al., "Focal loss for dense object detection" (ICCV 2017), γ = 2; p is the probability of the right class. */
const focalLoss = (p: Tensor): Tensor => mean(multiply(multiply(pow(subtract(1, p), 2), log(p)), -1));

test('a loss in one line, its gradient against a finite difference', async () => {
  const device = new ReferenceDevice();
  const values = Float32Array.of(0.9, 0.6, 0.1, 0.45);
  const at = (p: readonly number[]): number =>
    p.reduce((total, value) => total - (1 - value) ** 2 * Math.log(value), 0) / p.length;
  const p = tensor(device, values);
  p.requiresGradient = true;
  const { result, tape } = record(() => focalLoss(p));
  expect((await result.read())[0]).toBeCloseTo(at([...values]), 6);
  const gradient = await backward(tape, result).get(p)!.read();
  values.forEach((_, i) => {
    const moved = (by: number): number => at(Array.from(values, (value, k) => (k === i ? value + by : value)));
    expect(gradient[i]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 5);
  });
});
