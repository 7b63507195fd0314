/** What a device makes of a drawn network, and how far it is from the plain twins in float64. */
import { ReferenceDevice, sgd, type Device } from '../../src/index.js';
import { drawNetwork } from './drawn-network.js';

type Values = ArrayLike<number>;

interface Made {
  readonly predictions: Values;
  readonly alone: Values;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Values>>;
  readonly afterwards: Values;
  readonly lossAfterwards: number;
}

/** Predictions of all pictures and of the first alone, a training step, predictions and loss afterwards. */
async function make(seed: number, device: Device): Promise<Made & { readonly text: string }> {
  const { model, classes, x, y, count, text } = await drawNetwork(seed);
  const loss = classes === 1 ? 'binaryCrossentropy' : 'categoricalCrossentropy';
  model.compile({ device, optimizer: sgd({ learningRate: 0.05 }), loss });
  const made = {
    predictions: await model.predictOnBatch(x),
    alone: await model.predictOnBatch(x.subarray(0, x.length / count)),
    loss: (await model.trainOnBatch(x, y)).loss,
    gradients: Object.fromEntries(Object.entries(await model.getGradients()).map(([name, { data }]) => [name, data])),
    afterwards: await model.predictOnBatch(x),
    lossAfterwards: (await model.testOnBatch(x, y)).loss,
    text,
  };
  model.destroy();
  return made;
}

const apart = (a: Values, b: Values): number =>
  Array.from(a).reduce((most, value, at) => Math.max(most, Math.abs(value - b[at])), a.length === b.length ? 0 : NaN);
const largest = (values: Values): number => apart(values, new Float64Array(values.length));

/**
 * Rounding of float32 is some 1e-6 of a probability; a gradient's is more where batch normalization divides by what little a few values differ. A
 * wrong window, axis, fold or place in memory shows from a hundredth on.
 */
const LIMITS = { prediction: 1e-5, loss: 1e-4, gradient: 1e-3, afterwards: 1e-3 };

const reference = new ReferenceDevice();

/** @returns what is wrong with what the device makes of the network, the network first; '' when nothing is */
export async function differencesOf(seed: number, device: Device): Promise<string> {
  const got = await make(seed, device);
  const expected = await make(seed, reference);
  const scale = Math.max(1e-3, ...Object.values(expected.gradients).map(largest));
  const found: readonly (readonly [string, number, number])[] = [
    ['predictions', apart(got.predictions, expected.predictions), LIMITS.prediction],
    // The same bits: a picture's verdict does not depend on its company.
    ['a picture alone', apart(got.alone, Array.from(got.predictions).slice(0, got.alone.length)), 0],
    ['loss', Math.abs(got.loss - expected.loss) / (1 + expected.loss), LIMITS.loss],
    ...Object.entries(expected.gradients).map(
      ([name, values]) => [`gradient ${name}`, apart(got.gradients[name], values) / scale, LIMITS.gradient] as const,
    ),
    ['predictions after a step', apart(got.afterwards, expected.afterwards), LIMITS.afterwards],
    [
      'loss after a step',
      Math.abs(got.lossAfterwards - expected.lossAfterwards) / (1 + expected.lossAfterwards),
      LIMITS.afterwards,
    ],
  ];
  const wrong = found.filter(([, difference, limit]) => !(difference <= limit));
  if (wrong.length === 0) return '';
  return `network ${seed} on ${device.description.name}\n${got.text}\n${wrong
    .map(([what, difference, limit]) => `${what}: ${difference}, at most ${limit}`)
    .join('\n')}`;
}
