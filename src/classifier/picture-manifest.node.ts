/** The pictures of a run that is on the disk. */
import { expectPath } from '../expect.js';
import { dirname, join } from 'node:path';
import { manifestLines, type PictureUse } from './picture-manifest.js';
import { isRun, readPictures } from './run.node.js';

/** By what a model sees of a picture (its `pixelHashes`), what its run did with it: a copy in another file is the same picture. */
export type PicturesOfRun = ReadonlyMap<number, PictureUse>;

/** The pictures of the run in whose folder a model file is; null where there is no run, or one that kept no record of pixels. */
export async function picturesOfModel(modelFile: string): Promise<PicturesOfRun | null> {
  expectPath(modelFile, 'picturesOfModel: path');
  const folder = dirname(modelFile);
  const text = isRun(folder) ? await readPictures(folder) : null;
  if (text === null) return null;
  const uses = new Map<number, PictureUse>();
  for (const { set, pixels } of manifestLines(text, join(folder, 'pictures.jsonl')))
    if (pixels !== undefined && uses.get(pixels) !== 'training') uses.set(pixels, set); // a copy of a training picture is one
  return uses.size > 0 ? uses : null;
}

/** By their names the digests of the files of a run's pictures; none of a run that kept no record. */
export async function pictureDigests(run: string): Promise<ReadonlyMap<string, string>> {
  const lines = manifestLines((await readPictures(run)) ?? '', join(run, 'pictures.jsonl'));
  return new Map(lines.map(({ file, sha256 }) => [file, sha256]));
}
