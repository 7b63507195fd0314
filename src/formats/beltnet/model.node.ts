/** Model files on disk. */
import { readFile } from 'node:fs/promises';
import { ModelFileError } from '../../errors.js';
import { writeFileAtomically } from '../../files.node.js';
import type { Model } from '../../nn/model.js';
import { sha256Natively } from '../sha256.node.js';
import type { ModelInfo } from './info.js';
import { decodeModel, encodeModel, type DecodeOptions } from './model.js';

/**
 * Writes the model: to a temporary name, then renamed.
 * @throws ModelFileError for what could not be loaded again, and DiskError when it cannot be written; a file that was there
 * stays as it was
 */
export async function saveModel(path: string, model: Model, info: ModelInfo): Promise<void> {
  await writeFileAtomically(path, await encodeModel(model, info, { name: path, hash: sha256Natively }));
}

/**
 * @returns the model, not yet compiled
 * @throws ModelFileError when the file is missing, damaged or of another kind
 */
export async function loadModel(path: string, options: DecodeOptions = {}): Promise<{ model: Model; info: ModelInfo }> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new ModelFileError(`${path}: expected a model file that can be read, got ${(error as Error).message}`);
  }
  return decodeModel(bytes, path, { hash: sha256Natively, ...options });
}
