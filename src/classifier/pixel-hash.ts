/** Numbers by which equal pictures are told: of what a model sees of them, whatever file they came from. */
import { eachPicture, type Dataset } from '../data/dataset.js';

/** A number for each picture, equal for equal pixels, [N]: 53 bits, by which two of a million differ in 99.99 % of sets. */
export async function pixelHashes(dataset: Pick<Dataset, 'pictures' | 'pictureShape' | 'labels'>): Promise<number[]> {
  const hashes: number[] = [];
  for await (const picture of eachPicture(dataset)) hashes.push(pixelHash(picture));
  return hashes;
}

/** Two multiplicative hashes side by side, mixed at the end as in MurmurHash3. */
export function pixelHash(bytes: Uint8Array): number {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 2654435761);
    b = Math.imul(b ^ byte, 1597334677);
  }
  const mix = (x: number, y: number): number =>
    Math.imul(x ^ (x >>> 16), 2246822507) ^ Math.imul(y ^ (y >>> 13), 3266489909);
  const [low, high] = [mix(a, b), mix(b, a)];
  return 2 ** 32 * (high & 0x1fffff) + (low >>> 0);
}
