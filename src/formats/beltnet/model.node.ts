/** Model files on disk. */
import { ModelFileError } from '../../errors.js';
import { expectPath } from '../../expect.js';
import { type FileKind, readWholeFile, writeFileAtomically } from '../../files.node.js';
import type { Model } from '../../nn/model.js';
import { sha256Natively } from '../sha256.node.js';
import type { ModelInfo } from './info.js';
import { changeInfo, decodeModel, encodeModel, type DecodeOptions } from './model.js';

/** Of models in any format; JavaScript's arrays end there. */
export const MODEL_FILE: FileKind = {
  what: 'a model file',
  mostBytes: 2 ** 31 - 1,
  refuse: (message, options) => new ModelFileError(message, options),
};

/**
 * Writes the model: to a temporary name, then renamed.
 * @throws ModelFileError for what could not be loaded again, and DiskError when it cannot be written; a file that was there
 * stays as it was
 */
export async function saveModel(path: string, model: Model, info: ModelInfo): Promise<void> {
  expectPath(path, 'saveModel: path');
  await writeFileAtomically(path, await encodeModel(model, info, { name: path, hash: sha256Natively }));
}

/**
 * @returns the model, not yet compiled
 * @throws ModelFileError when the file is missing, damaged or of another kind
 */
export async function loadModel(path: string, options: DecodeOptions = {}): Promise<{ model: Model; info: ModelInfo }> {
  expectPath(path, 'loadModel: path');
  return decodeModel(await readWholeFile(path, MODEL_FILE), path, { hash: sha256Natively, ...options });
}

/**
 * Writes a model file with another info, in place or to another name: to a temporary name, then renamed.
 * @throws ModelFileError, DiskError; the file stays as it was
 */
export async function changeModelFile(
  path: string,
  target: string,
  change: (info: ModelInfo) => ModelInfo,
  options: DecodeOptions = {},
): Promise<void> {
  expectPath(path, 'changeModelFile: path');
  expectPath(target, 'changeModelFile: target');
  const bytes = await readWholeFile(path, MODEL_FILE);
  await writeFileAtomically(target, changeInfo(bytes, path, change, { hash: sha256Natively, ...options }));
}
