/** One file to one prepared picture: what each worker thread does, and the main thread for a few files. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { DataError } from '../../errors.js';
import { decode } from './decode.node.js';
import { inWords, kindOf } from '../sources/folder.node.js';
import { pictureFormat } from './format.js';
import { DIGEST_LENGTH, writeFacts } from '../audit/picture-facts.js';
import type { Picture } from './picture.js';
import { type Preparation, prepare } from './resize.js';

const MAXIMUM_FILE_BYTES = 2 ** 30;

/**
 * Reads, decodes and prepares a picture.
 *
 * @param record takes the file's digest and facts, RECORD_LENGTH bytes
 * @param isKnown says of a digest whether its picture is at hand already; it is not decoded then
 * @returns the picture, or null when it is known
 * @throws DataError when the file cannot be read, or holds no picture that can be decoded
 */
export function readPicture(
  path: string,
  preparation: Preparation,
  record: Uint8Array,
  isKnown: (digest: Uint8Array) => boolean,
): Picture | null {
  const bytes = readPictureBytes(path);
  const digest = createHash('sha256').update(bytes).digest();
  record.set(digest);
  if (isKnown(digest)) return null;
  const picture = decode(bytes, path, { exif: preparation.exif ?? false });
  writeFacts(picture, pictureFormat(bytes), record.subarray(DIGEST_LENGTH));
  try {
    return prepare(picture, preparation);
  } catch (error) {
    if (error instanceof RangeError) throw new DataError(`${path}: ${error.message}; choose another region`);
    throw error;
  }
}

/** Node gives names as text; what is not UTF-8 in them is lost on the way, and with it the file. */
const missingAdvice = (path: string): string =>
  path.includes('\ufffd') ? 'its name is not UTF-8: rename it' : 'check the path';

/** The whole of a picture file. @throws DataError naming the file */
export function readPictureBytes(path: string): Uint8Array {
  try {
    const status = statSync(path);
    // Reading a pipe or a device could wait for ever.
    if (!status.isFile()) {
      const wayOut = status.isDirectory() ? 'give the pictures in it' : 'write it to a file first';
      throw new DataError(`${path}: expected a picture file, received ${inWords(kindOf(status))}; ${wayOut}`);
    }
    if (status.size > MAXIMUM_FILE_BYTES)
      throw new DataError(`${path}: expected at most 1 GiB, received ${status.size} bytes`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof DataError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const wayOut = code === 'ENOENT' ? missingAdvice(path) : 'check its permissions';
    throw new DataError(`${path}: the file cannot be read (${code ?? message}); ${wayOut}`, { cause: error });
  }
}
