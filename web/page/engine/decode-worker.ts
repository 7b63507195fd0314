/** A thread that decodes pictures: one message in, one out. */
import { BeltnetError } from '../../../src/index.js';
import { prepared, record, type DecodingJob } from './decoding.js';

addEventListener('message', ({ data: job }: MessageEvent<DecodingJob>) => {
  try {
    postMessage({ result: job.preparation ? prepared(job) : record(job) });
  } catch (error) {
    postMessage({ error: (error as Error).message, isData: error instanceof BeltnetError });
  }
});
