/** Writing HDF5: float32 arrays at paths, by h5wasm, which is the HDF5 Group's own library. */
import { UsageError } from '../../errors.js';
import type { Shape } from '../../tensor/shape.js';
import { loadOptional } from './optional.js';

export interface NamedArray {
  /** Groups and, last, the data set: 'layers/dense/vars/0'. */
  readonly path: string;
  readonly shape: Shape;
  readonly data: Float32Array | Uint32Array<ArrayBuffer>;
}

let written = 0;

/** @throws UsageError when the optional package `h5wasm` is missing */
export async function writeHdf5(arrays: readonly NamedArray[]): Promise<Uint8Array> {
  const { File, ready } = await loadOptional('h5wasm', 'writing HDF5 files', () => import('h5wasm'));
  const { FS } = await ready;
  if (!FS) throw new UsageError('writing HDF5 files needs the file system in memory of h5wasm, which is missing');
  const name = `model-${written++}.h5`; // in memory
  // HDF5 notes in each object when it was made, and h5wasm can't be told not to; equal models are to be equal bytes. Nothing
  // is waited for until the clock is back, so nobody else sees it.
  const { now } = Date;
  Date.now = () => 0;
  try {
    const file = new File(name, 'w');
    const made = new Set<string>();
    for (const { path, shape, data } of arrays) {
      const steps = path.split('/');
      for (let depth = 1; depth < steps.length; depth++) {
        const group = steps.slice(0, depth).join('/');
        if (!made.has(group)) file.create_group(group);
        made.add(group);
      }
      file.create_dataset({ name: path, data, shape: [...shape], dtype: data instanceof Float32Array ? '<f' : '<I' });
    }
    file.close();
    return FS.readFile(name);
  } finally {
    Date.now = now;
    FS.unlink(name);
  }
}
