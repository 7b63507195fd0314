/** Unpacks .gz in pieces, never more than it may take. */
import { createGunzip } from 'node:zlib';
import { DataError } from '../../errors.js';
import type { MemoryBudget } from '../../memory.node.js';

const FIRST_LENGTH = 2 ** 20;

/**
 * @param lengthOf bytes that it has unpacked, by its first ones; what goes on beyond them is refused
 * @throws DataError when it is damaged, or takes more than the budget has left; what `lengthOf` throws
 */
export async function gunzip(
  packed: Uint8Array,
  path: string,
  budget: MemoryBudget,
  lengthOf?: (head: Uint8Array) => number,
): Promise<Uint8Array> {
  const stream = createGunzip({ chunkSize: 2 ** 16 });
  stream.end(packed);
  let bytes: Uint8Array | null = null;
  let most = Infinity;
  let length = 0;
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      if (!bytes && lengthOf) most = lengthOf(piece);
      if (length + piece.length > most) throw new DataError(`${path}: expects ${most} bytes unpacked, got more`);
      if (!bytes || length + piece.length > bytes.length) {
        const longer = most < Infinity ? most : Math.max(FIRST_LENGTH, 2 * length);
        budget.take(longer, path); // while it is copied both are there
        const target = new Uint8Array(longer);
        if (bytes) target.set(bytes.subarray(0, length));
        bytes = target;
      }
      bytes.set(piece, length);
      length += piece.length;
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!code?.startsWith('Z_')) throw error;
    throw new DataError(`${path}: the file cannot be read (${message}); restore it from its source`, { cause: error });
  } finally {
    stream.destroy();
  }
  return bytes ? bytes.subarray(0, length) : new Uint8Array();
}
