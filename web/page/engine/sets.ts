/** Pictures of the project as data sets: decoded and prepared as a network takes them. */
import {
  divideParts,
  DataError,
  HOLD_BACK,
  type Dataset,
  type FileList,
  type Preparation,
  type PictureStore,
  type Splits,
} from '../../../src/index.js';
import { decoders, inOrder } from './decoders.js';
import { bytesOf, listsOf, PICTURES, recordOf } from './pictures.js';
import type { PictureId } from './protocol.js';
import type { Session } from './session.js';

/** Larger sets are decoded whenever they are read: a page has less memory than a machine. */
const MOST_IN_MEMORY = 512 * 2 ** 20;

export interface ProjectSets {
  readonly splits: Splits;
  readonly training: Dataset;
  readonly validation: Dataset | null;
  readonly test: Dataset | null;
  /** By path. */
  readonly ids: ReadonlyMap<string, PictureId>;
}

/** Sets that were prepared last: training again on the same does not decode again. */
const prepared = new Map<string, Dataset>();

/**
 * As `beltnet train` divides the saved project.
 *
 * @param onBase whether a head on a base is trained, for which the command line is given `--split 0.15`
 * @throws DataError for pictures that cannot train
 */
export async function divided(
  session: Session,
  { seed, onBase }: { readonly seed: number; readonly onBase: boolean },
): Promise<{ readonly splits: Splits; readonly ids: ReadonlyMap<string, PictureId> }> {
  const { parts, ids } = listsOf(session.project);
  const { training, validation, test } = parts;
  if (training.classNames.length < 2)
    throw new DataError(
      `training: expects pictures of two classes or more, got ${training.classNames.length === 0 ? 'none' : `only '${training.classNames[0]}'`}; add some of another class`,
    );
  const isGiven = (validation ?? test) !== null;
  const splits = await divideParts(
    PICTURES,
    parts,
    onBase ? { seed, ...(isGiven ? {} : { split: HOLD_BACK }) } : { seed, holdBack: 'auto' },
  );
  return { splits, ids };
}

export async function loadSets(
  session: Session,
  { splits, ids }: Awaited<ReturnType<typeof divided>>,
  preparation: Preparation,
): Promise<ProjectSets> {
  const total =
    splits.training.files.length + (splits.validation?.files.length ?? 0) + (splits.test?.files.length ?? 0);
  const tell = session.progress('preparing', total);
  let done = 0;
  const load = async (list: FileList | null): Promise<Dataset | null> =>
    list && loadSet(session, list, ids, preparation, () => tell(++done));
  const training = (await load(splits.training)) as Dataset;
  const sets = { splits, training, validation: await load(splits.validation), test: await load(splits.test), ids };
  tell(total);
  return sets;
}

export async function loadSet(
  session: Session,
  list: FileList,
  ids: ReadonlyMap<string, PictureId>,
  preparation: Preparation,
  onPicture: () => void = () => {},
): Promise<Dataset> {
  const { project } = session;
  const { size } = preparation;
  const places = list.files.map(({ path }) => ids.get(path) as PictureId);
  const key = JSON.stringify([project.id, project.version, preparation, list.name, places]);
  const before = prepared.get(key);
  if (before) return before;
  const length = size.width * size.height * 3;
  const { exif = false } = preparation;
  const one = async (index: number): Promise<Uint8Array> => {
    const bytes = await bytesOf(session, places[index]);
    return decoders.prepare({ bytes, name: list.files[index].path, exif, preparation });
  };
  /** Those at these places, one after the other. */
  const read = async (indices: readonly number[], target: Uint8Array, each: () => void): Promise<void> => {
    let n = 0;
    for await (const pixels of inOrder(indices, one)) {
      if (pixels instanceof Error) throw pixels;
      target.set(pixels, n++ * length);
      each();
    }
  };
  const store: PictureStore = {
    ...{ count: places.length, forwardOnly: false },
    read: (indices, target) => read([...indices], target, () => {}),
  };
  let pictures: Uint8Array | PictureStore = store;
  if (places.length * length <= MOST_IN_MEMORY) {
    pictures = new Uint8Array(places.length * length);
    await read([...places.keys()], pictures, onPicture);
  }
  const records = places.map((id) => recordOf(project, id));
  const dataset: Dataset = {
    ...{ name: list.name, classNames: list.classNames, skipped: [], pictures },
    pictureShape: [size.height, size.width, 3],
    labels: Uint8Array.from(list.files, ({ label }) => label),
    files: list.files.map(({ path }) => path),
    records: { digest: (n) => records[n].digest, facts: (n) => records[n].facts },
  };
  if (prepared.size >= 6) prepared.clear();
  prepared.set(key, dataset);
  return dataset;
}
