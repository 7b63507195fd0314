/** `beltnet audit`: what is wrong with pictures before a network learns them. Nothing of them is changed. */
import {
  auditDatasets,
  auditSets,
  auditSheet,
  listSets,
  writeFileAtomically,
  type AuditReport,
  type Dataset,
  type Finding,
  type FindingKind,
  type PictureCache,
} from '../../src/index.node.js';
import { defineCommand, toggle, flag } from '../terminal/command.js';
import { cacheFlags, workersFlag } from '../terminal/common-flags.js';
import { openCache } from '../terminal/data.js';
import { refuseExisting } from '../terminal/new-file.js';
import { filePath, numberWhere } from '../terminal/options.js';
import { count, note, Output, quoted, showProgress, table } from '../terminal/output.js';

/** Under --strict, when there is a finding other than a note. */
const FINDINGS = 11;
/** As trainings prepare them by default, so that they find the pictures in the cache. */
const PREPARATION = { size: { width: 64, height: 64 }, interpolation: 'nearest' } as const;

export const command = defineCommand({
  operands: {
    '<dirs...>':
      'a divided data set (and folders of pictures to predict beside it), folders with class folders, any folders of pictures, ' +
      'manifests, practice sets',
  },
  flags: {
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
    json: toggle('one JSON object on stdout'),
  },
  notes: 'Nothing of the pictures is changed, and nothing is written but the sheet.',
  examples: ['beltnet audit belt new-pictures/', 'beltnet audit belt --sheet audit.png --strict'],
  async run(directories, options) {
    const { strict, near, sheet: place } = options;
    const output = new Output(options);
    if (place !== undefined) refuseExisting('--sheet', place);
    const lists = await listSets(directories);
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
    const isBad = findings.some(({ severity }) => severity !== 'note');
    output.emit({ ...report, sheet: sheet ? place : null });
    print(report, output);
    if (sheet) output.say(`Contact sheet: ${place} (numbered like the findings)`);
    else if (place !== undefined) output.say('No contact sheet: no finding has pictures to show.');
    else if (findings.some(({ groups }) => groups.length > 0)) output.say('To see the pictures: --sheet audit.png');
    return strict && isBad ? FINDINGS : 0;
  },
});

const MOST_FILES = 6;

function print({ sets, findings }: AuditReport, output: Output): void {
  const rows = sets.map(({ name, role, pictures, distinct, effective, classes }) => {
    const byClass = Object.entries(classes).map(([label, amount]) => `${label} ${amount}`);
    return [name, role, pictures, distinct, effective, byClass.join(', ') || '-'];
  });
  const header = ['set', 'role', 'pictures', 'distinct', 'effective', 'classes'];
  for (const line of table([header, ...rows])) output.say(line);
  output.say();
  for (const [index, finding] of findings.entries()) {
    output.say(`${index + 1}. ${finding.severity}, ${finding.kind}: ${finding.message}`);
    output.say(`   ${finding.advice}`);
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
