/** What is wrong with a set of pictures, before a network learns it. Nothing is changed: findings name files and the way out. */
import { classCounts, type SkippedFile } from '../dataset.js';
import { Clusters, nearJoins, thumbnailDistance } from './near-duplicates.js';
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

export interface AuditOptions {
  /** How alike near duplicates are: mean difference of brightness, in levels of 255. Default 2; null: equal files only. */
  readonly near?: number | null;
}

export const DEFAULT_NEAR = 2;

/** Below this side a picture shows little. */
const TINY_SIDE = 16;
/** Standard deviation of the brightness of a picture with nothing on it, noise included. */
const BLANK_DEVIATION = 3;
const DARK_MEAN = 25;
const BRIGHT_MEAN = 230;
const CLIPPED_PART = 0.5;
/** Parts of both black and white that a badly exposed photograph does not have. */
const DRAWN_PART = 0.02;
/** Equal frames in a row that are no accident. */
const FROZEN_RUN = 5;
/** Examples of different sizes. */
const SIZES_SHOWN = 6;
/** Pictures of the largest class for each of the smallest. */
const IMBALANCE = 3;
/** Fewer different pictures in a class teach nothing that holds for others. */
const FEW_PICTURES = 20;

const roles = ['training', 'validation', 'pictures'] as const;
const severities = ['problem', 'warning', 'note'] as const;

export async function audit(
  given: readonly AuditedSet[],
  { near = DEFAULT_NEAR }: AuditOptions = {},
): Promise<AuditReport> {
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

interface Context {
  readonly sets: readonly AuditedSet[];
  readonly all: readonly (AuditedPicture & { readonly set: number })[];
  /** Indices of equal files, and of pictures that look alike (equal ones among them). */
  readonly equal: readonly number[][];
  readonly alike: readonly number[][];
  readonly near: number | null;
}

function summarize(set: AuditedSet, index: number, { all, equal, alike }: Context): SetSummary {
  const clusters = (members: readonly number[][]): number =>
    members.filter((cluster) => cluster.some((member) => all[member].set === index)).length;
  const labels = set.pictures.map(({ label }) => label);
  const counts = classCounts({ labels, classNames: set.classNames });
  return {
    ...{ name: set.name, role: set.role, pictures: set.pictures.length, skipped: set.skipped.length },
    ...{ distinct: clusters(equal), effective: clusters(alike) },
    classes: Object.fromEntries(set.classNames.map((name, label) => [name, counts[label]])),
  };
}

/** "2 pictures", "1 picture" */
const count = (amount: number, noun = 'picture'): string => `${amount} ${noun}${amount === 1 ? '' : 's'}`;

/** The few files of a group that are shown should say why it is one: one of each kind, then the others. */
function oneOfEachFirst<Member>(members: readonly Member[], kindOf: (member: Member) => unknown): Member[] {
  const first = new Map<unknown, Member>();
  for (const member of members) if (!first.has(kindOf(member))) first.set(kindOf(member), member);
  const shown = new Set(first.values());
  return [...shown, ...members.filter((member) => !shown.has(member))];
}

function leaks({ sets, all, equal, alike }: Context): Finding[] {
  const findings: Finding[] = [];
  for (let first = 0; first < sets.length; first++) {
    for (let second = first + 1; second < sets.length; second++) {
      const shared = (clusters: readonly number[][]): number[][] =>
        clusters.filter((cluster) => [first, second].every((set) => cluster.some((member) => all[member].set === set)));
      const groups = shared(alike).map((cluster) =>
        cluster.filter((member) => [first, second].includes(all[member].set)),
      );
      if (groups.length === 0) continue;
      const exact = shared(equal).length;
      const [a, b] = [sets[first], sets[second]];
      const inSecond = groups.flat().filter((member) => all[member].set === second).length;
      const learned = [a, b].some(({ role }) => role === 'training');
      findings.push({
        kind: 'leak',
        severity: 'problem',
        message:
          `${a.name} and ${b.name} share ${count(groups.length)}` +
          `${exact === groups.length ? '' : `, ${exact} of them equal and ${groups.length - exact} nearly`}: ` +
          `${count(inSecond, 'file')} of ${b.name} ${inSecond === 1 ? 'is' : 'are'} in ${a.name} too`,
        advice: learned
          ? `figures on ${b.name} say how well pictures were learned by heart; keep each picture in one of the two`
          : 'results on one of them say nothing new about the other; keep each picture in one of the two',
        groups: groups.map((members) =>
          oneOfEachFirst(members, (member) => all[member].set).map((member) => all[member].file),
        ),
      });
    }
  }
  return findings;
}

function labelConflicts({ sets, all, alike, equal }: Context): Finding[] {
  const classOf = (index: number): string | undefined => sets[all[index].set].classNames[all[index].label];
  const conflicts = (clusters: readonly number[][]): number[][] =>
    clusters.filter((cluster) => new Set(cluster.map(classOf).filter((name) => name !== undefined)).size > 1);
  const groups = conflicts(alike);
  if (groups.length === 0) return [];
  const exact = conflicts(equal).length;
  const nearly = exact === groups.length ? '' : ` (${exact} equal, ${groups.length - exact} nearly)`;
  return [
    {
      kind: 'label conflict',
      severity: 'problem',
      message: `${count(groups.length)}${nearly} ${groups.length === 1 ? 'stands' : 'stand'} under two labels`,
      advice: 'one of the labels is wrong, or the picture cannot be told; move or remove it',
      groups: groups.map((members) => oneOfEachFirst(members, classOf).map((member) => all[member].file)),
    },
  ];
}

function groupLeaks({ sets, all }: Context): Finding[] {
  const setsOf = new Map<string, Set<number>>();
  for (const { group, set } of all) {
    if (group === undefined || sets[set].role === 'pictures') continue;
    setsOf.set(group, (setsOf.get(group) ?? new Set()).add(set));
  }
  const parted = [...setsOf].filter(([, inSets]) => inSets.size > 1).map(([group]) => group);
  if (parted.length === 0) return [];
  const membersOf = new Map(parted.map((name): [string, (typeof all)[number][]] => [name, []]));
  for (const picture of all) if (picture.group !== undefined) membersOf.get(picture.group)?.push(picture);
  return [
    {
      kind: 'group leak',
      severity: 'problem',
      message: `${count(parted.length, 'group')} (${parted.slice(0, 5).join(', ')}${parted.length > 5 ? ', …' : ''}) ${parted.length === 1 ? 'is' : 'are'} in training and validation`,
      advice: 'what belongs together is alike; keep each group on one side',
      groups: parted.map((name) => {
        const pictures = membersOf.get(name) ?? [];
        return oneOfEachFirst(pictures, ({ set }) => set).map(({ file }) => file);
      }),
    },
  ];
}

function duplicates({ sets, all, equal, alike, near }: Context): Finding[] {
  return sets.flatMap((set, index) => {
    const within = (clusters: readonly number[][]): number[][] =>
      clusters
        .map((cluster) => cluster.filter((member) => all[member].set === index))
        .filter(({ length }) => length > 1);
    const name = (members: readonly number[]): string[] => members.map((member) => all[member].file);
    const exact = within(equal);
    const copies = exact.reduce((sum, { length }) => sum + length - 1, 0);
    const nearly = within(alike).filter((cluster) => new Set(cluster.map((member) => all[member].digest)).size > 1);
    const findings: Finding[] = [];
    if (copies > 0) {
      findings.push({
        kind: 'duplicates',
        severity: 'warning',
        message: `${set.name}: ${copies} of ${count(set.pictures.length, 'file')} ${copies === 1 ? 'is a copy' : 'are copies'} of another; ${count(set.pictures.length - copies)} ${set.pictures.length - copies === 1 ? 'is' : 'are'} distinct`,
        advice: 'copies only repeat what one says; keep one of each',
        groups: exact.map(name),
      });
    }
    if (nearly.length > 0) {
      const distinct = nearly.reduce(
        (sum, cluster) => sum + new Set(cluster.map((member) => all[member].digest)).size,
        0,
      );
      findings.push({
        kind: 'near duplicates',
        severity: 'warning',
        message: `${set.name}: ${distinct} distinct pictures look like ${nearly.length} (within ${near} of 255 levels of brightness)`,
        advice: 'pictures this alike count as one; keep one of each, or take them together on one side of a split',
        groups: nearly.map((members) => name(oneOfEachFirst(members, (member) => all[member].digest))),
      });
    }
    return findings;
  });
}

function unusable({ name, skipped }: AuditedSet): Finding[] {
  if (skipped.length === 0) return [];
  return [
    {
      kind: 'unusable',
      severity: 'warning',
      message: `${name}: ${count(skipped.length, 'file')} cannot be used, such as ${skipped[0].error}`,
      advice: 'restore them from their source, convert them, or remove them; training leaves them out',
      groups: [skipped.map(({ file }) => file)],
    },
  ];
}

function fewPictures(set: AuditedSet, { all, sets, alike }: Context): Finding[] {
  if (set.classNames.length < 2 || set.pictures.length === 0) return [];
  const index = sets.indexOf(set);
  const few = set.classNames.flatMap((name, label) => {
    const different = alike.filter((cluster) =>
      cluster.some((member) => all[member].set === index && all[member].label === label),
    ).length;
    return different < FEW_PICTURES ? [`${name} ${different}`] : [];
  });
  if (few.length === 0) return [];
  return [
    {
      kind: 'few pictures',
      severity: 'warning',
      message: `${set.name}: few different pictures: ${few.join(', ')}`,
      advice:
        set.role === 'validation'
          ? 'figures on so few jump with each of them; take more'
          : `a network learns ${FEW_PICTURES} or fewer by heart; take more, at other times and in other light`,
      groups: [],
    },
  ];
}

function frozenRuns(set: AuditedSet, near: number): Finding[] {
  const folders = new Map<string, AuditedPicture[]>();
  for (const picture of set.pictures) {
    const folder = picture.file.slice(0, Math.max(0, picture.file.lastIndexOf('/')));
    const pictures = folders.get(folder);
    if (pictures) pictures.push(picture);
    else folders.set(folder, [picture]);
  }
  const runs: string[][] = [];
  const byName = new Intl.Collator('en', { numeric: true }); // 9 comes before 10; it takes milliseconds to make
  for (const pictures of folders.values()) {
    let run: AuditedPicture[] = [];
    const end = (): void => {
      if (run.length >= FROZEN_RUN) runs.push(run.map(({ file }) => file));
    };
    for (const picture of pictures.toSorted((a, b) => byName.compare(a.file, b.file))) {
      const last = run.at(-1);
      const isSame =
        last &&
        (last.digest === picture.digest || thumbnailDistance(last.facts.thumbnail, picture.facts.thumbnail) <= near);
      if (isSame) {
        run.push(picture);
        continue;
      }
      end();
      run = [picture];
    }
    end();
  }
  if (runs.length === 0) return [];
  const longest = runs.reduce((most, { length }) => Math.max(most, length), 0);
  return [
    {
      kind: 'frozen camera',
      severity: 'warning',
      message: `${set.name}: ${count(runs.length, 'run')} of ${FROZEN_RUN} or more pictures in a row that do not change, the longest of ${longest}`,
      advice: 'a stopped belt or a camera that hangs; keep one picture of each run',
      groups: runs,
    },
  ];
}

function badPictures(set: AuditedSet): Finding[] {
  const finding = (
    kind: FindingKind,
    what: string,
    advice: string,
    isBad: (facts: PictureFacts, file: string) => boolean,
    severity: Finding['severity'] = 'warning',
  ): Finding[] => {
    const files = set.pictures.filter(({ facts, file }) => isBad(facts, file)).map(({ file }) => file);
    if (files.length === 0) return [];
    const message = `${set.name}: ${count(files.length)} ${files.length === 1 ? 'is' : 'are'} ${what}, such as ${files[0]}`;
    return [{ kind, severity, message, advice, groups: [files] }];
  };
  const isBlank = ({ deviation }: PictureFacts): boolean => deviation < BLANK_DEVIATION;
  // Practice sets (rows of arrays, without a format) and drawings are black and white, which is no fault of a camera's.
  const isPhoto = (format: PictureFacts['format'], dark: number, bright: number): boolean =>
    format !== null && (Math.min(dark, bright) < DRAWN_PART || dark + bright < CLIPPED_PART);
  const isDark = ({ format, mean, dark, bright }: PictureFacts): boolean =>
    isPhoto(format, dark, bright) && (mean < DARK_MEAN || dark > CLIPPED_PART);
  const isBright = ({ format, mean, dark, bright }: PictureFacts): boolean =>
    isPhoto(format, dark, bright) && (mean > BRIGHT_MEAN || bright > CLIPPED_PART);
  return [
    ...finding('blank', 'blank', 'nothing is on them; remove them, or see to the camera', isBlank),
    ...finding(
      'underexposed',
      'underexposed',
      'most of them is black; see to light and exposure',
      (facts) => isDark(facts) && !isBlank(facts),
    ),
    ...finding(
      'overexposed',
      'overexposed',
      'most of them is white; see to light and exposure',
      (facts) => isBright(facts) && !isBlank(facts),
    ),
    ...finding(
      'tiny',
      `smaller than ${TINY_SIDE} pixels`,
      'take the pictures in their first size',
      ({ width, height }) => Math.min(width, height) < TINY_SIDE,
    ),
    ...finding(
      'turned',
      'stored turned or mirrored, as their EXIF orientation says, which is ignored as in Keras',
      'where they should stand upright, as viewers show them, give --exif to train and to import',
      ({ orientation }) => orientation !== 1,
      'note',
    ),
    ...finding(
      'wrong extension',
      'of another format than their names say',
      'they are read by their content; rename them, other programs may refuse them',
      ({ format }, file) => format !== null && !extensions[format].test(file),
    ),
  ];
}

const extensions: Readonly<Record<NonNullable<PictureFacts['format']>, RegExp>> = {
  PNG: /\.png$/i,
  JPEG: /\.jpe?g$|\.jfif$/i,
  BMP: /\.(bmp|dib)$/i,
};

function imbalance({ name, classNames, pictures }: AuditedSet): Finding[] {
  if (classNames.length < 2 || pictures.length === 0) return []; // without labels
  const counts = classCounts({ labels: pictures.map(({ label }) => label), classNames });
  const [least, most] = [Math.min(...counts), Math.max(...counts)]; // 256 classes at most
  if (most <= IMBALANCE * least) return [];
  const rarest = classNames[counts.indexOf(least)];
  const share = ((100 * most) / pictures.length).toFixed(0);
  return [
    {
      kind: 'imbalance',
      severity: 'warning',
      message: `${name}: ${count(most)} of '${classNames[counts.indexOf(most)]}', ${least} of '${rarest}'`,
      advice: `always saying the former would be ${share} % right; take more of '${rarest}', and look at missed alerts rather than at accuracy`,
      groups: [],
    },
  ];
}

function mixtures({ name, pictures }: AuditedSet): Finding[] {
  const findings: Finding[] = [];
  const sizes = tally(pictures, ({ facts }) => `${facts.width}x${facts.height}`);
  if (sizes.length > 1) {
    findings.push({
      kind: 'mixed sizes',
      severity: 'note',
      message: `${name}: ${sizes.length} sizes: ${listed(sizes)}`,
      advice: 'all are resized alike; where the shapes differ, some are squashed',
      groups: [sizes.slice(0, SIZES_SHOWN).map(([, files]) => files[0])], // one of each: hundreds would say no more
    });
  }
  const colours = tally(pictures, ({ facts }) => (facts.gray ? 'gray' : 'colour'));
  if (colours.length > 1) {
    findings.push({
      kind: 'mixed colours',
      severity: 'note',
      message: `${name}: ${listed(colours)}`,
      advice: 'a network can learn the camera instead of the belt; take all in one mode',
      groups: [colours[1][1]],
    });
  }
  return findings;
}

/** Files by a property, the most frequent first. */
function tally(
  pictures: readonly AuditedPicture[],
  property: (picture: AuditedPicture) => string,
): [string, string[]][] {
  const found = new Map<string, string[]>();
  for (const picture of pictures) {
    const key = property(picture);
    const files = found.get(key);
    if (files) files.push(picture.file);
    else found.set(key, [picture.file]);
  }
  return [...found].toSorted((a, b) => b[1].length - a[1].length);
}

function listed(groups: readonly [string, string[]][]): string {
  const shown = groups.slice(0, 4).map(([name, files]) => `${files.length} ${name}`);
  return `${shown.join(', ')}${groups.length > 4 ? ', …' : ''}`;
}
