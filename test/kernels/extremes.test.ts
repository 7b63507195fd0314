/** Values at the ends of float32: none too large or too small to be right, and NaN and infinity never lost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchMetrics, METRIC_ROWS, METRICS } from '../../src/kernels/loss/batch-metrics.js';
import { binaryCrossEntropyWithLogits, logitsForward } from '../../src/kernels/loss/binary-cross-entropy.js';
import { eluForward } from '../../src/kernels/activation/elu.js';
import { geluForward } from '../../src/kernels/activation/gelu.js';
import { oneHot } from '../../src/kernels/loss/labels.js';
import { boundedReluForward } from '../../src/kernels/activation/bounded-relu.js';
import { hardSigmoidForward, hardSwishForward } from '../../src/kernels/activation/hard-sigmoid.js';
import { leakyReluForward } from '../../src/kernels/activation/leaky-relu.js';
import { ops } from '../../src/kernels/registry.js';
import { mean } from '../../src/kernels/reduce/reduce.js';
import { reluForward } from '../../src/kernels/activation/relu.js';
import { sigmoidForward } from '../../src/kernels/activation/sigmoid.js';
import { softmaxCrossEntropy } from '../../src/kernels/loss/softmax-cross-entropy.js';
import { meanSquaredErrors } from '../../src/kernels/loss/squared-errors.js';
import { sumOfSquares } from '../../src/kernels/reduce/sum-of-squares.js';
import { swishForward } from '../../src/kernels/activation/swish.js';
import { tanhForward } from '../../src/kernels/activation/tanh.js';
import type { Device } from '../../src/tensor/device.js';
import type { Kernel } from '../../src/tensor/kernel.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { launch, tensor, zeros, type Tensor } from '../../src/tensor/tensor.js';
import { openTestDevices } from '../support/open-devices.js';

let devices: Device[] = [];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => {
  for (const device of devices) device.destroy();
});

const magnitudes = [
  1e-38, 1e-30, 1e-20, 1e-10, 1e-8, 1e-6, 1e-3, 0.1, 0.3, 0.49, 0.51, 0.62, 0.63, 1, 1.4, 2, 2.9, 5, 9,
];
const large = [16, 17, 44, 80, 87, 88, 88.7, 89, 100, 104, 1e3, 1e6, 1e10, 1e19, 1e30, 3e38];
const values = Float32Array.from([0, ...magnitudes, ...large].flatMap((value) => [value, -value]));

const functions: readonly (readonly [Kernel<never>, unknown])[] = [
  [reluForward, null],
  [boundedReluForward, { maxValue: 6, negativeSlope: 0, threshold: 0 }],
  [hardSigmoidForward, null],
  [hardSwishForward, null],
  [leakyReluForward, { negativeSlope: 0.3 }],
  [eluForward, { alpha: 1 }],
  [sigmoidForward, null],
  [tanhForward, null],
  [swishForward, null],
  [geluForward, null],
];

/**
 * Relative, value by value: 64 roundings, since in the tails of sigmoid, swish and gelu the exponent is rounded (e^x of
 * x near −87 turns half a rounding of x into 44 of the result). Devices may take what is below 2^-126 for 0 on the way,
 * and swish multiplies it by x.
 */
const close = (x: number, got: number, expected: number): boolean =>
  Object.is(got, expected) ||
  Math.abs(got - expected) <= 64 * 2 ** -24 * Math.abs(expected) + 2 ** -126 * Math.max(1, Math.abs(x)) ||
  (Number.isNaN(got) && Number.isNaN(expected));

describe('functions of one number', () => {
  test.each(functions.map(([kernel, attributes]) => [kernel.name, kernel, attributes] as const))(
    '%s',
    async (_, kernel, attributes) => {
      const inputs = [...values, Infinity, -Infinity, Number.NaN];
      const expected = Float64Array.from({ length: inputs.length });
      kernel.twin(
        { inputs: [Float64Array.from(inputs)], outputs: [expected] },
        { inputs: [], outputs: [] },
        attributes as never,
      );
      for (const device of devices) {
        const [y] = launch(kernel, [tensor(device, inputs)], attributes as never);
        const got = await y.read();
        const wrong = inputs.flatMap((x, i) =>
          close(x, got[i], Math.fround(expected[i]))
            ? []
            : [`${kernel.name}(${x}) = ${got[i]}, expected ${expected[i]}`],
        );
        expect(wrong.map((line) => `${device.description.kind}: ${line}`)).toEqual([]);
      }
    },
  );

  test('binary cross-entropy on logits, both labels', async () => {
    for (const label of [0, 1]) {
      const labels = new Float32Array(values.length).fill(label);
      const expected = Float64Array.from({ length: values.length });
      const inputs = [Float64Array.from(values), Float64Array.from(labels)];
      logitsForward.twin({ inputs, outputs: [expected] }, { inputs: [], outputs: [] }, null);
      for (const device of devices) {
        const got = await binaryCrossEntropyWithLogits(tensor(device, values), tensor(device, labels)).read();
        expect(Array.from(values).filter((x, i) => !close(x, got[i], Math.fround(expected[i])))).toEqual([]);
      }
    }
  });
});

/** Ops that are linear in the inputs at these positions. */
const linear: Readonly<Record<string, readonly number[]>> = {
  ...{
    conv2d: [0, 2],
    groupedConv2d: [0, 2],
    conv2dMaxPool2d: [0],
    dense: [0, 2],
    addBias: [0, 1],
    add: [0, 1],
    multiply: [0],
  },
  ...{ averagePool2d: [0], maxPool2d: [0], relu: [0], leakyRelu: [0], sum: [0], max: [0], crop: [0], dropout: [0] },
};

describe('linear ops of values times a power of two give the result times it, bit for bit', () => {
  test.each(Object.entries(linear))('%s', async (name, positions) => {
    const registered = ops.find(({ op }) => op.name === name);
    for (const exponent of [-60, 60]) {
      for (let index = 0; index < 4; index++) {
        const { inputs, attributes } = registered!.sample(new Random(3, RandomStream.synthetic, index));
        for (const device of devices) {
          const compute = (scale: number): Promise<Float32Array> => {
            const tensors = inputs.map(({ values: given, shape }, position) =>
              tensor(
                device,
                positions.includes(position) ? (given as Float32Array).map((value) => value * scale) : given,
                shape,
              ),
            );
            return registered!.op.apply(tensors, attributes as never).read();
          };
          const [plain, scaled] = [await compute(1), await compute(2 ** exponent)];
          expect(scaled).toEqual(plain.map((value) => value * 2 ** exponent));
        }
      }
    }
  });
});

describe('NaN and infinity are noticed', () => {
  const losses: Readonly<Record<string, (scores: Tensor) => Tensor>> = {
    'binary cross-entropy': (scores) =>
      binaryCrossEntropyWithLogits(scores, tensor(scores.device, new Float32Array(scores.size))),
    'categorical cross-entropy': (scores) =>
      softmaxCrossEntropy(
        tensorOfRows(scores),
        oneHot(tensor(scores.device, new Float32Array(scores.size / 3)), { classes: 3 }),
      ),
    'mean squared error': (scores) =>
      meanSquaredErrors(tensorOfRows(scores), zeros(scores.device, [scores.size / 3, 3])),
  };
  const tensorOfRows = (scores: Tensor): Tensor => Object.assign(scores, { shape: [scores.size / 3, 3] });

  test.each(Object.entries(losses))('%s', async (_, loss) => {
    for (const device of devices) {
      for (const bad of [Number.NaN, Infinity, -Infinity]) {
        for (const at of [0, 4, 298]) {
          const scores = Float32Array.from({ length: 300 }, (__, i) => (i === at ? bad : Math.sin(i)));
          const average = mean(loss(tensor(device, scores)));
          const table = zeros(device, [METRIC_ROWS, METRICS]);
          const labels = zeros(device, [300]);
          const row = tensor(device, new Uint32Array(1));
          launch(batchMetrics, [average, tensor(device, scores), labels, row], { threshold: 0 }, [table]);
          expect((await table.read())[3]).toBeGreaterThan(0);
        }
      }
    }
  });

  test.each([
    ['mean', (x: Tensor) => mean(x)],
    ['sumOfSquares', (x: Tensor) => sumOfSquares(x)],
  ])('%s keeps them', async (_, reduce) => {
    for (const device of devices) {
      for (const bad of [Number.NaN, Infinity]) {
        const x = tensor(
          device,
          Float32Array.from({ length: 9000 }, (__, i) => (i === 7654 ? bad : 1)),
        );
        expect(Number.isFinite((await reduce(x).read())[0])).toBe(false);
      }
    }
  });
});

test('a value’s bits do not depend on where it stands, nor on how many stand beside it', async () => {
  for (const device of devices) {
    const inputs = Float32Array.from({ length: 21 }, (_, i) => 0.37 * (i - 10));
    const bits = async (kernel: Kernel<never>, attributes: unknown, x: Float32Array): Promise<number[]> => {
      const [y] = launch(kernel as Kernel, [tensor(device, x)], attributes);
      return [...new Uint32Array((await y.read()).slice().buffer)];
    };
    for (const [kernel, attributes] of functions) {
      const all = await bits(kernel, attributes, inputs);
      for (const first of [1, 6, 13, 20])
        expect([kernel.name, await bits(kernel, attributes, inputs.slice(first))]).toEqual([
          kernel.name,
          all.slice(first),
        ]);
    }
  }
});
