/**
 * The hash of what a file of tensors says, whatever the order of its bytes: SHA-256 (FIPS 180-4) of one JSON text and the
 * tensors' bytes behind it.
 *
 *     [[["field","text"], …], [["tensor","F32",[2,3]], …]]    both lists sorted by name, no spaces
 *     bytes of each tensor, in that order, little-endian
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { turns } from '../turns.js';
import type { SafeTensor } from './safetensors.js';

export { bytesToHex };

/** The digest of pieces put together, in hexadecimal. */
export type Sha256 = (pieces: Iterable<Uint8Array>) => string;

/** In JavaScript, which runs everywhere. */
export const sha256Anywhere: Sha256 = (pieces) => {
  const hash = sha256.create();
  for (const piece of pieces) hash.update(piece);
  return bytesToHex(hash.digest());
};

/** Of pieces that come one after the other. */
export async function sha256OfStream(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = sha256.create();
  const turn = turns();
  for await (const piece of pieces) {
    hash.update(piece);
    await turn();
  }
  return bytesToHex(hash.digest());
}

export interface Content {
  readonly tensors: Readonly<Record<string, SafeTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Equal for equal content: names, types, shapes and bytes of the tensors, and the metadata. */
export function contentHash({ tensors, metadata }: Content, hash: Sha256 = sha256Anywhere): string {
  const sorted = byName(tensors);
  const description = [byName(metadata), sorted.map(([name, { dtype, shape }]) => [name, dtype, shape])];
  return hash([
    new TextEncoder().encode(JSON.stringify(description)),
    ...sorted.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);
}

/** By UTF-16 code units, as JavaScript compares texts. */
const byName = <Value>(values: Readonly<Record<string, Value>>): [string, Value][] =>
  Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1));
