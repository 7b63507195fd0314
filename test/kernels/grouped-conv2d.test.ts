/**
 * Convolution in groups against PyTorch 2.13 in float64 (`conv2d(…, groups)` and its autograd, with layouts turned to ours): the
 * golden set has none. Inputs are multiples of 1/64, so that products are exact; the padding is PyTorch's symmetric one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorInRoundings } from '../../src/checks/checks.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { pad } from '../../src/kernels/move/pad.js';
import { backward, record } from '../../src/tensor/autograd.js';
import type { Device } from '../../src/tensor/device.js';
import { tensor, type Tensor } from '../../src/tensor/tensor.js';
import { openTestDevices } from '../support/open-devices.js';
import cases from './grouped-conv2d.reference.json' with { type: 'json' };

let devices: Device[] = [];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => {
  for (const device of devices) device.destroy();
});

describe('convolution in groups', () => {
  test.each(cases)('$groups groups', async (one) => {
    const [strides, dilation] = [one.strides, one.dilation] as [number, number][];
    const [rows, columns] = one.padding;
    for (const device of devices) {
      const parameters = [one.x, one.w, one.b].map(({ data, shape }) =>
        Object.assign(tensor(device, data, shape), { requiresGradient: true }),
      ) as [Tensor, Tensor, Tensor];
      const [x, weight, bias] = parameters;
      const { result, tape } = record(() => {
        const padded = pad(x, [
          [0, 0],
          [rows, rows],
          [columns, columns],
          [0, 0],
        ]);
        return conv2d(padded, weight, { bias, strides, dilation, groups: one.groups });
      });
      const gradients = backward(tape, result, tensor(device, one.dy.data, one.dy.shape));
      expect(result.shape).toEqual(one.y.shape);
      // Up to 84 products added for a weight; exact, but for the rounding of sums.
      expect(errorInRoundings(await result.read(), one.y.data).error).toBeLessThan(16);
      for (const [i, expected] of [one.dx, one.dw, one.db].entries())
        expect(errorInRoundings(await gradients.get(parameters[i])!.read(), expected.data).error).toBeLessThan(16);
    }
  });

  test('says what does not fit', () => {
    const [device] = devices;
    const x = tensor(device, new Float32Array(2 * 5 * 5 * 4), [2, 5, 5, 4]);
    const weight = tensor(device, new Float32Array(9 * 2 * 6), [3, 3, 2, 6]);
    expect(() => conv2d(x, weight, { groups: 3 })).toThrow(
      'groups expects a divisor of 4 input and 6 output channels, got 3',
    );
    const other = tensor(device, new Float32Array(9 * 4 * 6), [3, 3, 4, 6]);
    expect(() => conv2d(x, other, { groups: 2 })).toThrow('weight expects 4 input channels a group, got 2 in 2 groups');
  });
});
