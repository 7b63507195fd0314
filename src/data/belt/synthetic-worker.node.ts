/** A worker thread that makes and writes its share of a set of belt pictures. */
import { parentPort, workerData } from 'node:worker_threads';
import { type PictureFile, writePicture } from './synthetic-file.node.js';

/** What a worker is started with. */
export interface SyntheticWorkerData {
  readonly pictures: readonly PictureFile[];
}

const { pictures } = workerData as SyntheticWorkerData;
for (const picture of pictures) {
  await writePicture(picture);
  parentPort?.postMessage(null); // one more is done
}
