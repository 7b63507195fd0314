/** Findings about one set alone: files, pictures, classes. */
import { classCounts } from '../dataset.js';
import { thumbnailDistance } from './near-duplicates.js';
import type { PictureFacts } from './picture-facts.js';
import { count, type AuditedPicture, type AuditedSet, type Context, type Finding, type FindingKind } from './report.js';

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

export function unusable({ name, skipped }: AuditedSet): Finding[] {
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

export function fewPictures(set: AuditedSet, { all, sets, alike }: Context): Finding[] {
  if (set.classNames.length < 2 || set.pictures.length === 0) return [];
  const index = sets.indexOf(set);
  const few = set.classNames.flatMap((name, label) => {
    const different = alike.filter((cluster) =>
      cluster.some((member) => all[member].set === index && all[member].label === label),
    ).length;
    return different > 0 && different < FEW_PICTURES ? [`${name} ${different}`] : [];
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

export function frozenRuns(set: AuditedSet, near: number): Finding[] {
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

export function badPictures(set: AuditedSet): Finding[] {
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

export function imbalance({ name, classNames, pictures }: AuditedSet): Finding[] {
  if (classNames.length < 2 || pictures.length === 0) return []; // without labels
  const counts = classCounts({ labels: pictures.map(({ label }) => label), classNames });
  const present = counts.filter((each) => each > 0); // good pictures alone may have been asked for
  const [least, most] = [Math.min(...present), Math.max(...present)]; // 256 classes at most
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

export function mixtures({ name, pictures }: AuditedSet): Finding[] {
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
