/** An op of a user's own, by the four steps of CONTRIBUTING: softsign, y = x / (1 + |x|). Every check takes it up. */
import { defineOp, elementwiseKernel, floats, gradcheck, launch, type Random, type Tensor } from 'beltnet';
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
