/**
 * beltnet's model files: safetensors with the weights by name (`conv2d.kernel`), and in the metadata, as JSON, all
 * that is needed to predict: architecture, classes, preprocessing and what raises the alert.
 */
import { BeltnetError, ModelFileError } from '../../errors.js';
import type { ModelConfig } from '../../nn/graph.js';
import type { Model } from '../../nn/model.js';
import type { NamedWeights } from '../../nn/parameters.js';
import { parseJson, type Refuse } from '../json.js';
import { readSafetensors, toFloat32, writeSafetensors, type SafeTensor } from '../safetensors.js';
import { buildModel } from './architecture.js';
import { checkInfo, type ModelInfo } from './info.js';

const FORMAT = 'beltnet-model';
/** A row of layers, and a graph. Versions of beltnet that know rows only refuse a graph by its version. */
const VERSIONS = { row: '1', graph: '2' };

/** Types of weights: integers would be a quantized model, which needs more than its numbers. */
const FLOATS: readonly string[] = ['F32', 'F64', 'F16', 'BF16'];

/** The file's bytes: equal for equal weights and info. */
export async function encodeModel(model: Model, info: ModelInfo): Promise<Uint8Array> {
  const architecture: ModelConfig = model.config();
  return writeSafetensors(await model.getWeights(), {
    format: FORMAT,
    version: architecture.nodes ? VERSIONS.graph : VERSIONS.row,
    architecture: JSON.stringify(architecture),
    classes: JSON.stringify(info.classNames),
    preprocessing: JSON.stringify(info.preprocessing),
    alert: JSON.stringify(info.alert),
  });
}

/**
 * @param name of the file, for messages
 * @returns the model, not yet compiled
 * @throws ModelFileError when the file is damaged, of another kind, or contradicts itself
 */
export function decodeModel(bytes: Uint8Array, name: string): { model: Model; info: ModelInfo } {
  const { tensors, metadata } = readSafetensors(bytes, name);
  if (metadata.format !== FORMAT) {
    throw new ModelFileError(
      `${name}: expected a model written by beltnet, got safetensors with format '${metadata.format ?? 'none'}'; train one with "beltnet train"`,
    );
  }
  if (!Object.values(VERSIONS).includes(metadata.version ?? '')) {
    throw new ModelFileError(
      `${name}: expected model format version ${Object.values(VERSIONS).join(' or ')}, got '${metadata.version ?? 'none'}'; use the beltnet version that wrote it`,
    );
  }
  const refuse = (expected: string, received: string): never => {
    throw new ModelFileError(`${name}: expected ${expected}, got ${received}`);
  };
  const field = (key: string): unknown => parseJson(metadata[key] ?? '', `the metadata field '${key}'`, refuse);
  const info = checkInfo(name, field('classes'), field('preprocessing'), field('alert'));
  const weights: NamedWeights = Object.fromEntries(
    [...tensors].map(([key, tensor]) => [key, { shape: tensor.shape, data: weightData(key, tensor, refuse) }]),
  );
  const architecture = field('architecture');
  try {
    const model = buildModel(architecture, metadata.version === VERSIONS.graph);
    model.setWeights(weights);
    const classes = Math.max(2, model.units);
    if (classes !== info.classNames.length)
      throw new ModelFileError(
        `expected as many class names as the model tells apart, ${classes}, got ${info.classNames.length}`,
      );
    return { model, info };
  } catch (error) {
    if (error instanceof BeltnetError) throw new ModelFileError(`${name}: ${error.message}`);
    throw error;
  }
}

/** A weight as float32. Infinity and NaN stay what they are, but no finite number becomes infinite. */
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
