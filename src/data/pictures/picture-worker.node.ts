/** A thread that decodes and prepares one picture after the other. */
import { parentPort } from 'node:worker_threads';
import { DataError } from '../../errors.js';
import { decode } from './decode.node.js';
import type { Limits } from './limits.js';
import { prepareNamed, type Preparation } from './resize.js';

export interface PictureJob {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly preparation: Preparation;
  readonly limits: Limits;
}

/** The prepared pixels, or what is wrong: with the picture (a fault of its own), or here. */
export type PictureAnswer = { readonly picture: Uint8Array } | { readonly message: string; readonly isFault: boolean };

function answerTo({ bytes, name, preparation, limits }: PictureJob): PictureAnswer {
  try {
    const { exif = false } = preparation;
    const { data } = prepareNamed(decode(bytes, name, { ...limits, exif }), name, preparation);
    return { picture: data };
  } catch (error) {
    return { message: (error as Error).message, isFault: error instanceof DataError };
  }
}

parentPort?.on('message', (job: PictureJob) => parentPort?.postMessage(answerTo(job)));
