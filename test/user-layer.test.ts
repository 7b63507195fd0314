/** A layer of a user's own, with an option and a parameter: trained, saved and loaded. All that it takes is in this file. */
import {
  addBias,
  decodeModel,
  Dense,
  encodeModel,
  encodeOnnx,
  encodeTorchSafetensors,
  exportKeras,
  Layer,
  type LayerTensors,
  type ModelInfo,
  options,
  type ParameterDescription,
  registerLayer,
  Sequential,
  type Shape,
  type Tensor,
} from 'beltnet';
import { expect, test } from 'vitest';
import { openTestCpu } from './support/open-devices.js';

// 1. The layer: x + shift for each channel, with a shift that begins at `start` and is trained
const schema = {
  start: options.optional(
    options.number('a number from -1 to 1', (start) => Math.abs(start) <= 1),
    0,
  ),
};

class Shift extends Layer<typeof schema> {
  static readonly kind = 'Shift';
  static readonly schema = schema;

  outputShape(input: Shape): Shape {
    return input;
  }

  override parameters(input: Shape): readonly ParameterDescription[] {
    const channels = input[input.length - 1];
    const initialize = () => new Float32Array(channels).fill(this.options.start);
    return [{ name: 'shift', shape: [channels], initialize }];
  }

  call([x]: readonly Tensor[], { shift }: LayerTensors): Tensor {
    return addBias(x, shift);
  }
}

// 2. Model files know it by its kind
registerLayer(Shift);

const info: ModelInfo = {
  classNames: ['a', 'b'],
  preprocessing: { interpolation: 'nearest', rescale: 1 },
  alert: { className: 'a', threshold: 0.5 },
};
const modelWith = (layer: Layer): Sequential =>
  new Sequential([new Dense(3, { inputShape: [2] }), layer, new Dense(1, { activation: 'sigmoid' })]);

test('it is trained, saved and loaded, and predicts the same', async () => {
  const device = await openTestCpu();
  const x = Float32Array.from([0.5, -1, 2, 0.25]);
  const model = modelWith(new Shift({ start: 0.5 })).compile({ device, optimizer: 'sgd' });
  await model.trainOnBatch(x, [0, 1]);
  const { 'shift.shift': trained } = await model.getWeights();
  expect([...trained.data]).not.toEqual([0.5, 0.5, 0.5]);

  const loaded = decodeModel(await encodeModel(model, info), 'it').model;
  expect(loaded.layers[1]).toBeInstanceOf(Shift);
  expect(loaded.layers[1].options).toEqual({ start: 0.5 });
  expect(await loaded.compile({ device }).predictOnBatch(x)).toEqual(await model.predictOnBatch(x));
  loaded.destroy();
  model.destroy();
  device.destroy();
});

test('its options are checked as those of beltnet’s layers are', () => {
  expect(() => new Shift(JSON.parse('{"strat":1}') as object)).toThrow(
    "Shift: expects the options name, inputShape, trainable, start, got 'strat'; did you mean 'start'?",
  );
  expect(() => new Shift({ start: 2 })).toThrow('Shift: start expects a number from -1 to 1, got 2');
});

test('a file with a wrong option is refused', async () => {
  const text = new TextDecoder('latin1').decode(await encodeModel(modelWith(new Shift({ start: 0.5 })), info));
  const bytes = Uint8Array.from(text.replace('\\"start\\":0.5', '\\"start\\":9.5'), (letter) => letter.charCodeAt(0));
  expect(() => decodeModel(bytes, 'it')).toThrow(/start expects a number from -1 to 1, got 9.5|checksum/);
});

class Unknown extends Shift {
  static override readonly kind = 'Unknown' as 'Shift';
}
class Disguised extends Shift {}
/** What it keeps is not what it was given: loaded, it would be read once more. */
class Doubled extends Shift {
  static override readonly kind = 'Doubled' as 'Shift';
  static override readonly schema = {
    start: { ...schema.start, read: (given: unknown) => 2 * (given as number) },
  };
}
registerLayer(Doubled);
class Odd extends Layer<{ value: options.Kind }> {
  static readonly kind = 'Odd';
  static readonly schema = { value: { expects: 'anything', read: (given: unknown) => given } };
  outputShape = (input: Shape): Shape => input;
  call = ([x]: readonly Tensor[]): Tensor => x;
}
registerLayer(Odd);

test.each([
  ['not registered', () => new Unknown(), "layer 'unknown': expects a class that can be loaded again, got Unknown"],
  [
    'derived of a registered class',
    () => new Disguised(),
    'got Disguised (Shift); call registerLayer(Disguised) first',
  ],
  ['that reads what it kept as another', () => new Doubled({ start: 1 }), /JSON keeps, got .*2}, which loads as .*4}/],
  ['with NaN', () => new Odd({ value: [NaN] }), /finite numbers, lists and objects, got NaN/],
  ['with an option that JSON changes', () => new Odd({ value: new Set([1]) }), /lists and objects, got a object/],
  ['with an option that JSON drops', () => new Odd({ value: () => 1 }), /value expects anything, got nothing/],
])('a layer %s is refused when it is saved', async (_, make, message) => {
  await expect(encodeModel(modelWith(make()), info)).rejects.toThrow(message);
});

test('other formats name a layer that they have no form for', async () => {
  const model = modelWith(new Shift());
  await expect(encodeOnnx(model, info)).rejects.toThrow("layer 'shift' of kind Shift has no ONNX form");
  await expect(encodeTorchSafetensors(model, info)).rejects.toThrow("layer 'shift' of kind Shift has no PyTorch form");
  await expect(exportKeras(model)).rejects.toThrow("layer 'shift' of kind Shift has no Keras form");
});

test('a kind belongs to one class', () => {
  expect(() => registerLayer(Shift)).not.toThrow(); // again, as a module that is loaded twice does
  expect(() => registerLayer(Disguised)).toThrow(
    "registerLayer: expects a kind of its own for each class, got 'Shift'",
  );
});
