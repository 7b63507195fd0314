/** What an audit is given, and what it says. */
import type { SkippedFile } from '../dataset.js';
import type { PictureFacts } from './picture-facts.js';

/** Pictures that belong together: a training set, a test set, a folder of pictures to predict. */
export interface AuditedSet {
  readonly name: string;
  readonly role: 'training' | 'validation' | 'pictures';
  /** Empty where pictures have no labels. */
  readonly classNames: readonly string[];
  readonly pictures: readonly AuditedPicture[];
  /** Files that cannot be used. */
  readonly skipped: readonly SkippedFile[];
}

export interface AuditedPicture {
  readonly file: string;
  /** Index of the class; 0 where there are none. */
  readonly label: number;
  readonly group?: string;
  /** Equal for equal files, and only for them. */
  readonly digest: string;
  readonly facts: PictureFacts;
}

export type FindingKind =
  | 'leak'
  | 'label conflict'
  | 'group leak'
  | 'unusable'
  | 'duplicates'
  | 'near duplicates'
  | 'few pictures'
  | 'frozen camera'
  | 'blank'
  | 'underexposed'
  | 'overexposed'
  | 'tiny'
  | 'turned'
  | 'imbalance'
  | 'wrong extension'
  | 'mixed sizes'
  | 'mixed colours';

export interface Finding {
  readonly kind: FindingKind;
  /** A `problem` makes figures untrue or training fail, a `warning` makes it worse, a `note` is worth knowing. */
  readonly severity: 'problem' | 'warning' | 'note';
  /** One sentence. */
  readonly message: string;
  /** What to do. */
  readonly advice: string;
  /** Files that belong together, group by group; those that show what is wrong come first. */
  readonly groups: readonly (readonly string[])[];
}

/** Counts of one set. */
export interface SetSummary {
  readonly name: string;
  readonly role: AuditedSet['role'];
  readonly pictures: number;
  /** Different files. */
  readonly distinct: number;
  /** Different pictures, near duplicates counted once: how many samples the set is worth. */
  readonly effective: number;
  readonly classes: Readonly<Record<string, number>>;
  readonly skipped: number;
}

export interface AuditReport {
  readonly sets: readonly SetSummary[];
  /** The worst first. */
  readonly findings: readonly Finding[];
}

/** What the looks at several sets share. */
export interface Context {
  readonly sets: readonly AuditedSet[];
  readonly all: readonly (AuditedPicture & { readonly set: number })[];
  /** Indices of equal files, and of pictures that look alike (equal ones among them). */
  readonly equal: readonly number[][];
  readonly alike: readonly number[][];
  readonly near: number | null;
}

/** "2 pictures", "1 picture" */
export const count = (amount: number, noun = 'picture'): string => `${amount} ${noun}${amount === 1 ? '' : 's'}`;
