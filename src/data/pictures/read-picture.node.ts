/** One file to one prepared picture: what each worker thread does, and the main thread for a few files. */
import { createHash } from 'node:crypto';
import { DataError } from '../../errors.js';
import { type FileKind, readWholeFileSync } from '../../files.node.js';
import { decodeOriented } from './decode.js';
import { pictureFormat } from './format.js';
import type { Limits } from './limits.js';
import { DIGEST_LENGTH, writeFacts } from '../audit/picture-facts.js';
import type { Picture } from './picture.js';
import { type Preparation, prepareNamed } from './resize.js';

/**
 * Reads, decodes and prepares a picture.
 *
 * @param record takes the file's digest (zeros where it cannot be read) and facts, RECORD_LENGTH bytes
 * @param isKnown says of a digest whether its picture is at hand already; it is not decoded then
 * @param limits what the decoder may take
 * @returns the picture, or null when it is known
 * @throws DataError when the file cannot be read, or holds no picture that can be decoded
 */
export function readPicture(
  path: string,
  preparation: Preparation,
  record: Uint8Array,
  isKnown: (digest: Uint8Array) => boolean,
  limits: Pick<Limits, 'maximumMemory' | 'onMemory'> = {},
): Picture | null {
  const { onMemory } = limits;
  record.fill(0, 0, DIGEST_LENGTH); // what cannot be read has that digest, not that of the picture which had this place before
  const bytes = readWholeFileSync(path, onMemory ? { ...PICTURE, onSize: onMemory } : PICTURE);
  const digest = createHash('sha256').update(bytes).digest();
  record.set(digest);
  if (isKnown(digest)) return null;
  const { picture, orientation } = decodeOriented(bytes, path, { exif: preparation.exif ?? false, ...limits });
  writeFacts(picture, pictureFormat(bytes), record.subarray(DIGEST_LENGTH), orientation);
  return prepareNamed(picture, path, preparation);
}

const PICTURE: FileKind = {
  what: 'a picture file',
  mostBytes: 2 ** 30,
  refuse: (message, options) => new DataError(message, options),
};

/** The whole of a picture file. @throws DataError naming the file */
export const readPictureBytes = (path: string): Uint8Array => readWholeFileSync(path, PICTURE);
