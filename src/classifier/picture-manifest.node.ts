/** Which pictures a run was trained on, as lines: one of JSON for each, with a digest of its content. */
import { createHash } from 'node:crypto';
import type { Dataset } from '../data/dataset.js';

const DIGEST = 32; // characters of a SHA-256 that are kept: 128 bits

/** @param sets by what they are for: `training`, `validation` */
export function pictureManifest(sets: Readonly<Record<string, Dataset | null>>): string {
  let text = '';
  for (const [set, dataset] of Object.entries(sets)) {
    if (!dataset) continue;
    for (const [index, file] of dataset.files.entries()) {
      const label = dataset.classNames[dataset.labels[index]];
      text += `${JSON.stringify({ set, file, label, sha256: digestOf(dataset, index) })}\n`;
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

/** How two manifests differ, in words; null when they do not. */
export function changedPictures(before: string, now: string): string | null {
  if (before === now) return null;
  const [old, current] = [before, now].map((text) => new Set(text.split('\n').filter((line) => line !== '')));
  const fileOf = (line: string): string => (JSON.parse(line) as { file: string }).file;
  const gone = [...old].filter((line) => !current.has(line)).map(fileOf);
  const come = [...current].filter((line) => !old.has(line)).map(fileOf);
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
