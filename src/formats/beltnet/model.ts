/**
 * beltnet's model files: the weights by name (`conv2d.kernel`), and what else is needed to predict: architecture, classes,
 * preprocessing and what raises the alert. What is written can be read: both ways go through the same checks.
 */
import { BeltnetError, ModelFileError } from '../../errors.js';
import type { Model } from '../../nn/model.js';
import type { NamedWeights } from '../../nn/parameters.js';
import { contentHash, type Sha256 } from '../content-hash.js';
import { expectObject, expectArray, expectFunction, objectWith, perhaps } from '../../expect.js';
import { expectModel } from '../finite-weights.js';
import type { Refuse } from '../json.js';
import { toFloat16, toFloat32, type SafeTensor } from '../safetensors.js';
import { architectureOf, buildModel } from './architecture.js';
import { pack, seal, unpack, unseal, type ModelParts } from './container.js';
import { checkInfo, type ModelInfo } from './info.js';

/** Types of weights: integers would be a quantized model, which needs more than its numbers. */
const FLOATS: readonly string[] = ['F32', 'F64', 'F16', 'BF16'];

export interface EncodeOptions {
  /** Of the file, for messages. */
  readonly name?: string;
  /** Of the weights: 'float16' takes half the room, and rounds them. Default 'float32'. */
  readonly precision?: 'float32' | 'float16';
  readonly hash?: Sha256;
}

export interface DecodeOptions {
  /** Required sections that the caller knows how to use; a file with any other is refused. */
  readonly knownSections?: readonly string[];
  readonly hash?: Sha256;
}

/**
 * The file's bytes: equal for equal weights and info.
 * @throws ModelFileError for what could not be loaded again, such as weights that are not finite; UsageError for a user's layer
 * that is not registered
 */
export async function encodeModel(model: Model, info: ModelInfo, options: EncodeOptions = {}): Promise<Uint8Array> {
  expectOptions(options, 'encodeModel: options');
  const { name = 'encodeModel', precision = 'float32', hash } = options;
  expectModel(model, 'encodeModel');
  expectObject(info, 'encodeModel: info');
  const { classNames, preprocessing, alert, sections = {} } = info;
  expectObject(sections, 'encodeModel: sections');
  const refuse = refuseFor(name);
  const content = pack(
    {
      version: 3,
      fields: { architecture: architectureOf(model), classes: classNames, preprocessing, alert },
      weights: tensorsOf(await model.getWeights(), precision),
      sections,
    },
    refuse,
  );
  readParts(unpack(content, refuse), name, Object.keys(sections));
  return seal(content, hash);
}

/**
 * @param name of the file, for messages
 * @returns the model, not yet compiled
 * @throws ModelFileError when the file is damaged, of another kind, or contradicts itself
 */
export function decodeModel(
  bytes: Uint8Array,
  name: string,
  options: DecodeOptions = {},
): { model: Model; info: ModelInfo } {
  expectOptions(options, 'decodeModel: options');
  const { knownSections = [], hash } = options;
  return readParts(unpack(unseal(bytes, name, hash), refuseFor(name)), name, knownSections);
}

/**
 * A model file's bytes with another info: weights and architecture stay as they are, to the byte.
 *
 * @param knownSections required sections that the caller knows
 * @throws ModelFileError for a file that cannot be read, or an info that does not fit its model
 */
export function changeInfo(
  bytes: Uint8Array,
  name: string,
  change: (info: ModelInfo) => ModelInfo,
  options: DecodeOptions = {},
): Uint8Array {
  expectFunction(change, 'changeInfo: change');
  expectOptions(options, 'changeInfo: options');
  const { knownSections = [], hash } = options;
  const refuse = refuseFor(name);
  const parts = unpack(unseal(bytes, name, hash), refuse);
  const { classNames, preprocessing, alert, sections = {} } = change(readParts(parts, name, knownSections).info);
  const fields = { architecture: parts.fields.architecture, classes: classNames, preprocessing, alert };
  const content = pack({ ...parts, version: 3, fields, sections }, refuse);
  readParts(unpack(content, refuse), name, Object.keys(sections));
  return seal(content, hash);
}

/**
 * SHA-256, in hexadecimal, of names, shapes and bytes of the weights: equal for equal weights, whatever else is in a file.
 * docs/model-file.md says how other programs compute it.
 * @param hash what takes the digest, where the host has a quicker way
 */
export async function weightsHash(model: Model, hash?: Sha256): Promise<string> {
  expectModel(model, 'weightsHash');
  perhaps(expectFunction)(hash, 'weightsHash: hash');
  return contentHash({ tensors: tensorsOf(await model.getWeights()), metadata: {} }, hash);
}

const expectOptions = objectWith({ knownSections: perhaps(expectArray), hash: perhaps(expectFunction) });

const refuseFor =
  (name: string): Refuse =>
  (expected, received) => {
    throw new ModelFileError(`${name}: expects ${expected}, got ${received}`);
  };

const tensorsOf = (
  weights: NamedWeights,
  precision: EncodeOptions['precision'] = 'float32',
): Record<string, SafeTensor> =>
  Object.fromEntries(
    Object.entries(weights).map(([key, { shape, data }]) => [
      key,
      precision === 'float16' ? { dtype: 'F16', shape, data: toFloat16(data) } : { dtype: 'F32', shape, data },
    ]),
  );

function readParts(
  { version, fields, weights: tensors, sections }: ModelParts,
  name: string,
  knownSections: readonly string[],
): { model: Model; info: ModelInfo } {
  const refuse = refuseFor(name);
  const required = Object.keys(sections).filter((key) => sections[key].required);
  const unknown = required.find((key) => !knownSections.includes(key));
  if (unknown !== undefined)
    refuse('sections that this version of beltnet knows', `'${unknown}', without which the model means something else`);
  const info = checkInfo(fields, name, { strict: version >= 3, leastClasses: required.length > 0 ? 1 : 2 });
  const weights: NamedWeights = Object.fromEntries(
    Object.entries(tensors).map(([key, tensor]) => [
      key,
      { shape: tensor.shape, data: weightData(key, tensor, refuse) },
    ]),
  );
  const isGraph = version === 2 || (version === 3 && Object.hasOwn(Object(fields.architecture), 'nodes'));
  try {
    const model = buildModel(fields.architecture, isGraph);
    model.setWeights(weights);
    const classes = Math.max(2, model.units);
    if (info.classNames.length !== classes && info.classNames.length !== 1)
      throw new ModelFileError(
        `expects as many class names as the model tells apart, ${classes}, got ${info.classNames.length}`,
      );
    return { model, info: Object.keys(sections).length > 0 ? { ...info, sections } : info };
  } catch (error) {
    if (error instanceof BeltnetError) throw new ModelFileError(`${name}: ${error.message}`);
    throw error;
  }
}

/** A weight as float32. No finite number becomes infinite; `setWeights` refuses those that are not. */
function weightData(key: string, tensor: SafeTensor, refuse: Refuse): Float32Array {
  if (!FLOATS.includes(tensor.dtype)) refuse(`weight '${key}' of type ${FLOATS.join(', ')}`, tensor.dtype);
  const data = toFloat32(tensor);
  if (tensor.data instanceof Float64Array) {
    const given = tensor.data;
    const lost = data.findIndex((value, at) => !Number.isFinite(value) && Number.isFinite(given[at]));
    if (lost >= 0) refuse(`weight '${key}' of numbers that float32 holds`, String(given[lost]));
  }
  return data;
}
