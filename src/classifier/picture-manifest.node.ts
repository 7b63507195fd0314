/** Which pictures a run was trained on, as lines: one of JSON for each, with digests of its file and of what the model sees of it. */
import { expectObject, expectText, expectPath } from '../expect.js';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { expectDataset, type Dataset } from '../data/dataset.js';
import { UsageError } from '../errors.js';
import { pixelHashes } from './pixel-hash.js';
import { isRun, readPictures } from './run.node.js';

const DIGEST = 32; // characters of a SHA-256 that are kept: 128 bits

/** What a run did with a picture; pictures of a test were shown in its epochs' lines at most. */
export type PictureUse = 'training' | 'validation' | 'test';

interface ManifestLine {
  readonly set: PictureUse;
  readonly file: string;
  readonly label: string;
  readonly sha256: string;
  /** See `pixelHashes`; not in the oldest manifests. */
  readonly pixels?: number;
}

/** @param sets by what they are for */
export async function pictureManifest(sets: Readonly<Partial<Record<PictureUse, Dataset | null>>>): Promise<string> {
  expectObject(sets, 'pictureManifest: sets');
  let text = '';
  for (const [set, dataset] of Object.entries(sets)) {
    if (dataset === null) continue;
    expectDataset(dataset, `pictureManifest: ${set}`);
    const pixels = await pixelHashes(dataset);
    for (const [index, file] of dataset.files.entries()) {
      const label = dataset.classNames[dataset.labels[index]];
      text += `${JSON.stringify({ set, file, label, sha256: digestOf(dataset, index), pixels: pixels[index] })}\n`;
    }
  }
  return text;
}

/** Of the picture's file, or of its pixels where it came from none. */
function digestOf({ records, pictures, pictureShape }: Dataset, index: number): string {
  if (records) return Buffer.from(records.digest(index)).toString('hex').slice(0, DIGEST);
  const length = pictureShape.reduce((product, side) => product * side, 1);
  const bytes = pictures instanceof Uint8Array ? pictures.subarray(index * length, (index + 1) * length) : [index];
  return createHash('sha256').update(Uint8Array.from(bytes)).digest('hex').slice(0, DIGEST);
}

function linesOf(text: string, name = 'pictures.jsonl'): ManifestLine[] {
  try {
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as ManifestLine]));
  } catch (error) {
    throw new UsageError(`${name}: expects the pictures of a run, got ${(error as Error).message}`);
  }
}

/** How two manifests differ, in words; null when they do not. */
export function changedPictures(before: string, now: string): string | null {
  expectText(before, 'changedPictures: before');
  expectText(now, 'changedPictures: now');
  if (before === now) return null;
  const [old, current] = [before, now].map(
    (text) =>
      new Map(linesOf(text).map(({ set, file, label, sha256 }) => [JSON.stringify([set, file, label, sha256]), file])),
  );
  const missingIn = (all: ReadonlyMap<string, string>, some: ReadonlyMap<string, string>): string[] =>
    [...some].flatMap(([key, file]) => (all.has(key) ? [] : [file]));
  const [gone, come] = [missingIn(current, old), missingIn(old, current)];
  const changed = gone.filter((file) => come.includes(file));
  const parts = [
    ['changed', changed],
    ['missing', gone.filter((file) => !changed.includes(file))],
    ['new', come.filter((file) => !changed.includes(file))],
  ] as const;
  const said = parts.flatMap(([what, files]) =>
    files.length === 0 ? [] : [`${files.length} ${what} (${files[0]}${files.length > 1 ? ', …' : ''})`],
  );
  return said.length > 0 ? said.join(', ') : 'another order of the pictures';
}

/** By what a model sees of a picture (its `pixelHashes`), what its run did with it: a copy in another file is the same picture. */
export type PicturesOfRun = ReadonlyMap<number, PictureUse>;

/** The pictures of the run in whose folder a model file is; null where there is no run, or one that kept no record of pixels. */
export async function picturesOfModel(modelFile: string): Promise<PicturesOfRun | null> {
  expectPath(modelFile, 'picturesOfModel: path');
  const folder = dirname(modelFile);
  const text = isRun(folder) ? await readPictures(folder) : null;
  if (text === null) return null;
  const uses = new Map<number, PictureUse>();
  for (const { set, pixels } of linesOf(text, join(folder, 'pictures.jsonl')))
    if (pixels !== undefined && uses.get(pixels) !== 'training') uses.set(pixels, set); // a copy of a training picture is one
  return uses.size > 0 ? uses : null;
}

/** By their names the digests of the files of a run's pictures; none of a run that kept no record. */
export async function pictureDigests(run: string): Promise<ReadonlyMap<string, string>> {
  const lines = linesOf((await readPictures(run)) ?? '', join(run, 'pictures.jsonl'));
  return new Map(lines.map(({ file, sha256 }) => [file, sha256]));
}
