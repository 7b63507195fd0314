/**
 * HDF5 files as plain trees: what Keras keeps in them is groups with attributes (texts and lists of texts) and data sets of
 * floats, stored in one piece. Source: HDF5 File Format Specification, version 3.0; read by jsfive.
 */
import type { Dataset, Group } from 'jsfive';
import { ModelFileError } from '../../errors.js';
import { formatShape, sizeOf, type Shape } from '../../tensor/shape.js';
import { preview } from './preview.js';
import { loadOptional } from './optional.js';

export interface Hdf5Dataset {
  readonly shape: Shape;
  readonly data: Float32Array;
}

export interface Hdf5Group {
  readonly attributes: ReadonlyMap<string, unknown>;
  readonly groups: ReadonlyMap<string, Hdf5Group>;
  readonly datasets: ReadonlyMap<string, Hdf5Dataset>;
}

/** How a file becomes a tree: `readHdf5`, or a function that runs it under guard. */
export type Hdf5Reader = (bytes: Uint8Array, name: string) => Promise<Hdf5Group>;

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

export const isHdf5 = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, at) => bytes[at] === byte);

/** Keras keeps models some five groups deep, nested ones a little deeper. */
const DEEPEST = 16;
const MOST_OBJECTS = 100_000;
/** V8 keeps longer arrays, which jsfive reads into, as hash tables. */
const MOST_VALUES = 2 ** 25;
/** What an optimizer remembers is twice as large as the weights, and of no use here. */
const PASSED_OVER = ['optimizer', 'optimizer_weights'];

const BYTES: Readonly<Record<string, number>> = { f2: 2, f4: 4, f8: 8 };

const sizeOfType = ({ dtype }: Dataset): number => BYTES[String(dtype).slice(1)] ?? 0;

/**
 * The whole file but the optimizer's state. Nothing is allocated before its size was compared with the file's.
 *
 * jsfive takes a damaged file for what it says: a file made with malice can keep it busy for ever. Programs that read files of
 * strangers call this in a worker that they can end, as the Node entry of beltnet does.
 *
 * @param name of the file, for messages
 * @throws ModelFileError when it is damaged or holds what Keras does not write
 */
export async function readHdf5(bytes: Uint8Array, name: string): Promise<Hdf5Group> {
  if (!isHdf5(bytes))
    throw new ModelFileError(`${name}: expects an HDF5 file, got ${bytes.length} bytes of another kind`);
  const library = await loadOptional('jsfive', 'reading HDF5 files', () => import('jsfive'));
  let objects = 0;
  const walk = (group: Group, path: string, depth: number): Hdf5Group => {
    const groups = new Map<string, Hdf5Group>();
    const datasets = new Map<string, Hdf5Dataset>();
    for (const key of group.keys) {
      const place = `${path}/${key}`;
      if (++objects > MOST_OBJECTS || depth > DEEPEST)
        throw new ModelFileError(
          `${name}: expects at most ${MOST_OBJECTS} objects, ${DEEPEST} groups deep, got more at ${place}`,
        );
      if (depth === 0 && PASSED_OVER.includes(key)) continue;
      const object = group.get(key);
      if (object instanceof library.Group) groups.set(key, walk(object, place, depth + 1));
      else if (object instanceof library.Dataset && sizeOfType(object) > 0)
        // integers are the states of random numbers
        datasets.set(key, datasetOf(object, `${name}: ${place}`, bytes.length));
    }
    return { attributes: new Map(Object.entries(group.attrs)), groups, datasets };
  };
  try {
    // jsfive wants a buffer of its own; Node's share theirs.
    return walk(new library.File(Uint8Array.from(bytes).buffer, name), '', 0);
  } catch (error) {
    if (error instanceof ModelFileError) throw error;
    const reason = error instanceof Error ? error.message : String(error); // jsfive throws texts
    throw new ModelFileError(
      `${name}: the HDF5 file is damaged, or of a kind that Keras does not write (${preview(reason)})`,
      {
        cause: error,
      },
    );
  }
}

/** @throws ModelFileError unless the file has room for it */
function datasetOf(dataset: Dataset, place: string, fileLength: number): Hdf5Dataset {
  const { shape } = dataset;
  const refuse = (expected: string, got: string): never => {
    throw new ModelFileError(`${place}: expects ${expected}, got ${got}`);
  };
  const count = sizeOf(shape);
  if (!(count <= MOST_VALUES)) return refuse(`at most ${MOST_VALUES} values`, formatShape(shape));
  if (count * sizeOfType(dataset) > fileLength)
    return refuse(`values that fit a file of ${fileLength} bytes`, formatShape(shape));
  const { value } = dataset;
  if (value.length !== count) return refuse(`${count} values for ${formatShape(shape)}`, String(value.length));
  return { shape, data: Float32Array.from(value as readonly number[]) };
}
