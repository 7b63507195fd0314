/** An audit of which each process looks at a share of the pictures only: what it saw as lines, and the sets that such lines make. */
import { expectArray, expectObject, listOf, objectWith, refuse } from '../../expect.js';
import type { LoadOptions } from '../store/load-dataset.node.js';
import { itemsOf, loadShare, sharesOfLists } from '../store/load-dataset.node.js';
import type { PictureCache } from '../store/cache.node.js';
import type { PictureItem } from '../store/picture-items.node.js';
import { digestText } from './audit-datasets.js';
import { expectLists, type AuditedList } from './audit-folders.node.js';
import { readFacts } from './picture-facts.js';
import type { AuditedPicture, AuditedSet } from './report.js';

/** What was seen of one file. Digest and facts are in base64. */
export type AuditLine = {
  /** The place of its list. */
  readonly set: number;
  readonly file: string;
} & (
  | { readonly label: number; readonly group?: string; readonly digest: string; readonly facts: string }
  | { readonly error: string }
);

/** What is known of lists before their pictures are looked at. */
export type SetOfLines = Pick<AuditedSet, 'name' | 'role' | 'classNames' | 'skipped'>;

/** The files of all lists, one behind the other, to be shared out. */
export function auditItems(lists: readonly AuditedList[]): PictureItem[] {
  expectArray(lists, 'auditItems: lists');
  return lists.flatMap(itemsOf);
}

export interface LookOptions extends LoadOptions {
  readonly cache?: PictureCache | null;
  readonly onNote?: (note: string) => void;
  /** Of the items. */
  readonly first: number;
  readonly end: number;
  readonly onInput: (digest: Uint8Array) => void;
}

/** Looks at a share of the items. @param add takes a line for each */
export async function lookAtShare(
  lists: readonly AuditedList[],
  options: LookOptions,
  add: (line: AuditLine) => void,
): Promise<void> {
  expectLists(lists, 'lookAtShare: lists');
  expectObject(options, 'lookAtShare: options');
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  for (const { list, place: set, first, end } of sharesOfLists(lists, options)) {
    const { errors, records } = await loadShare(list, { ...options, first, end });
    let good = 0;
    for (const [n, error] of errors.entries()) {
      const { path: file, label, group } = list.files[first + n];
      if (error !== null) {
        add({ set, file, error });
        continue;
      }
      const seen = { digest: base64(records.digest(good)), facts: base64(records.facts(good)) };
      add({ set, file, label, ...(group !== undefined && { group }), ...seen });
      good++;
    }
  }
}

/** The sets that lines tell of, for `audit`. */
export async function setsOfLines(sets: readonly SetOfLines[], lines: AsyncIterable<AuditLine>): Promise<AuditedSet[]> {
  expectArray(sets, 'setsOfLines: sets');
  listOf(objectWith({ skipped: expectArray }))(sets, 'setsOfLines: sets');
  expectObject(lines, 'setsOfLines: lines');
  if (!(Symbol.asyncIterator in lines)) refuse(lines, 'setsOfLines: lines', 'lines one by one');
  const full = sets.map((set) => ({ ...set, pictures: [] as AuditedPicture[], skipped: [...set.skipped] }));
  for await (const { set, file, ...line } of lines) {
    if ('error' in line) {
      full[set].skipped.push({ file, error: line.error });
      continue;
    }
    const { label, group, digest, facts } = line;
    full[set].pictures.push({
      ...{ file, label, digest: digestText(Buffer.from(digest, 'base64')) },
      facts: readFacts(Buffer.from(facts, 'base64')),
      ...(group !== undefined && { group }),
    });
  }
  return full;
}
