/** The decoder with Node's own zlib for PNG; the pixels are the same, it takes half of the time. */
import { decodeOriented as decodeAnywhere, type Decoded, type DecodeOptions } from './decode.js';
import { inflateNatively } from './inflate.node.js';
import type { Picture } from './picture.js';

/** As in browsers. @throws DataError for any other format, a picture that is too large, and every kind of damage */
export function decode(bytes: Uint8Array, name: string, options: DecodeOptions = {}): Picture {
  return decodeOriented(bytes, name, options).picture;
}

export function decodeOriented(bytes: Uint8Array, name: string, options: DecodeOptions = {}): Decoded {
  return decodeAnywhere(bytes, name, { inflate: inflateNatively, ...options });
}
