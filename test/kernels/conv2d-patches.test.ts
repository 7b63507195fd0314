/** Convolutions, and their input gradients, that the cpu device computes in patches of 4×4 outputs (Winograd's): where pictures end within a patch, and side by side in a batch. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conv2dForward, conv2dInputGradient } from '../../src/kernels/conv2d/conv2d.js';
import type { Padding, WindowAttributes } from '../../src/kernels/shared/window.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import type { Kernel } from '../../src/tensor/kernel.js';
import { sizeOf, type Shape } from '../../src/tensor/shape.js';
import { launch, tensor, viewOf } from '../../src/tensor/tensor.js';
import { openTestDevice } from '../support/open-devices.js';

let device: Device;
beforeAll(async () => {
  device = await openTestDevice('cpu');
});
afterAll(() => device.destroy());

const BEHIND = 512;

const paddings: Record<string, Padding> = {
  same: 'same',
  valid: 'valid',
  numbers: [
    [1, 0],
    [0, 1],
  ],
  'more numbers': [
    [2, 1],
    [1, 1],
  ],
};

describe.each([1, 2])('strides of %i', (stride) => {
  test.each([
    [8, 8, 32, 36, 'same'],
    [8, 12, 32, 33, 'same'],
    [11, 12, 37, 40, 'same'],
    [11, 11, 34, 41, 'valid'],
    [12, 11, 33, 32, 'valid'],
    [11, 11, 32, 33, 'numbers'],
    [12, 12, 36, 32, 'more numbers'],
  ] as const)('%i×%i outputs of %i channels to %i, %s', async (rows, columns, inputs, outputs, named) => {
    const random = new Random(rows * columns, RandomStream.synthetic);
    const draw = (shape: Shape) => Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1));
    const padding = paddings[named];
    const window: WindowAttributes = { size: [3, 3], strides: [stride, stride], dilation: [1, 1], padding };
    // With strides 'same' pads an odd axis on both sides, an even one behind; padded by numbers, a last row and column is seen by no window.
    const lengths = [rows, columns].map((n, axis) => {
      if (padding === 'valid') return stride * (n - 1) + 3;
      if (padding === 'same') return n === 12 ? stride * n : stride * (n - 1) + 1;
      return stride * n + 2 - padding[axis][0] - padding[axis][1];
    });
    const picture = [...lengths, inputs];
    const [x, y]: Shape[] = [
      [2, ...picture],
      [2, rows, columns, outputs],
    ];
    const weight: Shape = [3, 3, inputs, outputs];

    /** Right, within its output, and the same for the second picture alone. */
    async function check<Attributes>(
      kernel: Kernel<Attributes>,
      shapes: readonly Shape[],
      output: Shape,
      attributes: Attributes,
      alone: Attributes,
    ): Promise<void> {
      expect(kernel.outputs(shapes, attributes)[0].shape).toEqual(output);
      const values = shapes.map(draw);
      const expected = new Float64Array(sizeOf(output));
      kernel.twin({ inputs: values, outputs: [expected] }, { inputs: shapes, outputs: [output] }, attributes);

      const given = values.map((data, i) => tensor(device, data, shapes[i]));
      const place = tensor(device, new Float32Array(sizeOf(output) + BEHIND).fill(7));
      launch(kernel, given, attributes, [viewOf(place, output)]);
      const written = await place.read();
      const got = written.subarray(0, sizeOf(output));
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const error = got.reduce((most, value, at) => Math.max(most, Math.abs(value - expected[at])), 0);
      expect(error / largest).toBeLessThan(64 * 2 ** -24);
      expect(written.subarray(sizeOf(output))).toEqual(new Float32Array(BEHIND).fill(7));

      const second = tensor(device, values[0].subarray(values[0].length / 2), [1, ...shapes[0].slice(1)]);
      const [single] = launch(kernel, [second, ...given.slice(1)], alone);
      expect(await single.read()).toEqual(got.slice(sizeOf(output) / 2));
    }

    const forward = { window, activation: 'linear' } as const;
    await check(conv2dForward, [x, weight, [outputs]], y, forward, forward);
    await check(conv2dInputGradient, [y, weight], x, { window, xShape: x }, { window, xShape: [1, ...picture] });
  });
});
