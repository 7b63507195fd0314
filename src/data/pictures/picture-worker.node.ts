/** A thread that decodes, cuts, resizes and encodes one picture after the other. */
import { parentPort } from 'node:worker_threads';
import { DataError } from '../../errors.js';
import { decode } from './decode.js';
import { encodeJpeg } from './jpeg/encode-jpeg.js';
import type { Limits } from './limits.js';
import type { Picture } from './picture.js';
import { partOf, prepareNamed, type Box, type Preparation } from './resize.js';

/** What a model sees of a picture. */
export interface Cut {
  /** In parts of the picture; null for the whole. */
  readonly box: Box | null;
  /** What is done to it then; its `exif` has been seen to already. */
  readonly preparation: Preparation;
}

export type PictureJob = { readonly name: string } & (
  | {
      readonly kind: 'prepare';
      /** A file's bytes, or a picture that was decoded. */
      readonly given: Uint8Array | Picture;
      readonly exif: boolean;
      readonly limits: Limits;
      readonly cuts: readonly Cut[];
      /** Whether the picture is wanted, too. */
      readonly isWhole: boolean;
    }
  | { readonly kind: 'encode'; readonly picture: Picture; readonly quality: number }
);

export interface PictureResult {
  readonly picture: Picture | null;
  /** [height, width, 3] of each cut, or what is wrong with it. */
  readonly cuts: readonly (Uint8Array | string)[];
  readonly file: Uint8Array | null;
}

/** What came of it, or what is wrong: with the picture (a fault of its own), or here. */
export type PictureAnswer = PictureResult | { readonly message: string; readonly isFault: boolean };

function resultOf(job: PictureJob): PictureResult {
  if (job.kind === 'encode') return { picture: null, cuts: [], file: encodeJpeg(job.picture, job.quality) };
  const { given, name, exif, limits, cuts, isWhole } = job;
  const picture = given instanceof Uint8Array ? decode(given, name, { ...limits, exif }) : given;
  const cut = ({ box, preparation }: Cut): Uint8Array | string => {
    try {
      return prepareNamed(box ? partOf(picture, box) : picture, name, preparation).data;
    } catch (error) {
      if (error instanceof DataError) return error.message;
      throw error;
    }
  };
  return { picture: isWhole ? picture : null, cuts: cuts.map(cut), file: null };
}

function answerTo(job: PictureJob): PictureAnswer {
  try {
    return resultOf(job);
  } catch (error) {
    return { message: (error as Error).message, isFault: error instanceof DataError };
  }
}

/** Pixels are handed over, not copied. */
function buffersOf(answer: PictureAnswer): ArrayBuffer[] {
  if ('message' in answer) return [];
  const arrays = [answer.picture?.data, answer.file, ...answer.cuts].filter((one) => one instanceof Uint8Array);
  return [...new Set(arrays.map(({ buffer }) => buffer))].filter((buffer) => buffer instanceof ArrayBuffer);
}

parentPort?.on('message', (job: PictureJob) => {
  const answer = answerTo(job);
  parentPort?.postMessage(answer, buffersOf(answer));
});
