/**
 * Practice sets in their own files: MNIST and its kin (IDX, also .gz), CIFAR-10 and CIFAR-100 (binary batches), NumPy arrays
 * (.npy, .npz). Each is recognised by its files' names, in a folder or given directly.
 */
import { basename } from 'node:path';
import { DataError } from '../../errors.js';
import { type FileKind, readWholeFile } from '../../files.node.js';
import { MemoryBudget } from '../../memory.node.js';
import { gunzip } from './gunzip.node.js';
import { fileKind, readFolder, withSlashes } from './folder.node.js';
import type { FileList, LabelledFile } from './file-list.js';
import {
  ArrayFileError,
  idxLength,
  joinArrays,
  type NumberArray,
  parseCifar,
  parseIdx,
  parseNpy,
  pictureArray,
  type PictureArray,
} from './picture-array.js';
import { unzip, ZipError } from './zip.js';

/** Pictures of one part of a set, with their labels where there are any. */
interface Part {
  /** The file, or the first of them. */
  readonly name: string;
  readonly pictures: PictureArray;
  readonly labels: readonly number[] | null;
}

/** What a practice set holds. */
export interface ArraySet {
  readonly training: Part | null;
  readonly validation: Part | null;
  readonly test: Part | null;
  /** Names of the classes by label, or null: the labels themselves. */
  readonly classNames: readonly string[] | null;
}

const PRACTICE_SET: FileKind = {
  what: 'a file of a practice set',
  mostBytes: 4 * 2 ** 30 - 1,
  refuse: (message, options) => new DataError(message, options),
};

const idxImages = /^(.*)images[-.]idx\d-ubyte(\.gz)?$/i;
const cifarBatch = /^(data_batch_\d+|test_batch)\.bin$/i;
const cifarFine = /^(train|test)\.bin$/i;

/**
 * The practice set in a folder or file, or null when there is none.
 *
 * @param budget what its files and arrays may take of the memory
 * @throws DataError for one that cannot be used
 */
export async function openArraySet(given: string, budget = new MemoryBudget()): Promise<ArraySet | null> {
  const path = withSlashes(given);
  const kind = fileKind(path);
  if (kind === 'file') return openFile(path, budget);
  if (kind !== 'folder') return null;
  const names = readFolder(path);
  const at = (name: string): string => `${path}/${name}`;
  if (names.some((name) => idxImages.test(name))) {
    const images = names.filter((name) => idxImages.test(name));
    const part = async (isTest: boolean): Promise<Part | null> => {
      const [name] = images.filter((one) => /(t10k|test)/i.test(one) === isTest);
      return name === undefined ? null : idxPart(at(name), names.map(at), budget);
    };
    return { training: await part(false), validation: null, test: await part(true), classNames: null };
  }
  if (names.some((name) => cifarBatch.test(name))) {
    const batches = names.filter((name) => cifarBatch.test(name));
    const isTest = (name: string): boolean => name.toLowerCase().startsWith('test');
    return {
      training: await cifarPart(batches.filter((name) => !isTest(name)).map(at), 1, budget),
      validation: null,
      test: await cifarPart(batches.filter(isTest).map(at), 1, budget),
      classNames: await namesIn(at('batches.meta.txt'), budget),
    };
  }
  if (names.includes('fine_label_names.txt') && names.some((name) => cifarFine.test(name))) {
    const part = async (name: string): Promise<Part | null> =>
      names.includes(name) ? cifarPart([at(name)], 2, budget) : null;
    const classNames = await namesIn(at('fine_label_names.txt'), budget);
    return { training: await part('train.bin'), validation: null, test: await part('test.bin'), classNames };
  }
  const arrays = new Map(
    names.filter((name) => name.endsWith('.npy')).map((name) => [name.slice(0, -4), () => npy(at(name), budget)]),
  );
  if (arrays.size > 0 && [...arrays.keys()].some((name) => arrayRole(name))) return numpySet(path, arrays);
  const archives = names.filter((name) => name.endsWith('.npz'));
  // Among pictures or class folders an archive is something else.
  const isAlone =
    archives.length === 1 && names.every((name) => fileKind(at(name)) === 'file' && !/\.(png|jpe?g|bmp)$/i.test(name));
  return isAlone ? openFile(at(archives[0]), budget) : null;
}

async function openFile(path: string, budget: MemoryBudget): Promise<ArraySet | null> {
  const name = basename(path);
  const alone = (training: Part | null): ArraySet => ({ training, validation: null, test: null, classNames: null });
  if (idxImages.test(name)) {
    const folder = path.slice(0, -name.length);
    const candidates = readFolder(folder === '' ? '.' : folder).map((other) => folder + other);
    return alone(await idxPart(path, candidates, budget));
  }
  if (cifarBatch.test(name)) return alone(await cifarPart([path], 1, budget));
  if (cifarFine.test(name)) return alone(await cifarPart([path], 2, budget));
  if (name.endsWith('.npy'))
    return alone({
      name: path,
      pictures: await inFile(path, async () => pictureArray(await npy(path, budget))),
      labels: null,
    });
  if (!name.endsWith('.npz')) return null;
  const entries = await npzEntries(path, budget);
  const arrays = new Map(
    [...entries].map(([entry, bytes]) => [
      entry.replace(/\.npy$/, ''),
      () => inFile(`${path}:${entry}`, () => parseNpy(bytes, (more) => budget.take(more, path))),
    ]),
  );
  return numpySet(path, arrays);
}

/** Runs a parser; its complaints get the file's name. */
async function inFile<Result>(path: string, parse: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await parse();
  } catch (error) {
    if (error instanceof ArrayFileError) throw new DataError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/**
 * The file, unpacked if its name says that it is packed.
 *
 * @param lengthOf bytes that it has unpacked, by its first ones
 */
async function readBytes(
  path: string,
  budget: MemoryBudget,
  lengthOf?: (head: Uint8Array) => number,
): Promise<Uint8Array> {
  const bytes = await readWholeFile(path, PRACTICE_SET);
  budget.take(bytes.length, path);
  return path.toLowerCase().endsWith('.gz') ? gunzip(bytes, path, budget, lengthOf) : bytes;
}

const npy = (path: string, budget: MemoryBudget): Promise<NumberArray> =>
  inFile(path, async () => parseNpy(await readBytes(path, budget), (bytes) => budget.take(bytes, path)));

async function npzEntries(path: string, budget: MemoryBudget): Promise<ReadonlyMap<string, Uint8Array>> {
  const archive = await readBytes(path, budget);
  try {
    return await unzip(
      archive,
      (entry) => entry.endsWith('.npy'),
      (bytes) => budget.take(bytes, path),
    );
  } catch (error) {
    if (!(error instanceof ZipError)) throw error;
    throw new DataError(`${path}: expects a .npz archive, got ${error.message}; restore it from its source`, {
      cause: error,
    });
  }
}

async function idx(path: string, budget: MemoryBudget): Promise<NumberArray> {
  const bytes = await readBytes(path, budget, idxLength);
  return parseIdx(bytes, (more) => budget.take(more, path));
}

async function idxPart(images: string, candidates: readonly string[], budget: MemoryBudget): Promise<Part> {
  const pictures = await inFile(images, async () => pictureArray(await idx(images, budget)));
  const [, prefix] = idxImages.exec(basename(images)) as RegExpExecArray;
  const start = images.slice(0, -basename(images).length) + prefix;
  const labelFile = candidates.find(
    (path) => path.startsWith(`${start}labels`) && /labels[-.]idx1-ubyte(\.gz)?$/i.test(path),
  );
  const labels =
    labelFile === undefined
      ? null
      : await inFile(labelFile, async () => Array.from((await idx(labelFile, budget)).data));
  checkLabels(images, pictures, labels);
  return { name: images, pictures, labels };
}

async function cifarPart(paths: readonly string[], labelBytes: 1 | 2, budget: MemoryBudget): Promise<Part | null> {
  if (paths.length === 0) return null;
  const batches: ReturnType<typeof parseCifar>[] = [];
  for (const path of paths)
    batches.push(await inFile(path, async () => parseCifar(await readBytes(path, budget), labelBytes)));
  return {
    name: paths[0],
    pictures: joinArrays(batches.map(({ pictures }) => pictures)),
    labels: batches.flatMap(({ labels }) => Array.from(labels)),
  };
}

/** One class name a line, or null. @throws DataError for a name that stands there twice */
async function namesIn(path: string, budget: MemoryBudget): Promise<string[] | null> {
  if (fileKind(path) !== 'file') return null;
  const names = Buffer.from(await readBytes(path, budget))
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const seen = new Set<string>();
  const repeated = names.find((name) => seen.size === seen.add(name).size);
  if (repeated === undefined) return names;
  throw new DataError(`${path}: expects a name for each class, got '${repeated}' twice; rename one of them`);
}

type PartName = 'training' | 'validation' | 'test';
const partNames: Readonly<Record<string, PartName>> = { val: 'validation', test: 'test' };

/** Which part an array belongs to, and what it is there, by its name: x_train, test_labels, images, y and so on. */
function arrayRole(name: string): { part: PartName; what: 'pictures' | 'labels' } | null {
  const match = /^(?:(train|test|val)_?)?(x|y|images?|labels?|data|targets?|pictures)(?:_?(train|test|val))?$/i.exec(
    name,
  );
  if (!match) return null;
  const part = partNames[(match[1] ?? match[3] ?? '').toLowerCase()] ?? 'training';
  return { part, what: /^(y|labels?|targets?)$/i.test(match[2]) ? 'labels' : 'pictures' };
}

async function numpySet(path: string, arrays: ReadonlyMap<string, () => Promise<NumberArray>>): Promise<ArraySet> {
  const part = async (wanted: PartName): Promise<Part | null> => {
    const find = (what: 'pictures' | 'labels') =>
      [...arrays].find(([name]) => arrayRole(name)?.part === wanted && arrayRole(name)?.what === what);
    const images = find('pictures');
    if (!images) return null;
    const name = `${path}:${images[0]}`;
    const pictures = await inFile(name, async () => pictureArray(await images[1]()));
    const labelArray = find('labels');
    const labels = labelArray
      ? await inFile(`${path}:${labelArray[0]}`, async () => labelsOf(await labelArray[1]()))
      : null;
    checkLabels(name, pictures, labels);
    return { name, pictures, labels };
  };
  const [training, validation, test] = [await part('training'), await part('validation'), await part('test')];
  const set = { training, validation, test, classNames: null };
  if (set.training || set.validation || set.test) return set;
  throw new DataError(
    `${path}: expects arrays named x_train and y_train (and x_test, y_test), or x and y, got ${[...arrays.keys()].join(', ') || 'none'}`,
  );
}

/** [N] or [N,1] of whole numbers, or [N,K] with a 1 in each row. */
function labelsOf({ shape, data }: NumberArray): number[] {
  const [count, classes = 1] = shape;
  if (shape.length > 2 || shape.length === 0) throw new ArrayFileError(`expects labels [N], got [${shape.join(',')}]`);
  if (classes === 1) return Array.from(data);
  return Array.from({ length: count }, (_, row) => {
    const values = Array.from({ length: classes }, (__, column) => data[row * classes + column]);
    if (values.filter((value) => value === 1).length !== 1 || values.some((value) => value !== 0 && value !== 1)) {
      throw new ArrayFileError(`expects one 1 in each row of one-hot labels, got ${values.join(' ')} in row ${row}`);
    }
    return values.indexOf(1);
  });
}

function checkLabels(name: string, pictures: PictureArray, labels: readonly number[] | null): void {
  if (labels && labels.length !== pictures.count) {
    throw new DataError(`${name}: expects a label for each of its ${pictures.count} pictures, got ${labels.length}`);
  }
  const odd = labels?.find((label) => !Number.isInteger(label));
  if (odd !== undefined) throw new DataError(`${name}: expects whole numbers as labels, got ${odd}`);
}

/** What messages and results call a picture of an array. */
export const rowName = (part: { readonly name: string }, row: number): string => `${part.name}#${row}`;

/**
 * The parts of a set as lists like those of folders, with the same classes. Classes are in the order of their labels.
 *
 * @throws DataError when labels are missing
 */
export function listArraySet(set: ArraySet): Record<PartName, FileList | null> {
  const parts = [set.training, set.validation, set.test].filter((part) => part !== null);
  const unlabelled = parts.find(({ labels }) => !labels);
  if (unlabelled) {
    throw new DataError(
      `${unlabelled.name}: has no labels; expected them beside it (labels-idx1-ubyte, or arrays x and y in the folder ` +
        'or archive that is given)',
    );
  }
  const values = [...new Set(parts.flatMap(({ labels }) => labels as number[]))].toSorted((a, b) => a - b);
  const classNames = values.map((value) => set.classNames?.[value] ?? String(value));
  const indices = new Map(values.map((value, index) => [value, index]));
  const list = (part: Part | null): FileList | null =>
    part && {
      name: part.name,
      classNames,
      skipped: [],
      notes: [],
      array: part.pictures,
      files: (part.labels as number[]).map((value, row): LabelledFile => ({
        path: rowName(part, row),
        label: indices.get(value) as number,
        row,
      })),
    };
  return { training: list(set.training), validation: list(set.validation), test: list(set.test) };
}
