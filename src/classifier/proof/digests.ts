/** Hashes by which a model is known, part by part. */
import { ModelFileError } from '../../errors.js';
import { unpack } from '../../formats/beltnet/container.js';
import { contentHash, type Sha256 } from '../../formats/content-hash.js';
import { readSafetensors } from '../../formats/safetensors.js';

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
export function digestOfModel(bytes: Uint8Array, path: string, sha256: Sha256): ModelDigest {
  const { tensors, metadata } = readSafetensors(bytes, path);
  const refuse = (expected: string, received: string): never => {
    throw new ModelFileError(`${path}: expected ${expected}, got ${received}`);
  };
  const { checksum: _, ...content } = metadata;
  const { weights, sections, fields } = unpack({ tensors: Object.fromEntries(tensors), metadata: content }, refuse);
  const hash = (names: readonly string[], from: typeof weights): string =>
    contentHash({ tensors: Object.fromEntries(names.map((name) => [name, from[name]])), metadata: {} }, sha256);
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
