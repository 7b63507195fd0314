/** Hashes by which a model file, pictures and the program are known, by Node's own crypto. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eachPicture, type Dataset } from '../../data/dataset.js';
import { expectPath } from '../../expect.js';
import { readWholeFile } from '../../files.node.js';
import { MODEL_FILE } from '../../formats/beltnet/model.node.js';
import { sha256Natively } from '../../formats/sha256.node.js';
import { digestOfModel, type ModelDigest } from './digests.js';

/** Of a file that may have been changed: its checksum is not looked at. @throws ModelFileError for what is no model file */
export async function modelDigest(path: string): Promise<ModelDigest> {
  expectPath(path, 'modelDigest: path');
  return digestOfModel(await readWholeFile(path, MODEL_FILE), path, sha256Natively);
}

/** SHA-256 of a set's pixels as the model sees them, picture behind picture. */
export async function pixelsDigest(dataset: Dataset): Promise<string> {
  const hash = createHash('sha256');
  for await (const picture of eachPicture(dataset)) hash.update(picture);
  return hash.digest('hex');
}

/**
 * SHA-256 of the program's kernels, of the tensors and devices below them, and of layers, steps and optimizers above: of the modules
 * of src/, which the same build makes the command line's files of.
 */
export function kernelsDigest(): string {
  const source = fileURLToPath(new URL('../..', import.meta.url));
  const hash = createHash('sha256');
  for (const room of ['kernels', 'nn', 'optim', 'tensor']) {
    const names = readdirSync(join(source, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => /(?<!\.d)\.[jt]s$/.test(name))
      .map((name) => name.replaceAll(sep, '/'));
    for (const name of names.toSorted())
      hash.update(`${room}/${name}\n`).update(readFileSync(join(source, room, name)));
  }
  return hash.digest('hex');
}
