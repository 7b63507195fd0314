/** `beltnet audit`: what is wrong with pictures before a network learns them. Nothing of them is changed. */
import {
  audit,
  auditDatasets,
  auditItems,
  auditSets,
  auditSheet,
  listSets,
  lookAtShare,
  setsOfLines,
  writeFileAtomically,
  type AuditedList,
  type AuditLine,
  type AuditReport,
  type Dataset,
  type Finding,
  type FindingKind,
  type PictureCache,
  type SetOfLines,
  type Shard,
  type ShardFile,
} from '../../src/index.node.js';
import { defineCommand, toggle, flag, type Options } from '../terminal/command.js';
import { cacheFlags, workersFlag } from '../terminal/common-flags.js';
import { openCache } from '../terminal/data.js';
import { refuseExisting } from '../terminal/new-file.js';
import { filePath, numberWhere } from '../terminal/options.js';
import { count, fittingTable, note, Output, quoted, showProgress, wrapped } from '../terminal/output.js';
import { labelsHash, linesOf, runShard, shardFlags, shardOf } from '../terminal/shards.js';

/** Under --strict, when there is a finding other than a note. */
const FINDINGS = 11;
/** As trainings prepare them by default, so that they find the pictures in the cache. */
const PREPARATION = { size: { width: 64, height: 64 }, interpolation: 'nearest' } as const;

const flags = {
  strict: toggle('exit code 11 when there is a problem or a warning'),
  near: flag(
    '<levels>',
    'how alike near duplicates are: mean difference of brightness, in levels of 255',
    (name) => numberWhere(name, 'a number from 0 to 64', (given) => given >= 0 && given <= 64),
    { default: 2 },
  ),
  sheet: flag('<file>', 'also show the pictures of the findings, on a contact sheet in this new file', filePath),
  ...cacheFlags,
  workers: workersFlag,
  ...shardFlags,
  json: toggle('one JSON object on stdout'),
};

export const command = defineCommand({
  operands: {
    '<dirs...>':
      'a divided data set (and folders of pictures to predict beside it), folders with class folders, any folders of pictures, ' +
      'manifests, practice sets',
  },
  flags,
  notes:
    'Nothing of the pictures is changed, and nothing is written but the sheet. With --shard only a share of the pictures is looked at,\n' +
    'and what was seen is kept in --out; "beltnet merge" tells of all (docs/scale.md).',
  examples: ['beltnet audit belt new-pictures/', 'beltnet audit belt --sheet audit.png --strict'],
  async run(directories, options) {
    const { strict, near, sheet: place } = options;
    const output = new Output(options);
    if (place !== undefined) refuseExisting('--sheet', place);
    const lists = await listSets(directories);
    const shard = shardOf(options, { '--sheet': place, '--strict': strict });
    if (shard) return lookAtShard(shard, directories, lists, options);
    const report = await auditSets(lists, {
      ...PREPARATION,
      ...(options.workers !== undefined && { workers: options.workers }),
      near,
      cache: openCache(options, directories),
      onNote: (line) => note(`note: ${line}`),
      onProgress: (done, total) => showProgress(() => `Looking at pictures ${done}/${total}`),
    });
    const { findings } = report;
    const sheet = place === undefined ? null : await auditSheet(findings, lists);
    if (sheet && place !== undefined) await writeFileAtomically(place, sheet);
    output.emit({ ...report, sheet: sheet ? place : null });
    print(report, output);
    if (sheet) output.say(`Contact sheet: ${place} (numbered like the findings)`);
    else if (place !== undefined) output.say('No contact sheet: no finding has pictures to show.');
    else if (findings.some(({ groups }) => groups.length > 0)) output.say('To see the pictures: --sheet audit.png');
    return strict && isBad(report) ? FINDINGS : 0;
  },
});

async function lookAtShard(
  shard: { shard: Shard; out: string },
  directories: readonly string[],
  lists: readonly AuditedList[],
  options: Options<typeof flags>,
): Promise<number> {
  const sets = lists.map(({ name, role, classNames, skipped }): SetOfLines => ({ name, role, classNames, skipped }));
  const cache = openCache(options, directories);
  return runShard(shard, options, auditItems(lists), {
    command: 'audit',
    work: { 'labels of the files': labelsHash(lists), near: options.near, sets },
    step: 1,
    run: (items, add, onInput, first) =>
      lookAtShare(
        lists,
        {
          ...PREPARATION,
          ...(options.workers !== undefined && { workers: options.workers }),
          ...{ first, end: first + items.length, cache, onInput },
          onNote: (line) => note(`note: ${line}`),
        },
        add,
      ),
  });
}

/** Tells of merged shards what one process would have told. @returns the exit code */
export async function mergeAudit(
  shards: readonly ShardFile[],
  options: { readonly json: boolean; readonly strict: boolean },
): Promise<number> {
  const { sets, near } = shards[0].head.work as { sets: readonly SetOfLines[]; near: number };
  const report = await audit(await setsOfLines(sets, linesOf<AuditLine>(shards)), { near });
  const output = new Output(options);
  output.emit({ ...report, sheet: null });
  print(report, output);
  if (report.findings.some(({ groups }) => groups.length > 0)) output.say('To see the pictures: --sheet audit.png');
  return options.strict && isBad(report) ? FINDINGS : 0;
}

const isBad = ({ findings }: AuditReport): boolean => findings.some(({ severity }) => severity !== 'note');

const MOST_FILES = 6;

function print({ sets, findings }: AuditReport, output: Output): void {
  const rows = sets.map(({ name, role, pictures, distinct, effective, classes }) => {
    const byClass = Object.entries(classes).map(([label, amount]) => `${label} ${amount}`);
    return [name, role, pictures, distinct, effective, byClass.join(', ') || '-'];
  });
  const header = ['set', 'role', 'pictures', 'distinct', 'effective', 'classes'];
  for (const line of fittingTable([header, ...rows])) output.say(line);
  output.say();
  for (const [index, finding] of findings.entries()) {
    const said = `${index + 1}. ${finding.severity}, ${finding.kind}: ${finding.message}`;
    for (const text of [said, `   ${finding.advice}`])
      for (const line of wrapped(text, { indent: '   ' })) output.say(line);
    for (const line of fileLines(finding)) output.say(`   ${line}`);
  }
  if (findings.length === 0) output.say('Nothing was found that would harm a training.');
}

function fileLines({ groups }: Finding): string[] {
  if (groups.length === 1) return shortened(groups[0]).map((file) => `- ${file}`);
  const lines = groups.slice(0, MOST_FILES).map((files) => `- ${shortened(files, 4).join(', ')}`);
  return groups.length > MOST_FILES ? [...lines, `- and ${groups.length - MOST_FILES} more groups`] : lines;
}

function shortened(files: readonly string[], most = MOST_FILES): string[] {
  return files.length > most ? [...files.slice(0, most), `and ${files.length - most} more`] : [...files];
}

const MOST_NOTES = 5;
/** What the short form tells: what makes the figures of a training untrue. */
const told: ReadonlySet<FindingKind> = new Set([
  'leak',
  'label conflict',
  'group leak',
  'duplicates',
  'near duplicates',
  'blank',
  'turned',
  'imbalance',
]);

/** The short form, before a training. */
export async function noteFindings(
  training: Dataset,
  others: readonly Dataset[],
  directory: string,
  cache: PictureCache | null,
  exif: boolean,
): Promise<AuditReport> {
  const report = await auditDatasets(training, others, cache, exif);
  const findings = report.findings.filter(({ kind }) => told.has(kind));
  for (const { message } of findings.slice(0, MOST_NOTES)) note(`audit: ${message}`);
  const rest = findings.length - MOST_NOTES;
  if (rest > 0) note(`audit: and ${count(rest, 'finding')} more`);
  if (findings.length > 0) note(`audit: files and ways out: beltnet audit ${quoted(directory)}`);
  return report;
}
