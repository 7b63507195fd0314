/** Models of Keras 1 to 3, from the bytes of their files: architecture, weights, and what a `Rescaling` layer at the start does. */
import { isZip, unzip, ZipError } from '../../data/sources/zip.js';
import { ModelFileError, UsageError } from '../../errors.js';
import { expectBytes, expectObject, received } from '../../expect.js';
import type { Model } from '../../nn/model.js';
import { readArchitecture } from './architecture.js';
import { isHdf5, readHdf5, type Hdf5Group, type Hdf5Reader } from './hdf5.js';
import type { RescalingOptions } from './layers.js';
import { preview } from './preview.js';
import { readWeights } from './weights.js';

/** A file by its content; the name is for messages. */
export interface KerasFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ImportedKeras {
  /** With its weights, not yet compiled. */
  readonly model: Model;
  /** What the model did to its input first, x·scale + offset: left to the preprocessing. Null if nothing. */
  readonly rescaling: RescalingOptions | null;
  /** The version that wrote it, if the files say so. */
  readonly kerasVersion: string | null;
  /** What is worth knowing: layers left out, numbers of another type. */
  readonly notes: readonly string[];
}

export interface ImportKerasOptions {
  /** How HDF5 is read: by default here and now. */
  readonly readHdf5?: Hdf5Reader;
  /** That an archive may have unpacked. Default: 2 GiB, where JavaScript's arrays end. */
  readonly mostBytes?: number;
}

const LONGEST_JSON = 2 ** 24;
const MOST_BYTES = 2 ** 31;

/**
 * @param files one full model (`.keras`, or `.h5` of `model.save`), or an architecture (`model.json` of `model.to_json`) and weights
 *   (`.h5` or `.weights.h5` of `model.save_weights`), in any order; told by their content
 * @throws ModelFileError when a file is damaged, and for layers and options that are not supported; UsageError for other files
 *   than these, and when the optional package that reads HDF5 is missing
 */
export async function importKeras(
  files: readonly KerasFile[],
  { readHdf5: read = readHdf5, mostBytes = MOST_BYTES }: ImportKerasOptions = {},
): Promise<ImportedKeras> {
  if (!Array.isArray(files)) throw new UsageError(`importKeras expects a list of files, got ${received(files)}`);
  for (const file of files as readonly KerasFile[]) {
    expectObject(file, 'importKeras: a file');
    expectBytes(file.bytes, 'importKeras: the bytes of a file');
  }
  const [first, second] = files;
  if (files.length === 1 && isZip(first.bytes)) return fromArchive(first, read, mostBytes);
  if (files.length === 1 && isHdf5(first.bytes)) {
    const file = await read(first.bytes, first.name);
    const config = file.attributes.get('model_config');
    if (typeof config !== 'string')
      throw new ModelFileError(
        `${first.name}: expects a full model, got weights only; give its architecture (model.json) as well`,
      );
    return assemble(parseJson(config, first.name), first.name, file, first.name);
  }
  if (files.length === 2) {
    const [weights, json] = isHdf5(first.bytes) ? [first, second] : [second, first];
    if (isHdf5(weights.bytes) && !isHdf5(json.bytes) && !isZip(json.bytes)) {
      const architecture = parseJson(decodeText(json.bytes, json.name), json.name);
      return assemble(architecture, json.name, await read(weights.bytes, weights.name), weights.name);
    }
  }
  throw new ModelFileError(
    `expects a .keras archive, a full model .h5, or a model.json and its weights .h5; got ${files.map(describeFile).join(' and ')}`,
  );
}

function describeFile({ name, bytes }: KerasFile): string {
  if (isZip(bytes)) return `${name} (an archive)`;
  if (isHdf5(bytes)) return `${name} (HDF5)`;
  return bytes[0] === 0x7b ? `${name} (JSON)` : `${name} (${bytes.length} bytes of another kind)`;
}

const ENTRIES = { config: 'config.json', metadata: 'metadata.json', weights: 'model.weights.h5' };

async function fromArchive({ name, bytes }: KerasFile, read: Hdf5Reader, mostBytes: number): Promise<ImportedKeras> {
  let total = 0;
  const reserve = (length: number): void => {
    total += length;
    if (total > mostBytes)
      throw new ModelFileError(
        `${name}: expects at most ${mostBytes} bytes unpacked, got ${total}; is it a Keras model?`,
      );
  };
  const entries = await unzip(bytes, (entry) => Object.values(ENTRIES).includes(entry), reserve).catch((error) => {
    if (!(error instanceof ZipError)) throw error;
    throw new ModelFileError(`${name}: expects a .keras archive, got ${error.message}`, { cause: error });
  });
  const entry = (key: keyof typeof ENTRIES): { place: string; data: Uint8Array } => {
    const data = entries.get(ENTRIES[key]);
    if (!data) throw new ModelFileError(`${name}: expects a .keras archive with ${ENTRIES[key]}, got one without`);
    return { place: `${name}, ${ENTRIES[key]}`, data };
  };
  const json = ({ data, place }: { place: string; data: Uint8Array }): unknown =>
    parseJson(decodeText(data, place), place);
  const [config, weights] = [entry('config'), entry('weights')];
  const metadata = entries.has(ENTRIES.metadata) ? json(entry('metadata')) : null;
  const version = (metadata as { keras_version?: unknown } | null)?.keras_version;
  return assemble(json(config), config.place, await read(weights.data, weights.place), weights.place, version);
}

function assemble(json: unknown, jsonName: string, file: Hdf5Group, fileName: string, given?: unknown): ImportedKeras {
  const found =
    given ?? (json as { keras_version?: unknown } | null)?.keras_version ?? file.attributes.get('keras_version');
  const version = typeof found === 'string' ? found : null;
  const { model, weighted, constants, rescaling, notes } = readArchitecture(json, jsonName, version);
  model.setWeights({ ...readWeights(file, weighted, fileName), ...constants });
  return { model, rescaling, notes, kerasVersion: version };
}

function decodeText(bytes: Uint8Array, name: string): string {
  if (bytes.length > LONGEST_JSON)
    throw new ModelFileError(`${name}: expects JSON of at most ${LONGEST_JSON} bytes, got ${bytes.length}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ModelFileError(`${name}: expects JSON in UTF-8, got other bytes`, { cause });
  }
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ModelFileError(`${name}: expects the JSON of a Keras model, got ${preview(text)}`, { cause });
  }
}
