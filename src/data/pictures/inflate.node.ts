/**
 * Node's own zlib, which is more than twice as fast as what runs everywhere, but wants all memory at once. Not in worker threads:
 * where one is ended between zlib's creation and its first use, Node 20 aborts the whole process ("close before init").
 */
import { isMainThread } from 'node:worker_threads';
import { inflateSync } from 'node:zlib';
import { damagedPixels, type Inflate, inflateAnywhere, tooLong, wrongLength } from './inflate.js';

export const inflateNatively: Inflate = (compressed, request) => {
  const { length, spareMemory, take } = request;
  const joined = compressed.length === 1 ? 0 : compressed.reduce((sum, piece) => sum + piece.length, 0);
  if (!isMainThread || joined + length > spareMemory) return inflateAnywhere(compressed, request);
  let received: Uint8Array;
  try {
    // in one piece, which need not be copied
    received = inflateSync(joined === 0 ? compressed[0] : Buffer.concat(compressed), {
      maxOutputLength: length,
      chunkSize: Math.max(64, length + 1),
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw code === 'ERR_BUFFER_TOO_LARGE' ? tooLong(length) : damagedPixels(message);
  }
  if (received.length !== length) throw wrongLength(received.length, length);
  take(received);
};
