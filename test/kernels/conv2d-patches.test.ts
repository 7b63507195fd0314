/** Convolutions that the cpu device computes in patches of 4×4 outputs (Winograd's): where pictures end within a patch, and side by side in a batch. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conv2dForward } from '../../src/kernels/conv2d/conv2d.js';
import type { WindowAttributes } from '../../src/kernels/shared/window.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { sizeOf, type Shape } from '../../src/tensor/shape.js';
import { launch, tensor, viewOf } from '../../src/tensor/tensor.js';
import { openTestDevice } from '../support/open-devices.js';

let device: Device;
beforeAll(async () => {
  device = await openTestDevice('cpu');
});
afterAll(() => device.destroy());

const BEHIND = 512;

describe.each([1, 2])('strides of %i', (stride) => {
  test.each([
    [8, 8, 12, 16, 'same'],
    [8, 12, 12, 13, 'same'],
    [11, 12, 17, 20, 'same'],
    [11, 11, 14, 21, 'valid'],
    [12, 9, 13, 12, 'valid'],
  ] as const)('%i×%i outputs of %i channels to %i, %s', async (rows, columns, inputs, outputs, padding) => {
    const random = new Random(rows * columns, RandomStream.synthetic);
    const draw = (shape: Shape) => Float32Array.from({ length: sizeOf(shape) }, () => random.uniform(-1, 1));
    const window: WindowAttributes = { size: [3, 3], strides: [stride, stride], dilation: [1, 1], padding };
    // With strides 'same' pads an odd axis on both sides, an even one behind.
    const lengths = [rows, columns].map((n) =>
      padding === 'valid' ? stride * (n - 1) + 3 : n === 12 ? stride * n : stride * (n - 1) + 1,
    );
    const picture = [...lengths, inputs];
    const shapes: Shape[] = [[2, ...picture], [3, 3, inputs, outputs], [outputs]];
    const values = shapes.map(draw);
    const attributes = { window, activation: 'linear' } as const;
    const y: Shape = [2, rows, columns, outputs];
    expect(conv2dForward.outputs(shapes, attributes)[0].shape).toEqual(y);
    const expected = new Float64Array(sizeOf(y));
    conv2dForward.twin({ inputs: values, outputs: [expected] }, { inputs: shapes, outputs: [y] }, attributes);

    const given = values.map((data, i) => tensor(device, data, shapes[i]));
    const place = tensor(device, new Float32Array(sizeOf(y) + BEHIND).fill(7));
    launch(conv2dForward, given, attributes, [viewOf(place, y)]);
    const written = await place.read();
    const got = written.subarray(0, sizeOf(y));
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = got.reduce((most, value, at) => Math.max(most, Math.abs(value - expected[at])), 0);
    expect(error / largest).toBeLessThan(64 * 2 ** -24);
    expect(written.subarray(sizeOf(y))).toEqual(new Float32Array(BEHIND).fill(7));

    const second = tensor(device, values[0].subarray(sizeOf(picture)), [1, ...picture]);
    const [alone] = launch(conv2dForward, [second, given[1], given[2]], attributes);
    expect(await alone.read()).toEqual(got.slice(sizeOf(y) / 2));
  });
});
