/** A thread that decodes and prepares one picture after the other. */
import { parentPort } from 'node:worker_threads';
import { DataError } from '../../errors.js';
import { decode } from './decode.node.js';
import type { Limits } from './limits.js';
import type { Picture } from './picture.js';
import { prepareNamed, type Preparation } from './resize.js';

export interface PictureJob {
  readonly bytes: Uint8Array;
  readonly name: string;
  /** What is done to it; null for the picture as it is. */
  readonly preparation: Preparation | null;
  readonly exif: boolean;
  readonly limits: Limits;
}

/** The picture, or what is wrong: with it (a fault of its own), or here. */
export type PictureAnswer = { readonly picture: Picture } | { readonly message: string; readonly isFault: boolean };

function answerTo({ bytes, name, preparation, exif, limits }: PictureJob): PictureAnswer {
  try {
    const picture = decode(bytes, name, { ...limits, exif });
    return { picture: preparation === null ? picture : prepareNamed(picture, name, preparation) };
  } catch (error) {
    return { message: (error as Error).message, isFault: error instanceof DataError };
  }
}

parentPort?.on('message', (job: PictureJob) => parentPort?.postMessage(answerTo(job)));
