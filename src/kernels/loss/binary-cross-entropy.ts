/**
 * Binary cross-entropy per sample, in two forms.
 *
 * On logits z (the default): max(z, 0) − z·y + log(1 + e^−|z|), gradient sigmoid(z) − y. Finite for every finite z.
 *
 * On probabilities p, as Keras computes it: q = clip(p, ε, 1 − ε), −(y·log(q + δ) + (1 − y)·log(1 − q + δ)) with
 * ε = 1e-7; Keras 3 has δ = 0, Keras 2 adds δ = ε once more. The gradient is 0 where p was clipped. In float32
 * 1 − ε rounds to 1 − 2^-23, so that the loss of a wrong certain answer is 15.94 at most, on every device.
 *
 * All tensors are [n]; the mean over the batch is the caller's (`mean`).
 */
import { expectObject, expectText, refuse } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { Expression } from '../../tensor/expression.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import {
  between,
  floats,
  labels,
  type RegisteredKernel,
  type RegisteredOp,
  type RegistryEntry,
} from '../shared/samples.js';
import type { Kernel } from '../../tensor/kernel.js';

/** z, y → loss */
export const logitsForward = elementwiseKernel({
  name: 'binaryCrossEntropyWithLogits',
  inputs: 2,
  formula: ([z, y]) => z.maximum(0).subtract(z.multiply(y)).add(z.abs().negate().exp().log1p()),
});

/** dLoss, z, y → dz */
export const logitsGradient = elementwiseKernel({
  name: 'binaryCrossEntropyWithLogitsGradient',
  inputs: 3,
  formula: ([dLoss, z, y]) => dLoss.multiply(z.sigmoid().subtract(y)),
});

export const logitsOp = defineOp<null>({
  name: 'binaryCrossEntropyWithLogits',
  forward: (inputs) => launch(logitsForward, inputs, null),
  backward: ({ dy, inputs: [z, y] }) => [launch(logitsGradient, [dy, z, y], null)[0], null],
});

/** Loss of each sample from logits z [n] and labels y [n] in 0 … 1. Labels get no gradient. */
export const binaryCrossEntropyWithLogits = (z: Tensor, y: Tensor): Tensor => logitsOp.apply([z, y], null);

/** Which Keras' arithmetic the clipped form follows. */
export type ClippedForm = 'keras3' | 'keras2';

const EPSILON = 1e-7;
const LARGEST = Math.fround(1 - EPSILON);

/**
 * 1 − q + δ from left to right. Drivers would turn it into (1 + δ) − q, which loses the digits of δ; a maximum, which changes nothing
 * where q is no more than LARGEST, stands in their way.
 */
const rest = (q: Expression, delta: number): Expression =>
  Expression.of(1)
    .subtract(q)
    .maximum(1 - LARGEST)
    .add(delta);

function clippedForm(form: ClippedForm) {
  const delta = form === 'keras2' ? EPSILON : 0;
  const name = `binaryCrossEntropy:${form}`;
  const forward = elementwiseKernel({
    name,
    inputs: 2,
    formula([p, y]) {
      const q = p.maximum(EPSILON).minimum(LARGEST);
      const miss = Expression.of(1).subtract(y).multiply(rest(q, delta).log());
      return y.multiply(q.add(delta).log()).add(miss).negate();
    },
  });
  const gradient = elementwiseKernel({
    name: `${name}Gradient`,
    inputs: 3,
    formula([dLoss, p, y]) {
      const slope = Expression.of(1)
        .subtract(y)
        .divide(rest(p, delta))
        .subtract(y.divide(p.add(delta)));
      return p.below(EPSILON).select(0, p.above(LARGEST).select(0, dLoss.multiply(slope)));
    },
  });
  const op = defineOp<null>({
    name,
    forward: (inputs) => launch(forward, inputs, null),
    backward: ({ dy, inputs: [p, y] }) => [launch(gradient, [dy, p, y], null)[0], null],
  });
  return { forward, gradient, op };
}

export const clippedForms: Readonly<Record<ClippedForm, ReturnType<typeof clippedForm>>> = {
  keras3: clippedForm('keras3'),
  keras2: clippedForm('keras2'),
};

/** Loss of each sample from probabilities p [n] and labels y [n] in 0 … 1. Labels get no gradient. */
export function binaryCrossEntropy(p: Tensor, y: Tensor, options: { form?: ClippedForm } = {}): Tensor {
  expectObject(options, 'binaryCrossEntropy: options');
  const { form = 'keras3' } = options;
  expectText(form, 'binaryCrossEntropy: form');
  if (!Object.hasOwn(clippedForms, form))
    refuse(form, 'binaryCrossEntropy: form', Object.keys(clippedForms).join(' or '));
  return clippedForms[form].op.apply([p, y], null);
}

// --- samples

/** Losses: scores of every size, and labels. */
const loss = (
  kernel: Kernel<null>,
  withUpstream: boolean,
  because: string,
  low: number,
  high: number,
): RegisteredKernel => ({
  kernel,
  roundings: 8,
  because,
  sample(random) {
    const count = between(random, 1, 80);
    const scores = floats(random, [count], low, high);
    return {
      inputs: [...(withUpstream ? [floats(random, [count])] : []), scores, labels(random, count)],
      attributes: null,
    };
  },
});

/** Probabilities and labels; not so near to 0 and 1 that a difference would lose its digits. */
const clippedOp = (form: 'keras2' | 'keras3'): RegisteredOp => ({
  op: clippedForms[form].op,
  roundings: 16,
  because: 'own log twice, ten operations',
  constants: [1],
  sample: (random) => ({ inputs: [floats(random, [12], 0.05, 0.95), labels(random, 12)], attributes: null }),
});

export const binaryCrossEntropyEntry: RegistryEntry = {
  kernels: [
    loss(logitsForward, false, 'own e^x and log(1 + x), four operations', -30, 30),
    loss(logitsGradient, true, 'own e^x, four operations', -30, 30),
    // Between 0.001 and 0.999: nearer to the ends 1 − q loses digits in float32 by nature; the golden cases cover them.
    loss(clippedForms.keras3.forward, false, 'own log twice, five operations', 0.001, 0.999),
    loss(clippedForms.keras2.forward, false, 'own log twice, seven operations', 0.001, 0.999),
    loss(clippedForms.keras3.gradient, true, 'two quotients, four operations', 0.001, 0.999),
    loss(clippedForms.keras2.gradient, true, 'two quotients, six operations', 0.001, 0.999),
  ],
  ops: [
    {
      op: logitsOp,
      roundings: 16,
      because: 'own e^x and log(1 + x), eight operations',
      constants: [1],
      sample: (random) => ({ inputs: [floats(random, [12], -5, 5), labels(random, 12)], attributes: null }),
    },
    clippedOp('keras2'),
    clippedOp('keras3'),
  ],
};
