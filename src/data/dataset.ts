/** Pictures of one size with their labels. */
import {
  type Check,
  expectArray,
  expectCount,
  expectList,
  expectText,
  listOf,
  objectWith,
  expectFunction,
  expectNumber,
} from '../expect.js';
import { DataError, UsageError } from '../errors.js';
import { Random, RandomStream } from '../tensor/random.js';
import type { Pictures, PictureStore } from './store/picture-store.js';

/** A picture that could not be used, and why. */
export interface SkippedFile {
  readonly file: string;
  readonly error: string;
}

/** What is known of the files that the pictures of a set were made from; for the audit. */
export interface PictureRecords {
  /** SHA-256 of the file's content. */
  digest(index: number): Uint8Array;
  /** See picture-facts.ts. */
  facts(index: number): Uint8Array;
}

/** N RGB pictures of one size, without labels: to be predicted, or looked at. */
export interface PictureSet {
  /** What messages call it: a folder, or what made it. */
  readonly name: string;
  /** Values 0…255, [N, height, width, channels], in memory or on disk. */
  readonly pictures: Pictures;
  /** [height, width, channels] of one picture. */
  readonly pictureShape: readonly [number, number, number];
}

/** N labelled RGB pictures of one size. */
export interface Dataset extends PictureSet {
  /** Class index of each picture, [N] */
  readonly labels: Uint8Array;
  /** Index → name; sorted, so that the same folders always get the same indices. */
  readonly classNames: readonly string[];
  /** Where each picture came from, [N] */
  readonly files: readonly string[];
  /** Files that were left out. */
  readonly skipped: readonly SkippedFile[];
  readonly records?: PictureRecords;
}

const expectStore: Check = (value, what) => {
  if (!(value instanceof Uint8Array)) objectWith({ read: expectFunction, count: expectCount })(value, what);
};

/** @throws UsageError unless it has what every set of pictures has */
export const expectPictures: Check = objectWith({
  pictures: expectStore,
  pictureShape: listOf(expectCount),
});

/** @throws UsageError unless it has what every labelled set has */
export const expectDataset: Check = objectWith({
  pictures: expectStore,
  pictureShape: listOf(expectCount),
  labels: expectList,
  classNames: listOf(expectText),
  files: expectArray,
});

const expectLabelled: Check = objectWith({ labels: expectList, classNames: listOf(expectText) });

/** Pictures a class, in the order of `classNames`. */
export function classCounts(data: {
  readonly labels: ArrayLike<number>;
  readonly classNames: readonly string[];
}): number[] {
  expectLabelled(data, 'classCounts: data');
  const counts = data.classNames.map(() => 0);
  for (let index = 0; index < data.labels.length; index++) counts[data.labels[index]]++;
  return counts;
}

/** What is worth knowing of a set: for `--json` and a run's configuration. */
export function describeSet(dataset: Dataset): object {
  expectDataset(dataset, 'describeSet: dataset');
  const classes = classCounts(dataset).map((pictures, index) => [dataset.classNames[index], pictures] as const);
  return {
    directory: dataset.name,
    pictures: dataset.labels.length,
    classes: Object.fromEntries(classes),
    skipped: dataset.skipped,
  };
}

/**
 * The pictures at `indices`, in that order. Those in memory are copied.
 *
 * @throws UsageError for an index that the data set does not have
 */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  expectDataset(dataset, 'subset: dataset');
  listOf(expectNumber)(indices, 'subset: indices');
  const chosen = Uint32Array.from(indices);
  for (const [position, index] of chosen.entries()) {
    if (index !== indices[position] || index >= dataset.labels.length) {
      throw new UsageError(
        `subset of ${dataset.name}: expects indices from 0 to ${dataset.labels.length - 1}, got ${indices[position]}`,
      );
    }
  }
  const { pictures, records, ...rest } = dataset;
  return {
    ...rest,
    pictures: pictures instanceof Uint8Array ? gather(dataset, pictures, chosen) : reorder(pictures, chosen),
    labels: Uint8Array.from(chosen, (index) => dataset.labels[index]),
    files: Array.from(chosen, (index) => dataset.files[index]),
    ...(records && {
      records: { digest: (index) => records.digest(chosen[index]), facts: (index) => records.facts(chosen[index]) },
    }),
  };
}

/** The pictures of one class. */
export function picturesOfClass(dataset: Dataset, label: number): Dataset {
  expectDataset(dataset, 'picturesOfClass: dataset');
  expectCount(label, 'picturesOfClass: label');
  return subset(
    dataset,
    [...dataset.labels.keys()].filter((index) => dataset.labels[index] === label),
  );
}

/** Pictures that are read together. */
const READ_TOGETHER = 64;

/** Each picture's bytes in turn, [height, width, channels]; what is given is written over by later ones. */
export async function* eachPicture({
  pictures,
  pictureShape,
  labels,
}: Pick<Dataset, 'pictures' | 'pictureShape' | 'labels'>): AsyncGenerator<Uint8Array> {
  const length = pictureShape.reduce((product, side) => product * side, 1);
  const some = pictures instanceof Uint8Array ? pictures : new Uint8Array(READ_TOGETHER * length);
  const together = pictures instanceof Uint8Array ? labels.length : READ_TOGETHER;
  for (let first = 0; first < labels.length; first += together) {
    const count = Math.min(together, labels.length - first);
    if (!(pictures instanceof Uint8Array))
      await pictures.read(
        Uint32Array.from({ length: count }, (_, n) => first + n),
        some,
      );
    for (let n = 0; n < count; n++) yield some.subarray(n * length, (n + 1) * length);
  }
}

function gather({ pictureShape }: Dataset, pictures: Uint8Array, indices: Uint32Array): Uint8Array {
  const length = pictureShape.reduce((product, side) => product * side, 1);
  const out = new Uint8Array(indices.length * length);
  for (const [target, source] of indices.entries()) {
    out.set(pictures.subarray(source * length, (source + 1) * length), target * length);
  }
  return out;
}

function reorder(store: PictureStore, chosen: Uint32Array): PictureStore {
  return {
    count: chosen.length,
    forwardOnly: store.forwardOnly,
    read: (indices, target) =>
      store.read(
        indices.map((index) => chosen[index]),
        target,
      ),
  };
}

/** Two sets of indices that together hold every sample once, both ascending. */
export interface SplitIndices {
  readonly training: number[];
  readonly validation: number[];
}

/**
 * Splits samples at random so that each class gives the same fraction to validation (rounded, but at least one sample on
 * each side). Which samples of a class are taken depends only on the seed and on the class's own samples.
 *
 * @param data a data set, or a list of files with labels
 * @param fraction part that goes to validation, above 0 and below 1
 * @throws UsageError for a fraction out of range; DataError for a class with fewer than two samples
 */
export function split(
  data: { readonly labels: ArrayLike<number>; readonly classNames: readonly string[] },
  fraction: number,
  seed: number,
): SplitIndices {
  checkFraction(fraction);
  const samplesOfClass: number[][] = data.classNames.map(() => []);
  for (let index = 0; index < data.labels.length; index++) samplesOfClass[data.labels[index]].push(index);
  const training: number[] = [];
  const validation: number[] = [];
  for (const [label, samples] of samplesOfClass.entries()) {
    if (samples.length < 2) {
      throw new DataError(
        `class '${data.classNames[label]}' has ${samples.length} picture(s): expects at least 2 to split between ` +
          `training and validation; add pictures`,
      );
    }
    const validationCount = Math.min(samples.length - 1, Math.max(1, Math.round(samples.length * fraction)));
    const order = new Random(seed, RandomStream.split, label).permutation(samples.length);
    for (const [rank, position] of order.entries()) {
      (rank < validationCount ? validation : training).push(samples[position]);
    }
  }
  return { training: training.toSorted(ascending), validation: validation.toSorted(ascending) };
}

/**
 * Splits samples so that all samples of a group are on the same side. Groups are taken in random order, each where it brings
 * the classes nearest to the wanted fraction.
 *
 * @throws UsageError for a fraction out of range; DataError when a class cannot be on both sides
 */
export function splitByGroup(
  data: {
    readonly labels: ArrayLike<number>;
    readonly classNames: readonly string[];
    readonly groups: readonly string[];
  },
  fraction: number,
  seed: number,
): SplitIndices {
  checkFraction(fraction);
  const { labels, classNames, groups } = data;
  const samplesOfGroup = new Map<string, number[]>();
  for (const [index, group] of groups.entries()) {
    const samples = samplesOfGroup.get(group);
    if (samples) samples.push(index);
    else samplesOfGroup.set(group, [index]);
  }
  const names = [...samplesOfGroup.keys()].toSorted();
  const order = new Random(seed, RandomStream.split).permutation(names.length);
  const counts = classCounts(data);
  const wanted = counts.map((count) => count * fraction);
  const taken = counts.map(() => 0);
  const validation: number[] = [];
  for (const position of order) {
    const samples = samplesOfGroup.get(names[position]) as number[];
    const here = counts.map((_, label) => samples.filter((index) => labels[index] === label).length);
    // How much nearer each class comes to its share, in shares: a class of few samples counts as much as one of many.
    const gain = wanted.reduce((sum, share, label) => {
      const before = Math.abs(share - taken[label]);
      const after = Math.abs(share - taken[label] - here[label]);
      return sum + (before - after) / Math.max(1, counts[label]);
    }, 0);
    const leavesSome = counts.every((count, label) => here[label] === 0 || taken[label] + here[label] < count);
    if (gain <= 0 || !leavesSome) continue;
    for (const [label, count] of here.entries()) taken[label] += count;
    for (const sample of samples) validation.push(sample);
  }
  const missing = taken.indexOf(0);
  if (missing >= 0) {
    const of = new Set(groups.filter((_, index) => labels[index] === missing)).size;
    throw new DataError(
      `class '${classNames[missing]}' has ${of} group(s) that can be split: expects some for training and some for ` +
        `validation; give smaller groups, or another fraction than ${fraction}`,
    );
  }
  const isValidation = new Set(validation);
  const training = groups.flatMap((_, index) => (isValidation.has(index) ? [] : [index]));
  return { training, validation: validation.toSorted(ascending) };
}

/**
 * One of K folds of cross-validation: every sample is in the validation of exactly one, stratified, groups together.
 *
 * @param data with groups, those of a group are on the same side
 * @param fold which one, from 0, of how many
 * @throws UsageError for fewer than 2 folds; DataError for a class that is not in every fold
 */
export function foldOf(
  data: {
    readonly labels: ArrayLike<number>;
    readonly classNames: readonly string[];
    readonly groups?: readonly string[] | null;
  },
  fold: { readonly index: number; readonly of: number },
  seed: number,
): SplitIndices {
  const { labels, classNames } = data;
  const { index, of } = fold;
  if (!(Number.isInteger(of) && of >= 2 && Number.isInteger(index) && index >= 0 && index < of))
    throw new UsageError(`folds: expects one of 2 folds or more, got ${index} of ${of}`);
  const samplesOfGroup = new Map<string, number[]>();
  for (let sample = 0; sample < labels.length; sample++) {
    const group = data.groups?.[sample] ?? String(sample);
    const samples = samplesOfGroup.get(group);
    if (samples) samples.push(sample);
    else samplesOfGroup.set(group, [sample]);
  }
  const groups = [...samplesOfGroup].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, samples]) => samples);
  const order = [...new Random(seed, RandomStream.split).permutation(groups.length)]
    .map((position) => groups[position])
    .toSorted((a, b) => b.length - a.length); // the large ones first: small ones even out
  const totals = classCounts(data);
  const taken = Array.from({ length: of }, () => classNames.map(() => 0));
  const foldOfSample = new Uint16Array(labels.length);
  for (const samples of order) {
    // Where its classes are rarest so far; a class of few samples counts as much as one of many.
    const costs = taken.map((counts) => samples.reduce((sum, n) => sum + counts[labels[n]] / totals[labels[n]], 0));
    const place = costs.indexOf(Math.min(...costs));
    for (const sample of samples) {
      taken[place][labels[sample]]++;
      foldOfSample[sample] = place;
    }
  }
  const missing = totals.findIndex((_, label) => taken.some((counts) => counts[label] === 0));
  if (missing >= 0)
    throw new DataError(
      `class '${classNames[missing]}' has too few pictures or groups for ${of} folds; expects at least one in each: take fewer folds`,
    );
  const all = Array.from({ length: labels.length }, (_, sample) => sample);
  return {
    training: all.filter((sample) => foldOfSample[sample] !== index),
    validation: all.filter((sample) => foldOfSample[sample] === index),
  };
}

function checkFraction(fraction: number): void {
  if (fraction > 0 && fraction < 1) return;
  throw new UsageError(`split: expects a fraction above 0 and below 1, such as 0.2, got ${String(fraction)}`);
}

function ascending(a: number, b: number): number {
  return a - b;
}
