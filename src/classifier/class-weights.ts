/** How much a picture of each class counts in the training's loss. */
import { expectList, expectObject, expectText, listOf, objectWith } from '../expect.js';
import { classCounts } from '../data/dataset.js';
import { UsageError } from '../errors.js';

/** `balanced`: each class counts as much as the others, however many pictures it has; or weights by name, 1 where none is given. */
export type ClassWeight = 'none' | 'balanced' | Readonly<Record<string, number>>;

/** From so many pictures of the most frequent class for one of the rarest on, rare classes tend to be passed over. */
export const UNEVEN = 5;

interface Labelled {
  readonly labels: ArrayLike<number>;
  readonly classNames: readonly string[];
}

/**
 * Weights by class index; balanced ones are N / (classes · pictures of the class), scikit-learn's, whose mean over the pictures is 1.
 * @throws UsageError for a name that is none of the classes
 */
export function classWeightsFor(classWeight: ClassWeight, data: Labelled): number[] {
  objectWith({ labels: expectList, classNames: listOf(expectText) })(data, 'classWeightsFor: data');
  const { classNames, labels } = data;
  if (classWeight === 'none') return classNames.map(() => 1);
  if (classWeight === 'balanced') return classCounts(data).map((count) => labels.length / (classNames.length * count));
  expectObject(classWeight, 'classWeight');
  const unknown = Object.keys(classWeight).find((name) => !classNames.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`classWeight: expects the classes ${classNames.join(', ')}, got '${unknown}'`);
  return classNames.map((name) => classWeight[name] ?? 1);
}

/** The most frequent and the rarest class where they are `UNEVEN`; else null. */
export function unevenClasses(data: Labelled): { most: string; least: string; ratio: number } | null {
  const counts = classCounts(data);
  const [most, least] = [Math.max(...counts), Math.min(...counts)];
  if (most < UNEVEN * least) return null;
  const nameOf = (count: number): string => data.classNames[counts.indexOf(count)];
  return { most: nameOf(most), least: nameOf(least), ratio: most / least };
}
