/** A trained model as a function from pictures to verdicts: what command line, page, line and users' programs call. */
import { expectArray, expectBytes, expectFunction, expectObject, expectWhole, objectWith, refuse } from '../expect.js';
import { DataError, ModelFileError, NotANumberError, UsageError } from '../errors.js';
import { DataFlow } from '../data/batches.js';
import { decode } from '../data/pictures/decode.js';
import type { Picture } from '../data/pictures/picture.js';
import { prepareNamed, type Size } from '../data/pictures/resize.js';
import type { Pictures } from '../data/store/picture-store.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { decodeModel } from '../formats/beltnet/model.js';
import type { Model } from '../nn/model.js';
import { Device } from '../tensor/device.js';
import { openDevice, type DeviceName, type OpenDeviceOptions } from '../tensor/open-device.js';
import { preparationOf, type PicturePreparation } from './preparation.js';
import { Predictor } from './predictor.js';
import { KNOWN_SECTIONS, temperatureOf, withThreshold } from './tuning.js';
import { judge, type Classification, type Prediction, type Verdict } from './verdict.js';

/** As a canvas gives it: `ImageData`. */
export interface RgbaPicture {
  readonly width: number;
  readonly height: number;
  /** [height, width, 4] */
  readonly data: Uint8ClampedArray;
}

/** A file's bytes (JPEG, PNG or BMP), or pixels: RGB, or RGBA as a canvas gives them, whose alpha is dropped. */
export type PictureInput = Uint8Array | ArrayBuffer | Picture | RgbaPicture;

export interface OpenClassifierOptions extends OpenDeviceOptions {
  /** What messages call the model. */
  readonly name?: string;
  /** An open device, which stays open when the classifier goes, or which one to open. Default `auto`. */
  readonly device?: Device | DeviceName;
  /** Most pictures a step. Default 32. */
  readonly batchSize?: number;
  /** In place of the model's own: the alert is raised from this probability on. */
  readonly threshold?: number | undefined;
}

/** A model from a file. */
export interface NamedModel {
  readonly name: string;
  readonly model: Model;
  readonly info: ModelInfo;
}

/** What differs between Node and browsers. */
export interface Platform {
  readonly decode: typeof decode;
  readonly openDevice: (name: DeviceName, options: OpenDeviceOptions) => Promise<Device>;
}

/** A model on a device. */
export interface PlacedModel extends NamedModel {
  readonly device: Device;
  /** Whether the device goes with the classifier. */
  readonly ownsDevice: boolean;
  readonly predictor: Predictor;
}

interface Waiting {
  readonly name: string;
  /** [height, width, 3] */
  readonly picture: Uint8Array;
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: unknown) => void;
}

type OnPrediction = (index: number, prediction: Prediction) => void;

/** @throws UsageError unless it is a classifier */
export function expectClassifier(value: unknown, what: string): asserts value is Classifier {
  if (!(value instanceof Classifier)) refuse(value, what, 'a Classifier');
}

const expectPlaced = objectWith({
  model: objectWith({ inputShape: expectArray }),
  info: objectWith({ preprocessing: expectObject }),
  device: expectObject,
  predictor: expectObject,
});

/** `openClassifier` (and in Node `loadClassifier`) makes it. Any number of callers may use it at once. */
export class Classifier {
  readonly name: string;
  readonly model: Model;
  readonly info: ModelInfo;
  readonly device: Device;
  /** What is done to every picture. */
  readonly preparation: PicturePreparation;
  readonly #ownsDevice: boolean;
  readonly #batchSize: number;
  readonly #decode: Platform['decode'];
  /** Pictures of all callers, in the order of their calls. */
  readonly #waiting: Waiting[] = [];
  #working: Promise<void> | null = null;
  #isDestroyed = false;

  readonly #predictor: Predictor;

  constructor(placed: PlacedModel, batchSize: number, decodePicture: Platform['decode']) {
    expectPlaced(placed, 'Classifier: model');
    expectWhole(batchSize, 'Classifier: batchSize', 1, 2 ** 20);
    expectFunction(decodePicture, 'Classifier: decode');
    this.name = placed.name;
    this.model = placed.model;
    this.info = placed.info;
    this.device = placed.device;
    this.preparation = preparationOf(placed.info, inputSize(placed));
    this.#predictor = placed.predictor;
    this.#ownsDevice = placed.ownsDevice;
    this.#batchSize = batchSize;
    this.#decode = decodePicture;
  }

  /**
   * What the model says about a picture, or about each of many, in their order: there a picture that has no verdict brings
   * `{ error }` and keeps no other from its own.
   *
   * @param given must not change before the verdicts are there
   * @throws DataError for one picture that cannot be used; NotANumberError when its scores are no numbers; UsageError for
   *   what is no picture, or when the classifier was destroyed
   */
  classify(given: PictureInput): Promise<Verdict>;
  classify(given: readonly PictureInput[]): Promise<Classification[]>;
  async classify(given: PictureInput | readonly PictureInput[]): Promise<Verdict | Classification[]> {
    if (!Array.isArray(given)) return this.classifyNamed(given as PictureInput, 'picture');
    const results: Classification[] = [];
    for (let first = 0; first < given.length; first += this.#batchSize) {
      const some = given.slice(first, first + this.#batchSize) as readonly PictureInput[];
      const verdicts = some.map((one, n) => settled(this.classifyNamed(one, `picture ${first + n}`)));
      results.push(...(await Promise.all(verdicts)));
    }
    return results;
  }

  /** @param name what messages call the picture */
  protected async classifyNamed(given: PictureInput, name: string): Promise<Verdict> {
    this.checkUsable();
    return this.classifyPrepared(this.prepare(given, name), name);
  }

  /**
   * What the model says about a picture that is decoded, cut and resized already as `preparation.picture` says.
   * @param picture [height, width, 3] of the model; must not change before the verdict is there
   * @param name what messages call it
   * @throws UsageError for another size, or when the classifier was destroyed; NotANumberError
   */
  async classifyPrepared(picture: Uint8Array, name: string): Promise<Verdict> {
    expectBytes(picture, 'classifyPrepared: picture');
    this.checkUsable();
    const { width, height } = this.preparation.picture.size;
    if (picture.length !== width * height * 3)
      throw new UsageError(`${name}: classifyPrepared expects [${height},${width},3], got ${picture.length} bytes`);
    // Pictures of all callers wait in one row and go to the device together.
    return new Promise((resolve, reject) => {
      this.#waiting.push({ name, picture, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  /** Decodes, cuts and resizes: [height, width, 3] of the model. */
  protected prepare(given: PictureInput, name: string): Uint8Array {
    const isFile = given instanceof Uint8Array || given instanceof ArrayBuffer;
    const { exif = false } = this.preparation.picture;
    const picture = isFile ? this.#decode(new Uint8Array(given), name, { exif }) : rgbOf(given, name);
    return prepareNamed(picture, name, this.preparation.picture).data;
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // whoever calls in the same turn comes along
    while (this.#waiting.length > 0) {
      // Powers of two, since a device prepares itself anew for every number of pictures.
      const together = 2 ** (31 - Math.clz32(Math.min(this.#waiting.length, this.#batchSize)));
      const batch = this.#waiting.splice(0, together);
      try {
        const pictures = new Uint8Array(batch.length * batch[0].picture.length);
        for (const [n, { picture }] of batch.entries()) pictures.set(picture, n * picture.length);
        const predictions = await this.#predict(pictures, this.#batchSize);
        for (const [n, { name, resolve, reject }] of batch.entries()) {
          try {
            resolve(judge(predictions[n], this.info, name));
          } catch (error) {
            reject(error);
          }
        }
      } catch (error) {
        for (const { reject } of batch) reject(error); // the device is lost, say
      }
    }
    this.#working = null; // in the same turn as the last look at the row: nobody is left waiting in it
  }

  /**
   * What the model says about prepared pictures, [N]. Nobody has looked at the numbers: they may be NaN.
   *
   * @param pictures [N, height, width, 3]
   * @param onEach takes each picture's as soon as it is there
   */
  async predict(
    pictures: Pictures,
    { batchSize = this.#batchSize, onEach }: { batchSize?: number; onEach?: OnPrediction } = {},
  ): Promise<Prediction[]> {
    this.checkUsable();
    return this.#predict(pictures, batchSize, onEach);
  }

  async #predict(pictures: Pictures, batchSize: number, onEach?: OnPrediction): Promise<Prediction[]> {
    const all: Prediction[] = [];
    await this.predictEach(pictures, batchSize, (index, prediction) => {
      all[index] = prediction;
      onEach?.(index, prediction);
    });
    return all;
  }

  /** The same of any number of pictures: what is said of them is handed on, and not kept. */
  protected async predictEach(pictures: Pictures, batchSize: number | undefined, onEach: OnPrediction): Promise<void> {
    const { width, height } = this.preparation.picture.size;
    const set = { name: 'pictures to classify', pictures, pictureShape: [height, width, 3] as const };
    const { values } = this.preparation;
    const flow = new DataFlow(set, { batchSize: batchSize ?? this.#batchSize, shuffle: false, ...values });
    await this.#predictor.each(flow, onEach);
  }

  /** @throws UsageError when the classifier was destroyed */
  protected checkUsable(): void {
    if (this.#isDestroyed)
      throw new UsageError(`${this.name}: classify expects an open classifier, got a destroyed one`);
  }

  /** Waits for the verdicts that were asked for, then frees the model, and the device if the classifier opened it. */
  async destroy(): Promise<void> {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    await this.#working;
    this.#predictor.destroy();
    this.model.destroy();
    if (this.#ownsDevice) this.device.destroy();
  }
}

/** What is wrong with a picture as its result; what is wrong with the call, or the device, is thrown. */
export async function settled(verdict: Promise<Verdict>): Promise<Classification> {
  try {
    return await verdict;
  } catch (error) {
    if (error instanceof DataError || error instanceof NotANumberError) return { error };
    throw error;
  }
}

/** @throws UsageError unless it is RGB or RGBA */
function rgbOf(given: unknown, name: string): Picture {
  const { width, height, data } = (given ?? {}) as Partial<Record<'width' | 'height' | 'data', unknown>>;
  const pixels = Number.isSafeInteger(width) && Number.isSafeInteger(height) ? Number(width) * Number(height) : 0;
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  const channels = isBytes && pixels > 0 ? data.length / pixels : 0;
  if (!isBytes || (channels !== 3 && channels !== 4) || Number(width) < 1)
    throw new UsageError(
      `${name}: classify expects the bytes of a picture file, or { width, height, data } with RGB or RGBA bytes, got ${inWords(given)}`,
    );
  const size = { width: width as number, height: height as number };
  if (channels === 3) return { ...size, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  const rgb = new Uint8Array(pixels * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    rgb[to++] = data[from];
    rgb[to++] = data[from + 1];
    rgb[to++] = data[from + 2];
  }
  return { ...size, data: rgb };
}

function inWords(given: unknown): string {
  if (typeof given === 'string') return 'a text (in Node classifyFile takes paths)';
  if (given === null || typeof given !== 'object') return String(given);
  return `${given.constructor?.name ?? 'an object'} with ${Object.keys(given).slice(0, 5).join(', ') || 'nothing'}`;
}

/** Of the pictures that the model takes. @throws ModelFileError when they are not RGB */
export function inputSize({ name, model }: NamedModel): Size {
  const [height, width, channels] = model.inputShape;
  if (channels === 3) return { width, height };
  throw new ModelFileError(
    `${name}: expects a model of pictures with 3 channels (RGB), got one of [${model.inputShape.join(',')}]`,
  );
}

/** Opens the device, if need be, and puts the model on it. @throws ModelFileError for a model that does not classify RGB pictures */
export async function placeModel(
  named: NamedModel,
  given: OpenClassifierOptions,
  open: Platform['openDevice'],
): Promise<PlacedModel> {
  const { device: wanted = 'auto', batchSize = 32, threshold, name: _, ...options } = given;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new UsageError(`batchSize: expects a whole number from 1, got ${String(batchSize)}`);
  inputSize(named);
  const info = threshold === undefined ? named.info : withThreshold(named.info, threshold);
  temperatureOf(info, named.name);
  const ownsDevice = !(wanted instanceof Device);
  const device = wanted instanceof Device ? wanted : await open(wanted, options);
  try {
    named.model.compile({ device });
    const predictor = await Predictor.of(named.model, info, device, named.name);
    return { ...named, info, device, ownsDevice, predictor };
  } catch (error) {
    if (ownsDevice) device.destroy();
    // Every other layer than one sigmoid unit or a softmax at its end
    if (error instanceof UsageError) throw new ModelFileError(`${named.name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/**
 * A classifier from the bytes of a model file.
 *
 * @throws ModelFileError when they are damaged or no model of RGB pictures; NoDeviceError
 * @example
 * const classifier = await openClassifier(new Uint8Array(await (await fetch('model.safetensors')).arrayBuffer()));
 * const { class: name, probability, alert } = await classifier.classify(await file.arrayBuffer());
 */
export async function openClassifier(bytes: Uint8Array, options: OpenClassifierOptions = {}): Promise<Classifier> {
  const { name = 'model', batchSize = 32 } = options;
  const placed = await placeModel(
    { name, ...decodeModel(bytes, name, { knownSections: KNOWN_SECTIONS }) },
    options,
    openDevice,
  );
  return new Classifier(placed, batchSize, decode);
}
