/** Takes pictures out of a stream of PPM files (P6, 8 bits), however it is cut into pieces. Source: netpbm, "PPM Format Specification". */
import type { Picture } from '../../data/pictures/picture.js';
import { DataError } from '../../errors.js';

const LONGEST_HEADER = 64;
const MOST_PIXELS = 2 ** 26;

export class PpmReader {
  /** Of a header, until it is whole. */
  #header = '';
  #size: { readonly width: number; readonly height: number } | null = null;
  #data = new Uint8Array(0);
  #filled = 0;

  /** @throws DataError for a stream of something else */
  take(piece: Uint8Array): Picture[] {
    const pictures: Picture[] = [];
    for (let at = 0; at < piece.length;) {
      if (!this.#size) {
        this.#takeHeader(piece[at++]);
        continue;
      }
      const part = piece.subarray(at, at + this.#data.length - this.#filled);
      this.#data.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#data.length) continue;
      pictures.push({ ...this.#size, data: this.#data });
      this.#size = null;
    }
    return pictures;
  }

  #takeHeader(byte: number): void {
    this.#header += String.fromCharCode(byte);
    const match = /^P6\s+(\d+)\s+(\d+)\s+255\s$/.exec(this.#header);
    if (!match) {
      if (this.#header.length < LONGEST_HEADER) return;
      throw new DataError(`expects frames as PPM pictures, got ${JSON.stringify(this.#header.slice(0, 20))}`);
    }
    const [width, height] = [Number(match[1]), Number(match[2])];
    if (width < 1 || height < 1 || width * height > MOST_PIXELS)
      throw new DataError(`expects frames of 1 to ${MOST_PIXELS} pixels, got ${width}x${height}`);
    this.#header = '';
    this.#size = { width, height };
    this.#data = new Uint8Array(width * height * 3);
    this.#filled = 0;
  }
}
