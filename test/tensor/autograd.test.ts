/** The tape: gradients against finite differences in float64, tensors used twice, and honest refusals. */
import { afterAll, describe, expect, test } from 'vitest';
import { DIFFERENCE_TOLERANCE, differenceError, type Differentiable } from '../../src/checks/checks.js';
import { add, multiply } from '../../src/kernels/elementwise/arithmetic.js';
import { addBias } from '../../src/kernels/dense/bias.js';
import { augment } from '../../src/kernels/augment/augment.js';
import { binaryCrossEntropyWithLogits } from '../../src/kernels/loss/binary-cross-entropy.js';
import { conv2dMaxPool2d } from '../../src/kernels/conv2d/conv2d-max-pool2d.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { dense } from '../../src/kernels/dense/dense.js';
import { flatten, reshape } from '../../src/kernels/move/reshape.js';
import { maxPool2d } from '../../src/kernels/pool/max-pool2d.js';
import { max } from '../../src/kernels/reduce/reduce-max.js';
import { mean, sum } from '../../src/kernels/reduce/reduce.js';
import { relu } from '../../src/kernels/activation/relu.js';
import { sigmoid } from '../../src/kernels/activation/sigmoid.js';
import { backward, defineOp, formatTape, noGrad, record } from '../../src/tensor/autograd.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { sizeOf, type Shape } from '../../src/tensor/shape.js';
import { emptyTensor, tensor, type Tensor } from '../../src/tensor/tensor.js';

const device = new ReferenceDevice();
afterAll(() => device.destroy());

function filled(shape: Shape, draw: () => number): Tensor {
  const result = emptyTensor(device, shape);
  device.values(result).forEach((_, i, values) => (values[i] = draw()));
  return result;
}

/** Away from the kinks of relu, where a difference has no meaning: odd multiples of 0.005. */
const apart = (random: Random): number => (random.integer(2000) - 1000) / 100 + 0.005;
interface Case {
  readonly shapes: readonly Shape[];
  readonly compute: Differentiable['compute'];
  /** Where the inputs' values come from; normal by default. */
  readonly draw?: (random: Random) => number;
}

/** What the registry's samples do not cover: fused activations, tensors used twice, whole networks. */
const cases: Record<string, Case> = {
  'conv2d, fused relu': {
    shapes: [[1, 6, 6, 2], [3, 3, 2, 3], [3]],
    compute: ([x, w, bias]) => conv2d(x, w, { bias, activation: 'relu' }),
    draw: apart,
  },
  'conv2dMaxPool2d, relu': {
    shapes: [[2, 7, 8, 3], [3, 2, 3, 4], [4]],
    compute: ([x, w, bias]) => conv2dMaxPool2d(x, w, { bias, activation: 'relu' }),
    draw: apart,
  },
  'dense, fused relu': {
    shapes: [[4, 6], [6, 5], [5]],
    compute: ([x, w, bias]) => dense(x, w, { bias, activation: 'relu' }),
    draw: apart,
  },
  flatten: { shapes: [[2, 3, 2, 2]], compute: ([x]) => sigmoid(flatten(x)) },
  'reductions over axes that are apart': {
    shapes: [[3, 4, 2, 5]],
    compute: ([x]) =>
      add(mean(sigmoid(x), { axis: [0, -1], keepDims: true }), max(x, { axis: [0, 3], keepDims: true })),
  },
  'a tensor that is used twice': { shapes: [[4, 4]], compute: ([x]) => dense(x, x) },
  'a sum of a tensor with itself': { shapes: [[7]], compute: ([x]) => multiply(add(x, x), x) },
  'the whole network': {
    shapes: [[2, 10, 10, 3], [3, 3, 3, 4], [4], [3, 3, 4, 3], [3], [3, 5], [5], [5, 1], [1]],
    compute([x, w1, b1, w2, b2, w3, b3, w4, b4]) {
      const first = maxPool2d(conv2d(x, w1, { bias: b1, activation: 'relu' }));
      const second = maxPool2d(conv2d(first, w2, { bias: b2, activation: 'relu' }));
      const hidden = dense(flatten(second), w3, { bias: b3, activation: 'relu' });
      const labels = tensor(x.device, [0, 1]);
      return binaryCrossEntropyWithLogits(reshape(dense(hidden, w4, { bias: b4 }), [2]), labels);
    },
  },
};

describe('gradients against finite differences', () => {
  test.each(Object.entries(cases))('%s', (_, { shapes, compute, draw = (random) => random.normal() }) => {
    const random = new Random(3, RandomStream.synthetic, shapes.length, sizeOf(shapes[0]));
    const inputs = shapes.map((shape) => ({
      ...{ shape, dtype: 'float32' as const },
      values: Float32Array.from({ length: sizeOf(shape) }, () => draw(random)),
    }));
    expect(differenceError({ inputs, compute })).toBeLessThan(DIFFERENCE_TOLERANCE);
  });
});

describe('the tape', () => {
  const parameter = (values: number[]): Tensor => Object.assign(tensor(device, values), { requiresGradient: true });

  test('prints one op a line', () => {
    const x = parameter([1, 2]);
    const { tape } = record(() => mean(relu(x)));
    expect(formatTape(tape)).toBe('relu [2] → [2]\nsum [2] → []');
  });

  test.each([
    ['used once', (x: Tensor) => sum(relu(x)), [1, 1]],
    ['used twice', (x: Tensor) => sum(addBias(reshape(x, [1, 2]), x)), [2, 2]],
    ['only reshaped', (x: Tensor) => sum(reshape(x, [2, 1])), [1, 1]],
  ])('leaves the gradient of a tensor in its place: %s', (_, compute, expected) => {
    const x = parameter([1, 2]);
    x.gradient = tensor(device, [7, 7]);
    const { result, tape } = record(() => compute(x));
    expect(backward(tape, result).get(x)).toBe(x.gradient);
    expect([...device.values(x.gradient)]).toEqual(expected);
  });

  test('records nothing without a tensor that requires a gradient, nor inside noGrad', () => {
    const plain = tensor(device, [1, -1]);
    const tracked = parameter([1, -1]);
    expect(record(() => relu(plain)).tape).toHaveLength(0);
    expect(record(() => noGrad(() => relu(tracked))).tape).toHaveLength(0);
  });

  test('a deep chain needs no recursion', () => {
    const x = parameter([0.5]);
    const { result, tape } = record(() => {
      let value: Tensor = x;
      for (let i = 0; i < 20_000; i++) value = relu(value);
      return value;
    });
    expect([...device.values(backward(tape, result).get(x)!)]).toEqual([1]);
  });

  test('an op without a gradient refuses a tensor that needs one', () => {
    const round = defineOp<null>({ name: 'round', forward: ([x]) => [relu(x)], backward: null });
    const x = parameter([1]);
    expect(() => record(() => round.apply([x], null))).toThrow(
      'round has no gradient, but an input needs one; wrap the call in noGrad()',
    );
    expect(() => noGrad(() => round.apply([x], null))).not.toThrow();
  });

  test('double backward is refused, not silently wrong', () => {
    const x = parameter([1, 2]);
    const { result, tape } = record(() => sum(sigmoid(x)));
    const gradient = backward(tape, result).get(x)!;
    expect(() => record(() => sum(gradient))).toThrow('double backward is not supported');
    expect(() => record(() => backward(tape, result))).toThrow('double backward is not supported');
    const { tape: other } = record(() =>
      addBias(
        reshape(x, [1, 2]),
        noGrad(() => reshape(gradient, [2])),
      ),
    );
    expect(other.map(({ op }) => op.name)).toEqual(['reshape', 'addBias']);
  });

  test('refuses a loss that is no scalar, and one that is not on the tape', () => {
    const x = parameter([1, 2]);
    const { result, tape } = record(() => relu(x));
    expect(() => backward(tape, result)).toThrow(
      'backward: expects a scalar loss, got [2]; reduce it by mean() or sum(), or give a seed',
    );
    expect(() => backward(tape, tensor(device, [1]))).toThrow('was not computed on the tape');
  });

  test('errors name the op, what it expected and what it got', () => {
    const x = filled([8, 64, 64, 4], () => 0);
    expect(() =>
      conv2d(
        x,
        filled([3, 3, 3, 16], () => 0),
      ),
    ).toThrow('conv2d: weight expects 3 input channels, got 4 (x [8,64,64,4], w [3,3,3,16])');
    expect(() =>
      dense(
        x,
        filled([4, 2], () => 0),
      ),
    ).toThrow('dense: weight [4,2] expects x [N,4], got [8,64,64,4]; flatten pictures first');
    expect(() =>
      maxPool2d(
        filled([1, 2, 2, 1], () => 0),
        { size: [3, 3] },
      ),
    ).toThrow('a window of [3,3] does not fit into x [1,2,2,1]');
    expect(() =>
      addBias(
        x,
        filled([3], () => 0),
      ),
    ).toThrow('addBias: bias expects [4], got [3]');
    expect(() =>
      augment(
        x,
        tensor(device, new Uint32Array(2)),
        filled([3, 8], () => 0),
        { interpolation: 'nearest', rescale: 1 },
      ),
    ).toThrow('augment: transforms expects [2,12], got [3,8]');
  });
});
