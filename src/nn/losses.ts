/** Losses that `compile` takes. */
import { UsageError } from '../errors.js';
import { binaryCrossEntropy, binaryCrossEntropyWithLogits } from '../kernels/binary-cross-entropy.js';
import type { Tensor } from '../tensor/tensor.js';

export interface Loss {
  readonly name: string;
  readonly config: Readonly<Record<string, number | string>>;
  /** True: it takes the last layer's values before the sigmoid. */
  readonly onLogits: boolean;
  /** scores [n], labels [n] → loss of each sample [n] */
  perSample(scores: Tensor, labels: Tensor): Tensor;
}

/**
 * Binary cross-entropy for a model that ends in a sigmoid.
 *
 * @param options.form 'logits' (default) takes the values before the sigmoid and is finite for all of them, as Keras on
 *   TensorFlow 2 does by itself; 'keras3' and 'keras2' clip the probability to [1e-7, 1 − 1e-7]
 */
export function binaryCrossentropy({ form = 'logits' }: { form?: 'logits' | 'keras3' | 'keras2' } = {}): Loss {
  return {
    name: 'binaryCrossentropy',
    config: { form },
    onLogits: form === 'logits',
    perSample: (scores, labels) =>
      form === 'logits' ? binaryCrossEntropyWithLogits(scores, labels) : binaryCrossEntropy(scores, labels, { form }),
  };
}

export function resolveLoss(loss: Loss | string): Loss {
  if (typeof loss !== 'string') return loss;
  if (loss === 'binaryCrossentropy' || loss === 'binary_crossentropy') return binaryCrossentropy();
  throw new UsageError(`compile: loss expects 'binaryCrossentropy', got '${loss}'`);
}
