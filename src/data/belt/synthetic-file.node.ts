/** One belt picture as a JPEG file. */
import { writeFile } from 'node:fs/promises';
import { Random, RandomStream } from '../../tensor/random.js';
import { encodeJpeg } from '../pictures/jpeg/encode-jpeg.js';
import { beltPicture, type BeltPictureOptions } from './synthetic.js';

export interface PictureFile extends BeltPictureOptions {
  /** Where it goes; there is no such file yet. */
  readonly path: string;
}

/** A picture's own draws have the label as their second index (0, 1); that of the encoding follows. */
const QUALITY_ADDRESS = 2;

/** Makes a picture and writes it, in a JPEG quality from 70 to 95; it is on the disk when the promise resolves. */
export async function writePicture({ path, ...options }: PictureFile): Promise<void> {
  const address = QUALITY_ADDRESS + (options.label === 'gap' ? 0 : 1);
  const quality = 70 + new Random(options.seed, RandomStream.synthetic, options.index, address).integer(26);
  await writeFile(path, encodeJpeg(beltPicture(options), quality), { flag: 'wx', flush: true });
}
