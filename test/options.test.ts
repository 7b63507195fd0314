/** Options that are misspelt or of another kind are refused by name, with the nearest known one. */
import {
  adam,
  adamW,
  AveragePooling2D,
  binaryCrossentropy,
  Concatenate,
  Conv2D,
  cosineDecay,
  Dense,
  Dropout,
  imageDataGenerator,
  input,
  Model,
  openDevice,
  ReferenceDevice,
  Reshape,
  rmsprop,
  Sequential,
  sgd,
  UsageError,
  ZeroPadding2D,
} from 'beltnet';
import { describe, expect, test } from 'vitest';

/** What JavaScript lets pass. */
const loose = (value: unknown): never => value as never;

const model = () => new Sequential([new Dense(1, { inputShape: [2], activation: 'sigmoid' })]);

describe('options', () => {
  test.each<[string, () => unknown, string]>([
    [
      'a list',
      () => new AveragePooling2D(loose([2, 2])),
      'AveragePooling2D: expects an object of options, for example { name: … }, got [2,2]',
    ],
    ['a letter', () => new Dense(1, loose({ activaton: 'relu' })), "got 'activaton'; did you mean 'activation'?"],
    ['Keras’ spelling', () => new Conv2D(1, 3, loose({ use_bias: false })), "got 'use_bias'; did you mean 'useBias'?"],
    ['nothing near', () => new Conv2D(1, 3, loose({ weights: [] })), "kernelRegularizer, groups, got 'weights'"],
    [
      'an activation',
      () => new Dense(1, { activation: loose('rleu') }),
      'Dense: activation expects one of linear, relu, sigmoid',
    ],
    ['a flag', () => new Dense(1, { useBias: loose(0) }), 'Dense: useBias expects true or false, got 0'],
    ['nothing', () => new Dense(loose(undefined)), 'Dense: units expects an integer from 1 to 1048576, got nothing'],
    [
      'a regularizer',
      () => new Dense(1, { kernelRegularizer: loose({ l1: 1 }) }),
      'kernelRegularizer expects { l2: a number of at least 0 }, or null, got {"l1":1}',
    ],
    [
      'a pair',
      () => new Conv2D(1, loose([3])),
      'kernelSize expects an integer from 1 to 4096 or two of them, of rows and columns, got [3]',
    ],
    ['a rate', () => new Dropout(1), 'Dropout: rate expects a number from 0 up to 1, got 1'],
    [
      'an axis',
      () => new Concatenate({ axis: 0 }),
      'Concatenate: axis expects an integer other than 0, the batch, got 0',
    ],
    [
      'lengths',
      () => new Reshape([0]),
      'Reshape: targetShape expects a list of up to 8 integers from 1 to 1048576, got [0]',
    ],
    ['sides', () => new ZeroPadding2D({ padding: [1, -1] }), 'padding expects an integer from 0 to 4096, two of them'],
    ['a generator', () => imageDataGenerator(loose({ horizontal_flip: true })), "did you mean 'horizontalFlip'?"],
    [
      'adam',
      () => adam(loose({ learningrate: 1 })),
      "adam: expects the options learningRate, globalClipNorm, beta1, beta2, epsilon, correction, got 'learningrate'; did you mean 'learningRate'?",
    ],
    ['adamW', () => adamW(loose({ weigthDecay: 1 })), "did you mean 'weightDecay'?"],
    ['sgd', () => sgd(loose({ nestrov: true })), "did you mean 'nesterov'?"],
    ['rmsprop', () => rmsprop(loose({ rho2: 1 })), "did you mean 'rho'?"],
    ['a schedule', () => cosineDecay(loose({ initialLearningRate: 1, decayStep: 1 })), "did you mean 'decaySteps'?"],
    ['a loss', () => binaryCrossentropy(loose({ label_smoothing: 0.1 })), "did you mean 'labelSmoothing'?"],
    [
      'a model',
      () => new Sequential([], loose({ sead: 1 })),
      "Sequential: expects the options seed, got 'sead'; did you mean 'seed'?",
    ],
    [
      'compile',
      () => model().compile(loose({ device: new ReferenceDevice(), optimiser: 'sgd' })),
      "did you mean 'optimizer'?",
    ],
    ['a graph', () => new Model(loose({ input: 1 })), "Model: expects the options inputs, outputs, seed, got 'input'"],
    ['half a graph', () => new Model({ inputs: input({ shape: [2] }) }), 'expects inputs and outputs, got inputs only'],
    ['an input', () => input(loose({ shapes: [2] })), "input: expects the options shape, got 'shapes'"],
    ['a shape', () => input(loose({ shape: 2 })), 'input: shape expects a list of integers of at least 1, got 2'],
    [
      'metrics',
      () => model().compile({ device: new ReferenceDevice(), metrics: loose(['auc']) }),
      'compile: metrics expects \'accuracy\', got ["auc"]; rocAuc',
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(UsageError);
    expect(make).toThrow(message);
  });

  test.each<[string, (compiled: Sequential) => Promise<unknown>, string]>([
    ['fit', (compiled) => compiled.fit(loose({}), loose({ epoch: 3 })), "got 'epoch'; did you mean 'epochs'?"],
    ['fit', (compiled) => compiled.fit(loose({}), loose({ validation_data: 1 })), "did you mean 'validationData'?"],
    ['evaluate', (compiled) => compiled.evaluate(loose({}), loose({ step: 1 })), "did you mean 'steps'?"],
    ['predict', (compiled) => compiled.predict(loose({}), loose({ onScore: 1 })), "did you mean 'onScores'?"],
    ['openDevice', () => openDevice('cpu', loose({ thread: 1 })), "did you mean 'threads'?"],
  ])('%s, told before anything is done', async (place, run, message) => {
    const compiled = model().compile({ device: new ReferenceDevice() });
    const told = run(compiled);
    await expect(told).rejects.toThrow(UsageError);
    await expect(told).rejects.toThrow(`${place}: expects the options `);
    await expect(told).rejects.toThrow(message);
  });

  test('what is left out or undefined takes the default', () => {
    expect(new Conv2D(4, 3, loose({ strides: undefined })).options).toEqual({
      filters: 4,
      kernelSize: [3, 3],
      strides: [1, 1],
      padding: 'valid',
      dilationRate: [1, 1],
      activation: 'linear',
      useBias: true,
      kernelRegularizer: null,
      groups: 1,
    });
    expect(new AveragePooling2D({ poolSize: 3 }).options).toEqual({
      poolSize: [3, 3],
      strides: [3, 3],
      padding: 'valid',
    });
  });
});
