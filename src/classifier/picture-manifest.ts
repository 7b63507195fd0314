/** Which pictures a run was trained on, as lines: one of JSON for each, with digests of its file and of what the model sees of it. */
import { expectObject, expectText } from '../expect.js';
import { expectDataset, type Dataset } from '../data/dataset.js';
import { UsageError } from '../errors.js';
import { bytesToHex, sha256Anywhere } from '../formats/content-hash.js';
import { pixelHashes } from './pixel-hash.js';

const DIGEST = 32; // characters of a SHA-256 that are kept: 128 bits

/** What a run did with a picture; pictures of a test were shown in its epochs' lines at most. */
export type PictureUse = 'training' | 'validation' | 'test';

export interface ManifestLine {
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
  if (records) return bytesToHex(records.digest(index)).slice(0, DIGEST);
  const length = pictureShape.reduce((product, side) => product * side, 1);
  const bytes = pictures instanceof Uint8Array ? pictures.subarray(index * length, (index + 1) * length) : [index];
  return sha256Anywhere([Uint8Array.from(bytes)]).slice(0, DIGEST);
}

/** @throws UsageError for a torn line */
export function manifestLines(text: string, name = 'pictures.jsonl'): ManifestLine[] {
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
      new Map(
        manifestLines(text).map(({ set, file, label, sha256 }) => [JSON.stringify([set, file, label, sha256]), file]),
      ),
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
