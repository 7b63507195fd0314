/** How a camera should look: a picture file, or a folder of some. */
import { statSync } from 'node:fs';
import { decode } from '../data/pictures/decode.js';
import { readPictureBytes } from '../data/pictures/read-picture.node.js';
import { findPictures } from '../data/sources/folder.node.js';
import { DataError } from '../errors.js';
import { MovedWatch } from './suspects.js';

/** More say nothing new. */
const MOST = 100;

/** @throws DataError for a path without pictures */
export async function movedWatch(path: string, part: number): Promise<MovedWatch> {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const files = isFolder ? findPictures(path).paths : [path];
  if (files.length === 0) throw new DataError(`${path}: expects pictures of how the camera should look, got none`);
  const step = Math.max(1, files.length / MOST);
  const some = files.filter((_, n) => Math.floor(n / step) !== Math.floor((n - 1) / step));
  return new MovedWatch(
    some.map((file) => decode(readPictureBytes(file), file)),
    part,
  );
}
