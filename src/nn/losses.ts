/** Losses that `compile` takes, with Keras' names. */
import { UsageError } from '../errors.js';
import { binaryCrossEntropy, binaryCrossEntropyWithLogits } from '../kernels/loss/binary-cross-entropy.js';
import { reshape } from '../kernels/move/reshape.js';
import { oneHot, smoothLabels } from '../kernels/loss/labels.js';
import { softmaxCrossEntropy } from '../kernels/loss/softmax-cross-entropy.js';
import { halfSquaredErrors, meanSquaredErrors } from '../kernels/loss/squared-errors.js';
import { checkNames, preview } from '../options.js';
import type { Tensor } from '../tensor/tensor.js';

export interface Loss {
  readonly name: string;
  readonly config: Readonly<Record<string, number | string>>;
  /** True: it takes the last layer's values before its activation. */
  readonly onLogits: boolean;
  /** What the model must end in: one sigmoid unit, softmax over the classes, or anything. */
  readonly ending: 'sigmoid' | 'softmax' | 'any';
  /** scores [n,units], class indices [n] → loss of each sample [n] */
  perSample(scores: Tensor, labels: Tensor): Tensor;
}

/** @throws UsageError unless 0 ≤ labelSmoothing < 1 */
function checkSmoothing(loss: string, labelSmoothing: number): void {
  if (typeof labelSmoothing !== 'number' || !(labelSmoothing >= 0 && labelSmoothing < 1))
    throw new UsageError(`${loss}: labelSmoothing expects a number from 0 up to 1, got ${preview(labelSmoothing)}`);
}

const vector = (scores: Tensor): Tensor => reshape(scores, [scores.size]);

/**
 * Binary cross-entropy for a model that ends in a sigmoid.
 *
 * @param options.form 'logits' (default) takes the values before the sigmoid and is finite for all of them, as Keras on
 *   TensorFlow 2 does by itself; 'keras3' and 'keras2' clip the probability to [1e-7, 1 − 1e-7]
 * @param options.labelSmoothing s: labels become s/2 and 1 − s/2
 */
export function binaryCrossentropy(
  options: { form?: 'logits' | 'keras3' | 'keras2'; labelSmoothing?: number } = {},
): Loss {
  checkNames('binaryCrossentropy', options, { form: true, labelSmoothing: true });
  const { form = 'logits', labelSmoothing = 0 } = options;
  checkSmoothing('binaryCrossentropy', labelSmoothing);
  return {
    name: 'binaryCrossentropy',
    config: { form, ...(labelSmoothing > 0 && { labelSmoothing }) },
    onLogits: form === 'logits',
    ending: 'sigmoid',
    perSample(scores, labels) {
      const targets = labelSmoothing > 0 ? smoothLabels(labels, { smoothing: labelSmoothing }) : labels;
      return form === 'logits'
        ? binaryCrossEntropyWithLogits(vector(scores), targets)
        : binaryCrossEntropy(vector(scores), targets, { form });
    },
  };
}

/**
 * Categorical cross-entropy for a model that ends in a softmax over the classes; it takes the values before it.
 * @param options.labelSmoothing s: the class gets 1 − s + s/K, the others s/K
 */
export function categoricalCrossentropy(options: { labelSmoothing?: number } = {}): Loss {
  checkNames('categoricalCrossentropy', options, { labelSmoothing: true });
  const { labelSmoothing = 0 } = options;
  checkSmoothing('categoricalCrossentropy', labelSmoothing);
  return {
    name: 'categoricalCrossentropy',
    config: labelSmoothing > 0 ? { labelSmoothing } : {},
    onLogits: true,
    ending: 'softmax',
    perSample: (scores, labels) =>
      softmaxCrossEntropy(scores, oneHot(labels, { classes: scores.shape[1], smoothing: labelSmoothing })),
  };
}

/** Labels as what squared errors are measured against: themselves for one unit, else one-hot rows. */
const targetsOf = (scores: Tensor, labels: Tensor): Tensor =>
  scores.shape[1] === 1 ? reshape(labels, scores.shape) : oneHot(labels, { classes: scores.shape[1] });

/** Mean over the units of (a − y)². */
export const meanSquaredError = (): Loss => ({
  name: 'meanSquaredError',
  config: {},
  onLogits: false,
  ending: 'any',
  perSample: (scores, labels) => meanSquaredErrors(scores, targetsOf(scores, labels)),
});

/** ½ · sum over the units of (y − a)², whose gradient is a − y. */
export const halfQuadratic = (): Loss => ({
  name: 'halfQuadratic',
  config: {},
  onLogits: false,
  ending: 'any',
  perSample: (scores, labels) => halfSquaredErrors(scores, targetsOf(scores, labels)),
});

const byName = {
  binaryCrossentropy,
  binary_crossentropy: binaryCrossentropy,
  categoricalCrossentropy,
  categorical_crossentropy: categoricalCrossentropy,
  meanSquaredError,
  mean_squared_error: meanSquaredError,
  mse: meanSquaredError,
  halfQuadratic,
} as const;

export type LossName = keyof typeof byName;

/** @throws UsageError for a name that is not known */
export function resolveLoss(loss: Loss | LossName): Loss {
  if (typeof loss !== 'string') return loss;
  if (Object.hasOwn(byName, loss)) return byName[loss]();
  throw new UsageError(`compile: loss expects one of ${Object.keys(byName).join(', ')}, got '${loss}'`);
}
