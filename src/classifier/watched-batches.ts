/** Batches whose pictures are looked at on their way to the device. */
import { changedBatches, type Batches } from '../nn/training/batches.js';
import { faultsOf, pictureFigures, type FaultLimits, type PictureFault } from './picture-faults.js';

export interface WatchedBatches {
  readonly batches: Batches;
  /** Of a picture that was loaded, once. */
  readonly takeFaults: (index: number) => readonly PictureFault[];
}

/** The same batches, and the faults of their pictures. Pictures of a store are seen as they are read: they may come only once. */
export function watchFaults(batches: Batches, limits: FaultLimits): WatchedBatches {
  const { pictures, pictureShape } = batches;
  const [height, width, channels] = pictureShape;
  const length = height * width * channels;
  const of = (picture: Uint8Array): readonly PictureFault[] => faultsOf(pictureFigures(picture, width, height), limits);
  if (pictures instanceof Uint8Array)
    return { batches, takeFaults: (index) => of(pictures.subarray(index * length, (index + 1) * length)) };
  const seen = new Map<number, readonly PictureFault[]>();
  const store = {
    count: pictures.count,
    forwardOnly: pictures.forwardOnly,
    async read(indices: Uint32Array, target: Uint8Array): Promise<void> {
      await pictures.read(indices, target);
      for (const [n, index] of indices.entries()) seen.set(index, of(target.subarray(n * length, (n + 1) * length)));
    },
  };
  return {
    batches: changedBatches(batches, { pictures: store }),
    takeFaults: (index) => {
      const faults = seen.get(index) ?? [];
      seen.delete(index);
      return faults;
    },
  };
}
