/** One file to one resized picture: what each worker thread does, and the main thread for a few files. */
import { readFileSync, statSync } from 'node:fs';
import { DataError } from '../errors.js';
import { decode } from './decode.node.js';
import type { Picture } from './picture.js';
import { type Interpolation, resize, type Size } from './resize.js';

const MAXIMUM_FILE_BYTES = 2 ** 30;

/** @throws DataError when the file cannot be read, or holds no picture that can be decoded */
export function readPicture(path: string, size: Size, interpolation: Interpolation): Picture {
  let bytes: Uint8Array;
  try {
    const status = statSync(path);
    // Reading a pipe or a device could wait for ever.
    if (!status.isFile()) throw new DataError(`${path}: expected a picture file, received something else`);
    if (status.size > MAXIMUM_FILE_BYTES)
      throw new DataError(`${path}: expected at most 1 GiB, received ${status.size} bytes`);
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof DataError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const wayOut = code === 'ENOENT' ? 'check the path' : 'check its permissions';
    throw new DataError(`${path}: the file cannot be read (${code ?? message}); ${wayOut}`, { cause: error });
  }
  return resize(decode(bytes, path), size, interpolation);
}
