/** Hashes by which a model, pictures and the program are known. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eachPicture, type Dataset } from '../../data/dataset.js';
import { ModelFileError } from '../../errors.js';
import { expectPath } from '../../expect.js';
import { readWholeFile } from '../../files.node.js';
import { unpack } from '../../formats/beltnet/container.js';
import { MODEL_FILE } from '../../formats/beltnet/model.node.js';
import { contentHash } from '../../formats/content-hash.js';
import { readSafetensors } from '../../formats/safetensors.js';
import { sha256Natively } from '../../formats/sha256.node.js';

/** What a model file says, part by part, so that it can be told which part is another. */
export interface ModelDigest {
  /** Of the weights alone, as `weightsHash` gives it. */
  readonly weights: string;
  /** Of each tensor's type, shape and bytes, and by their names. */
  readonly tensors: Readonly<Record<string, string>>;
  /** Everything else: architecture, classes, preprocessing, alert, sections. */
  readonly says: Readonly<Record<string, unknown>>;
}

/** Of a file that may have been changed: its checksum is not looked at. @throws ModelFileError for what is no model file */
export async function modelDigest(path: string): Promise<ModelDigest> {
  expectPath(path, 'modelDigest: path');
  const { tensors, metadata } = readSafetensors(await readWholeFile(path, MODEL_FILE), path);
  const refuse = (expected: string, received: string): never => {
    throw new ModelFileError(`${path}: expected ${expected}, got ${received}`);
  };
  const { checksum: _, ...content } = metadata;
  const { weights, sections, fields } = unpack({ tensors: Object.fromEntries(tensors), metadata: content }, refuse);
  const hash = (names: readonly string[], from: typeof weights): string =>
    contentHash({ tensors: Object.fromEntries(names.map((name) => [name, from[name]])), metadata: {} }, sha256Natively);
  const all = Object.fromEntries(tensors);
  return {
    weights: hash(Object.keys(weights), weights),
    tensors: Object.fromEntries(
      Object.keys(all)
        .toSorted()
        .map((name) => [name, hash([name], all).slice(0, 32)]),
    ),
    says: {
      ...fields,
      sections: Object.fromEntries(Object.entries(sections).map(([name, { value }]) => [name, value ?? null])),
    },
  };
}

/** SHA-256 of a set's pixels as the model sees them, picture behind picture. */
export async function pixelsDigest(dataset: Dataset): Promise<string> {
  const hash = createHash('sha256');
  for await (const picture of eachPicture(dataset)) hash.update(picture);
  return hash.digest('hex');
}

/** SHA-256 of the program's kernels, of the tensors and devices below them, and of layers, steps and optimizers above. */
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
