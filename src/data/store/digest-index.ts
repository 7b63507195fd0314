/** A sorted list of SHA-256 digests, each with a number: small, searched without unpacking, and shareable with threads. */

import { DIGEST_LENGTH } from '../audit/picture-facts.js';

/** A digest, then its number as a little-endian uint32. */
export const ENTRY_LENGTH = DIGEST_LENGTH + 4;

export class DigestIndex {
  /** Entries sorted by digest. */
  readonly bytes: Uint8Array;
  readonly count: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.count = bytes.length / ENTRY_LENGTH;
  }

  /** @param digests [n, 32]; the number of each is its position */
  static of(digests: Uint8Array): DigestIndex {
    const count = digests.length / DIGEST_LENGTH;
    const order = Array.from({ length: count }, (_, position) => position).toSorted((a, b) =>
      compare(digests, a * DIGEST_LENGTH, digests, b * DIGEST_LENGTH),
    );
    const bytes = new Uint8Array(count * ENTRY_LENGTH);
    const view = new DataView(bytes.buffer);
    for (const [rank, position] of order.entries()) {
      const digest = digests.subarray(position * DIGEST_LENGTH, (position + 1) * DIGEST_LENGTH);
      bytes.set(digest, rank * ENTRY_LENGTH);
      view.setUint32(rank * ENTRY_LENGTH + DIGEST_LENGTH, position, true);
    }
    return new DigestIndex(bytes);
  }

  /** The number of a digest, or -1. */
  find(digest: Uint8Array): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compare(this.bytes, middle * ENTRY_LENGTH, digest, 0);
      if (order === 0) {
        const at = middle * ENTRY_LENGTH + DIGEST_LENGTH;
        const { bytes } = this;
        return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }
}

/** Below, at or above 0 as the digest at `a` comes before, is, or comes after the one at `b`. */
function compare(left: Uint8Array, a: number, right: Uint8Array, b: number): number {
  for (let index = 0; index < DIGEST_LENGTH; index++) {
    const difference = left[a + index] - right[b + index];
    if (difference !== 0) return difference;
  }
  return 0;
}
