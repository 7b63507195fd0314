/** One belt picture as a JPEG file. */
import { writeFile } from 'node:fs/promises';
import { encodeBeltFile } from './synthetic-set.js';
import type { BeltPictureOptions } from './synthetic.js';

export interface PictureFile extends BeltPictureOptions {
  /** Where it goes; there is no such file yet. */
  readonly path: string;
}

/** Makes a picture and writes it; it is on the disk when the promise resolves. */
export async function writePicture({ path, ...options }: PictureFile): Promise<void> {
  await writeFile(path, encodeBeltFile(options), { flag: 'wx', flush: true });
}
