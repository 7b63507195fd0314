/** Numbers by which equal pictures are told: of what a model sees of them, whatever file they came from. */
import { expectBytes } from '../expect.js';
import { eachPicture, type Dataset, expectDataset } from '../data/dataset.js';

/** A number for each picture, equal for equal pixels, [N]: 53 bits, by which two of a million differ in 99.99 % of sets. */
export async function pixelHashes(dataset: Pick<Dataset, 'pictures' | 'pictureShape' | 'labels'>): Promise<number[]> {
  expectDataset(dataset, 'pixelHashes: dataset');
  const hashes: number[] = [];
  for await (const picture of eachPicture(dataset)) hashes.push(pixelHash(picture));
  return hashes;
}

/** Two multiplicative hashes side by side, four bytes at a time, mixed at the end as in MurmurHash3. */
export function pixelHash(bytes: Uint8Array): number {
  expectBytes(bytes, 'pixelHash: bytes');
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  const whole = bytes.length >>> 2;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, whole);
  const count = whole + (bytes.length % 4);
  for (let n = 0; n < count; n++) {
    const value = n < whole ? words[n] : bytes[3 * whole + n];
    // Turned round, so that the upper bits of a value reach the lower ones, too.
    a = Math.imul(((a << 13) | (a >>> 19)) ^ value, 2654435761);
    b = Math.imul(((b << 7) | (b >>> 25)) ^ value, 1597334677);
  }
  const mix = (x: number, y: number): number =>
    Math.imul(x ^ (x >>> 16), 2246822507) ^ Math.imul(y ^ (y >>> 13), 3266489909);
  const [low, high] = [mix(a, b), mix(b, a)];
  return 2 ** 32 * (high & 0x1fffff) + (low >>> 0);
}
