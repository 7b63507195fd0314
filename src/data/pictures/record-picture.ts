/** A picture file and what is noted of it: the digest of its bytes, and the facts that the audit looks at. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { expectBytes } from '../../expect.js';
import { DIGEST_LENGTH, RECORD_LENGTH, writeFacts } from '../audit/picture-facts.js';
import { decodeOriented, type DecodeOptions } from './decode.js';
import { pictureFormat } from './format.js';
import type { Picture } from './picture.js';

export interface RecordedPicture {
  readonly picture: Picture;
  /** SHA-256 of the file, [32]. */
  readonly digest: Uint8Array;
  /** See `readFacts`. */
  readonly facts: Uint8Array;
}

/**
 * Decodes a file and takes its record, of the picture as it is decoded.
 * @throws DataError for what cannot be decoded
 */
export function recordPicture(bytes: Uint8Array, name: string, options: DecodeOptions = {}): RecordedPicture {
  const { picture, orientation } = decodeOriented(bytes, name, options);
  const record = new Uint8Array(RECORD_LENGTH);
  record.set(sha256(bytes));
  writeFacts(picture, pictureFormat(bytes), record.subarray(DIGEST_LENGTH), orientation);
  return { picture, digest: record.subarray(0, DIGEST_LENGTH), facts: record.subarray(DIGEST_LENGTH) };
}

/** SHA-256 of bytes, in hexadecimal. */
export function digestHex(bytes: Uint8Array): string {
  expectBytes(bytes, 'digestHex: bytes');
  return bytesToHex(sha256(bytes));
}
