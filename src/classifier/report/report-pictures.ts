/** The pictures of a report: small, with the map of what speaks for the class that each was taken for. */
import { encodeJpeg } from '../../data/pictures/jpeg/encode-jpeg.js';
import type { Picture } from '../../data/pictures/picture.js';
import { crop, prepareNamed, resize } from '../../data/pictures/resize.js';
import { DataError } from '../../errors.js';
import type { Classifier } from '../classifier.js';
import { explainPictures } from '../explain/explain.js';
import { scaled, stretched } from '../explain/heat-map.js';
import type { ReportedPicture } from './report-data.js';

/** Longest side of a picture, and side of a heat map. */
const SIDE = 176;
export const HEAT_SIDE = 14;
const QUALITY = 78;
const TOGETHER = 16;

/** In pieces, since a call takes so many arguments and no more. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

export const imageUrl = (picture: Picture, quality = QUALITY): string =>
  `data:image/jpeg;base64,${base64(encodeJpeg(picture, quality))}`;

/** A picture of the run, as its file is called there. @throws DataError where it cannot be had */
export type ReadPicture = (file: string, exif: boolean) => Promise<Picture>;

export interface ShownPicture {
  /** Of the picture in its set. */
  readonly place: number;
  readonly file: string;
  readonly taken: string;
}

/** @returns those that can be read, by their places */
export async function reportedPictures(
  classifier: Classifier,
  read: ReadPicture,
  shown: readonly ShownPicture[],
  onProgress: (done: number, total: number) => void,
): Promise<Record<number, ReportedPicture>> {
  const { region, exif = false } = classifier.preparation.picture;
  const found: Record<number, ReportedPicture> = {};
  for (let first = 0; first < shown.length; first += TOGETHER) {
    const some: (ShownPicture & { readonly prepared: Picture; readonly small: Picture })[] = [];
    for (const one of shown.slice(first, first + TOGETHER)) {
      try {
        const whole = await read(one.file, exif);
        const prepared = prepareNamed(whole, one.file, classifier.preparation.picture);
        some.push({ ...one, prepared, small: thumbnail(region ? crop(whole, region) : whole) });
      } catch (error) {
        if (!(error instanceof DataError)) throw error; // moved since then, or a row of a practice set
      }
    }
    onProgress(first + TOGETHER, shown.length);
    if (some.length === 0) continue;
    const [{ prepared: one }] = some;
    const pictures = new Uint8Array(some.length * one.data.length);
    for (const [n, { prepared }] of some.entries()) pictures.set(prepared.data, n * one.data.length);
    const maps = await explainPictures(
      classifier,
      pictures,
      some.map(({ taken }) => taken),
      { batchSize: TOGETHER },
    );
    for (const [n, { place, small }] of some.entries()) {
      const { values } = stretched(scaled(maps[n]), { width: HEAT_SIDE, height: HEAT_SIDE });
      const bytes = Uint8Array.from(values, (value) => Math.round(255 * value));
      const heat = bytes.some((value) => value > 0) && { heat: base64(bytes) };
      found[place] = { image: imageUrl(small), ...heat };
    }
  }
  return found;
}

function thumbnail(picture: Picture): Picture {
  const factor = SIDE / Math.max(picture.width, picture.height);
  if (factor >= 1) return picture;
  const side = (length: number): number => Math.max(1, Math.round(length * factor));
  return resize(picture, { width: side(picture.width), height: side(picture.height) }, 'box');
}
