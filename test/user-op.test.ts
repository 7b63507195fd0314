/** An op of a user's own, by the four steps of CONTRIBUTING: softsign, y = x / (1 + |x|). Every check takes it up. */
import { defineOp, elementwiseKernel, floats, gradcheck, launch, tensor, type Tensor } from 'beltnet';
import { Random, RandomStream } from '../src/tensor/random.js';
import { expect, test } from 'vitest';
import { openTestDevices } from './support/open-devices.js';

// 1. and 2. The kernels, each as one formula
const forward = elementwiseKernel({
  name: 'softsign',
  inputs: 1,
  formula: ([x]) => x.divide(x.abs().add(1)),
});
/** dy, x → dx */
const gradient = elementwiseKernel({
  name: 'softsignGradient',
  inputs: 2,
  formula: ([dy, x]) => dy.divide(x.abs().add(1).square()),
});

// 3. The op, and the function that users call
const op = defineOp<null>({
  name: 'softsign',
  forward: (inputs) => launch(forward, inputs, null),
  backward: ({ dy, inputs: [x] }) => launch(gradient, [dy, x], null),
});
export const softsign = (x: Tensor): Tensor => op.apply([x], null);

// 4. The registry's entries
const tolerance = { roundings: 4, because: 'three operations' };
const vectors = (count: number) => (random: Random) => ({
  inputs: Array.from({ length: count }, () => floats(random, [21], -3, 3)),
  attributes: null,
});
const kernels = [
  { kernel: forward, ...tolerance, sample: vectors(1) },
  { kernel: gradient, ...tolerance, sample: vectors(2) },
];

test.each([
  ['right', op, [true, true, true]],
  ['wrong', defineOp<null>({ ...op, backward: ({ dy }) => [dy] }), [false, true, true]],
])('a rule that is %s is found so: op, kernel and gradient kernel', async (_, each, expected) => {
  for (const device of await openTestDevices()) {
    const passed: boolean[] = [];
    const ops = [{ op: each, ...tolerance, sample: vectors(1) }];
    for await (const result of gradcheck(device, { kernels, ops })) passed.push(result.passed);
    expect(passed).toEqual(expected);
    device.destroy();
  }
});

// What a user's formula may call: every element against JavaScript's float64, relatively, near 0 and far from it.
const bands = [
  [1e-6, 1e-4],
  [1e-3, 0.1],
  [0.1, 0.45],
  [0.45, 0.6],
  [0.6, 3],
  [3, 20],
];
const random = new Random(11, RandomStream.synthetic);
const numbersOf = ([low, high]: number[], signs: readonly number[]): Float32Array =>
  Float32Array.from({ length: 201 }, (_, i) => signs[i % signs.length] * random.uniform(low, high));

test.each([
  ['exp', 2, [1, -1], Math.exp],
  ['expm1', 2, [1, -1], Math.expm1],
  ['log', 2, [1], Math.log],
  ['log1p', 2, [1], Math.log1p],
  ['tanh', 2, [1, -1], Math.tanh],
  ['sigmoid', 2, [1, -1], (x: number) => 1 / (1 + Math.exp(-x))],
  ['sqrt', 3, [1], Math.sqrt], // WebGPU promises no more
] as const)('%s of any number, within %i ulp', async (name, ulp, signs, compute) => {
  const kernel = elementwiseKernel({ name: `own ${name}`, inputs: 1, formula: ([x]) => x[name]() });
  for (const device of await openTestDevices()) {
    for (const band of bands) {
      const x = numbersOf(band, signs);
      const [y] = launch(kernel, [tensor(device, x)], null);
      const got = await y.read();
      const errors = Array.from(x, (value, i) => Math.abs(got[i] / compute(value) - 1) * 2 ** 23);
      expect(Math.max(...errors), `${device.description.kind}, ${String(band)}`).toBeLessThan(ulp);
    }
    device.destroy();
  }
});
