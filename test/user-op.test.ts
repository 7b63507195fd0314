/** An op of a user's own, by the four steps of CONTRIBUTING: softsign, y = x / (1 + |x|). Every check takes it up. */
import { expect, test } from 'vitest';
import {
  defineKernel,
  defineOp,
  ENTRY,
  floats,
  gradcheck,
  launch,
  planThreads,
  type Numbers,
  type Random,
} from 'beltnet';
import { openTestDevices } from './support/open-devices.js';

// 1. The kernels with their twins, and 2. the WGSL. x [n] (and dy [n]) → y [n]
const softsignKernel = (name: string, wgsl: string, twin: (x: number, dy: number) => number) =>
  defineKernel<null>({
    name,
    outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
    twin({ inputs: [x, dy = x], outputs: [y] }: Record<'inputs' | 'outputs', readonly Numbers[]>) {
      for (let i = 0; i < x.length; i++) y[i] = twin(x[i], dy[i]);
    },
    wgsl: ({ inputs }) =>
      planThreads(
        /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
${inputs.length === 2 ? '@group(0) @binding(1) var<storage, read> dy: array<f32>;' : ''}
@group(0) @binding(${inputs.length}) var<storage, read_write> y: array<f32>;
${ENTRY}
  let s = 1.0 + abs(x[index]);
  y[index] = ${wgsl};
}`,
        inputs[0][0],
      ),
  });
const forward = softsignKernel('softsign', 'x[index] / s', (x) => x / (1 + Math.abs(x)));
const gradient = softsignKernel('softsignGradient', 'dy[index] / (s * s)', (x, dy) => dy / (1 + Math.abs(x)) ** 2);

// 3. The op
const softsign = defineOp<null>({
  name: 'softsign',
  forward: (inputs) => launch(forward, inputs, null),
  backward: ({ dy, inputs: [x] }) => launch(gradient, [x, dy], null),
});

// 4. The registry's entries
const tolerance = { roundings: 4, because: 'three operations' };
const vector = (random: Random) => floats(random, [21], -3, 3);
const sample = (random: Random) => ({ inputs: [vector(random)], attributes: null });
const two = (random: Random) => ({ inputs: [vector(random), vector(random)], attributes: null });
const kernels = [
  { kernel: forward, ...tolerance, sample },
  { kernel: gradient, ...tolerance, sample: two },
];

test.each([
  ['right', softsign, [true, true, true]],
  ['wrong', defineOp<null>({ ...softsign, backward: ({ dy }) => [dy] }), [false, true, true]],
])('a rule that is %s is found so: op, kernel and gradient kernel', async (_, op, expected) => {
  for (const device of await openTestDevices()) {
    const passed: boolean[] = [];
    for await (const result of gradcheck(device, { kernels, ops: [{ op, ...tolerance, sample }] }))
      passed.push(result.passed);
    expect(passed).toEqual(expected);
    device.destroy();
  }
});
