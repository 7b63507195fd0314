/** One belt picture as a JPEG file. */
import { writeFile } from 'node:fs/promises';
import jpegJs from 'jpeg-js';
import { Random, RandomStream } from '../tensor/random.js';
import { beltPicture, type BeltPictureOptions } from './synthetic.js';

export interface PictureFile extends BeltPictureOptions {
  /** Where it goes; there is no such file yet. */
  readonly path: string;
}

/** A picture's own draws have the label as their second index (0, 1); that of the encoding follows. */
const QUALITY_ADDRESS = 2;

/** Makes a picture and writes it, in a JPEG quality from 70 to 95; it is on the disk when the promise resolves. */
export async function writePicture({ path, ...options }: PictureFile): Promise<void> {
  const { width, height, data } = beltPicture(options);
  const pixels = new Uint8Array(width * height * 4); // RGBA, as the encoder wants it; it ignores alpha
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    pixels[to] = data[from];
    pixels[to + 1] = data[from + 1];
    pixels[to + 2] = data[from + 2];
  }
  const address = QUALITY_ADDRESS + (options.label === 'gap' ? 0 : 1);
  const quality = 70 + new Random(options.seed, RandomStream.synthetic, options.index, address).integer(26);
  await writeFile(path, jpegJs.encode({ width, height, data: pixels }, quality).data, { flag: 'wx', flush: true });
}
