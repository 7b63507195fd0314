/** What is wrong with a set of pictures, before a network learns it. Nothing is changed: findings name files and the way out. */
import { expectArray, expectCount, expectObject, expectText, listOf, objectWith } from '../../expect.js';
import { classCounts } from '../dataset.js';
import { Clusters, nearJoins } from './near-duplicates.js';
import { badPictures, fewPictures, frozenRuns, imbalance, mixtures, unusable } from './one-set.js';
import { duplicates, groupLeaks, labelConflicts, leaks } from './repeated-pictures.js';
import type { AuditedSet, AuditReport, Context, Finding, SetSummary } from './report.js';

export interface AuditOptions {
  /** How alike near duplicates are: mean difference of brightness, in levels of 255. Default 2; null: equal files only. */
  readonly near?: number | null;
}

export const DEFAULT_NEAR = 2;

const roles = ['training', 'validation', 'pictures'] as const;
const severities = ['problem', 'warning', 'note'] as const;

const expectSets = listOf(
  objectWith({
    classNames: listOf(expectText),
    pictures: listOf(objectWith({ file: expectText, label: expectCount, digest: expectText, facts: expectObject })),
    skipped: expectArray,
  }),
);

export async function audit(given: readonly AuditedSet[], options: AuditOptions = {}): Promise<AuditReport> {
  expectArray(given, 'audit: sets');
  expectSets(given, 'audit: sets');
  expectObject(options, 'audit: options');
  const { near = DEFAULT_NEAR } = options;
  const sets = given.toSorted((a, b) => roles.indexOf(a.role) - roles.indexOf(b.role));
  const all = sets.flatMap((set, index) => set.pictures.map((picture) => ({ ...picture, set: index })));
  const equal = new Clusters(all.length);
  const firstOf = new Map<string, number>();
  for (const [index, { digest }] of all.entries()) {
    const first = firstOf.get(digest);
    if (first === undefined) firstOf.set(digest, index);
    else equal.join(first, index);
  }
  const alike = new Clusters(all.length);
  for (const members of equal.members()) for (const member of members) alike.join(members[0], member);
  if (near !== null) {
    const distinct = [...firstOf.values()];
    const thumbnails = distinct.map((index) => all[index].facts.thumbnail);
    for (const [a, b] of await nearJoins(thumbnails, near)) alike.join(distinct[a], distinct[b]);
  }
  const context = { sets, all, equal: equal.members(), alike: alike.members(), near };
  const findings = [
    ...leaks(context),
    ...labelConflicts(context),
    ...groupLeaks(context),
    ...duplicates(context),
    ...sets.flatMap((set) => [
      ...unusable(set),
      ...fewPictures(set, context),
      ...frozenRuns(set, near ?? 0),
      ...badPictures(set),
      ...imbalance(set),
      ...mixtures(set),
    ]),
  ];
  const rank = ({ severity }: Finding): number => severities.indexOf(severity);
  return {
    sets: sets.map((set, index) => summarize(set, index, context)),
    findings: findings.toSorted((a, b) => rank(a) - rank(b)),
  };
}

function summarize(set: AuditedSet, index: number, { all, equal, alike }: Context): SetSummary {
  const clusters = (members: readonly number[][]): number =>
    members.filter((cluster) => cluster.some((member) => all[member].set === index)).length;
  const labels = set.pictures.map(({ label }) => label);
  const counts = classCounts({ labels, classNames: set.classNames });
  return {
    name: set.name,
    role: set.role,
    pictures: set.pictures.length,
    skipped: set.skipped.length,
    distinct: clusters(equal),
    effective: clusters(alike),
    classes: Object.fromEntries(set.classNames.map((name, label) => [name, counts[label]])),
  };
}
