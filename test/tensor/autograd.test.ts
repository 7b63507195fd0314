/** The tape: gradients against finite differences in float64, tensors used twice, and honest refusals. */
import { afterAll, describe, expect, test } from 'vitest';
import { addBias } from '../../src/kernels/bias.js';
import { augment } from '../../src/kernels/augment.js';
import { binaryCrossEntropy, binaryCrossEntropyWithLogits } from '../../src/kernels/binary-cross-entropy.js';
import { conv2dMaxPool2d } from '../../src/kernels/conv2d/conv2d-max-pool2d.js';
import { conv2d } from '../../src/kernels/conv2d/conv2d.js';
import { dense } from '../../src/kernels/dense.js';
import { flatten, reshape } from '../../src/kernels/flatten.js';
import { maxPool2d } from '../../src/kernels/max-pool2d.js';
import { mean, sum } from '../../src/kernels/reduce.js';
import { relu } from '../../src/kernels/relu.js';
import { sigmoid } from '../../src/kernels/sigmoid.js';
import { backward, defineOp, formatTape, noGrad, record } from '../../src/tensor/autograd.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { ReferenceDevice } from '../../src/tensor/reference-device.js';
import { sizeOf, type Shape } from '../../src/tensor/shape.js';
import { emptyTensor, tensor, type Tensor } from '../../src/tensor/tensor.js';

const device = new ReferenceDevice();
afterAll(() => device.destroy());

function filled(shape: Shape, draw: () => number): Tensor {
  const result = emptyTensor(device, shape);
  device.values(result).forEach((_, i, values) => (values[i] = draw()));
  return result;
}

interface Differentiable {
  readonly shapes: readonly Shape[];
  readonly compute: (inputs: Tensor[]) => Tensor;
  /** Where the inputs' values come from; normal by default. */
  readonly draw?: (random: Random) => number;
}

/**
 * One random direction v checks a whole gradient: (f(x + hv) − f(x − hv)) / 2h against ⟨∇f, v⟩.
 * @returns the largest relative difference over the inputs
 */
function worstDifference({ shapes, compute, draw = (random) => random.normal() }: Differentiable): number {
  const random = new Random(3, RandomStream.synthetic, shapes.length, sizeOf(shapes[0]));
  const inputs = shapes.map((shape) => filled(shape, () => draw(random)));
  for (const input of inputs) input.requiresGradient = true;
  const { result, tape } = record(() => compute(inputs));
  const upstream = filled(result.shape, () => random.normal());
  const gradients = backward(tape, result, upstream);
  const weigh = (): number => {
    const values = device.values(noGrad(() => compute(inputs)));
    return device.values(upstream).reduce((total, weight, i) => total + weight * values[i], 0);
  };
  const differences = inputs.map((input) => {
    const direction = Float64Array.from({ length: input.size }, () => random.normal());
    const values = device.values(input);
    const start = values.slice();
    const at = (h: number): number => {
      values.forEach((_, i) => (values[i] = start[i] + h * direction[i]));
      return weigh();
    };
    const difference = (at(1e-5) - at(-1e-5)) / 2e-5;
    at(0);
    const gradient = device.values(gradients.get(input)!);
    const expected = direction.reduce((total, v, i) => total + v * gradient[i], 0);
    return Math.abs(difference - expected) / Math.max(Math.abs(difference), Math.abs(expected), 1e-3);
  });
  return Math.max(...differences);
}

const labels = (count: number): Tensor =>
  tensor(
    device,
    Float32Array.from({ length: count }, (_, i) => i % 2),
  );
/** Away from the kinks of relu, where a difference has no meaning: odd multiples of 0.005. */
const apart = (random: Random): number => (random.integer(2000) - 1000) / 100 + 0.005;
/** All different and 0.1 apart, so that no step changes the maximum of a window. */
const different = (): ((random: Random) => number) => {
  const order = new Random(9, RandomStream.synthetic).permutation(150);
  let next = 0;
  return () => order[next++] / 10;
};

const cases: Record<string, Differentiable> = {
  conv2d: { shapes: [[2, 7, 6, 3], [3, 2, 3, 4], [4]], compute: ([x, w, bias]) => conv2d(x, w, { bias }) },
  'conv2d, same, strides and dilation': {
    shapes: [[1, 9, 8, 2], [3, 3, 2, 3], [3]],
    compute: ([x, w, bias]) => conv2d(x, w, { bias, padding: 'same', strides: [2, 1], dilation: [1, 2] }),
  },
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
  'conv2dMaxPool2d, same, strides and dilation': {
    shapes: [[1, 9, 11, 2], [3, 3, 2, 3], [3]],
    compute: ([x, w, bias]) => conv2dMaxPool2d(x, w, { bias, padding: 'same', strides: [2, 1], dilation: [1, 2] }),
  },
  dense: { shapes: [[4, 6], [6, 5], [5]], compute: ([x, w, bias]) => dense(x, w, { bias }) },
  'dense, fused relu': {
    shapes: [[4, 6], [6, 5], [5]],
    compute: ([x, w, bias]) => dense(x, w, { bias, activation: 'relu' }),
    draw: apart,
  },
  addBias: { shapes: [[3, 4], [4]], compute: ([x, bias]) => addBias(x, bias) },
  relu: { shapes: [[40]], compute: ([x]) => relu(x), draw: apart },
  sigmoid: { shapes: [[40]], compute: ([x]) => sigmoid(x) },
  'maxPool2d, overlapping': {
    shapes: [[1, 10, 5, 3]],
    compute: ([x]) => maxPool2d(x, { size: [3, 3], strides: [2, 1], padding: 'same' }),
    draw: different(),
  },
  flatten: { shapes: [[2, 3, 2, 2]], compute: ([x]) => sigmoid(flatten(x)) },
  sum: { shapes: [[3, 5]], compute: ([x]) => sum(sigmoid(x)) },
  mean: { shapes: [[3, 5]], compute: ([x]) => mean(sigmoid(x)) },
  'binary cross-entropy on logits': { shapes: [[12]], compute: ([z]) => binaryCrossEntropyWithLogits(z, labels(12)) },
  'binary cross-entropy, keras2': {
    shapes: [[12]],
    compute: ([p]) => binaryCrossEntropy(p, labels(12), { form: 'keras2' }),
    draw: (random) => random.uniform(0.05, 0.95),
  },
  'binary cross-entropy, keras3': {
    shapes: [[12]],
    compute: ([p]) => binaryCrossEntropy(p, labels(12), { form: 'keras3' }),
    draw: (random) => random.uniform(0.05, 0.95),
  },
  'a tensor that is used twice': { shapes: [[4, 4]], compute: ([x]) => dense(x, x) },
  'the whole network': {
    shapes: [[2, 10, 10, 3], [3, 3, 3, 4], [4], [3, 3, 4, 3], [3], [3, 5], [5], [5, 1], [1]],
    compute([x, w1, b1, w2, b2, w3, b3, w4, b4]) {
      const first = maxPool2d(conv2d(x, w1, { bias: b1, activation: 'relu' }));
      const second = maxPool2d(conv2d(first, w2, { bias: b2, activation: 'relu' }));
      const hidden = dense(flatten(second), w3, { bias: b3, activation: 'relu' });
      return binaryCrossEntropyWithLogits(reshape(dense(hidden, w4, { bias: b4 }), [2]), labels(2));
    },
  },
};

describe('gradients against finite differences', () => {
  // In float64 with h = 1e-5 the truncation is near 1e-10 and the cancellation near 1e-11: 1e-6 is far from both.
  test.each(Object.entries(cases))('%s', (_, differentiable) => {
    expect(worstDifference(differentiable)).toBeLessThan(1e-6);
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
    ).toThrow('augment: transforms expects [2,8], got [3,8]');
  });
});
