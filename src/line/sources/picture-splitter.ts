/**
 * Takes picture files out of a stream in which they stand one behind the other: JPEG by its markers, PNG by its chunks, BMP by its
 * length. What stands between them is passed over.
 */
const MOST_BYTES = 2 ** 27;

export class PictureSplitter {
  #bytes: Uint8Array = new Uint8Array(0);
  #passed = 0;

  /** How many bytes were passed over since the last call. */
  takePassed(): number {
    const passed = this.#passed;
    this.#passed = 0;
    return passed;
  }

  take(piece: Uint8Array): Uint8Array[] {
    const joined = new Uint8Array(this.#bytes.length + piece.length);
    joined.set(this.#bytes);
    joined.set(piece, this.#bytes.length);
    const pictures: Uint8Array[] = [];
    let at = 0;
    while (at < joined.length) {
      const rest = joined.subarray(at);
      const length = lengthOf(rest);
      if (length === null || (length > rest.length && rest.length < MOST_BYTES)) break; // more is to come
      if (length > 0 && length <= rest.length) {
        pictures.push(rest.slice(0, length));
        at += length;
      } else {
        at++;
        this.#passed++;
      }
    }
    this.#bytes = joined.slice(at);
    return pictures;
  }
}

/** Of the picture that begins here: 0 where none does, null where that is not to be told yet. */
function lengthOf(bytes: Uint8Array): number | null {
  if (bytes[0] === 0xff)
    return bytes.length < 3 ? null : bytes[1] === 0xd8 && bytes[2] === 0xff ? jpegLength(bytes) : 0;
  if (bytes[0] === 0x89) return bytes.length < 8 ? null : isPng(bytes) ? pngLength(bytes) : 0;
  if (bytes[0] === 0x42 && (bytes.length < 2 || bytes[1] === 0x4d)) {
    if (bytes.length < 6) return null;
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(2, true) || 0;
  }
  return 0;
}

/** ITU-T T.81, annex B: segments with their lengths, and entropy-coded data up to a marker that is no restart. */
function jpegLength(bytes: Uint8Array): number | null {
  for (let at = 2; at + 1 < bytes.length;) {
    if (bytes[at] !== 0xff || bytes[at + 1] === 0 || (bytes[at + 1] >= 0xd0 && bytes[at + 1] <= 0xd7)) {
      at = bytes.indexOf(0xff, at + (bytes[at] === 0xff ? 2 : 1)); // in entropy-coded data
      if (at < 0) return null;
    } else if (bytes[at + 1] === 0xff) {
      at++; // filling
    } else if (bytes[at + 1] === 0xd9) {
      return at + 2;
    } else {
      if (at + 3 >= bytes.length) return null;
      at += 2 + 256 * bytes[at + 2] + bytes[at + 3];
    }
  }
  return null;
}

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const isPng = (bytes: Uint8Array): boolean => PNG.every((byte, at) => bytes[at] === byte);

function pngLength(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 8; at + 8 <= bytes.length;) {
    const end = at + 12 + view.getUint32(at);
    if (view.getUint32(at + 4) === 0x49454e44) return end; // IEND
    at = end;
  }
  return null;
}
