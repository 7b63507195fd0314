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
import { openCache, type CacheOptions } from '../terminal/data.js';
import { newFile } from '../terminal/new-file.js';
import { count, note, Output, quoted, showProgress, table } from '../terminal/output.js';

export interface AuditOptions extends CacheOptions {
  readonly strict?: boolean;
  readonly near: number;
  /** A file, or false for none; by default audit.png. */
  readonly sheet: string | boolean;
  readonly workers?: number;
  readonly json?: boolean;
}

/** Under --strict, when there is a finding other than a note. */
const FINDINGS = 11;
/** As trainings prepare them by default, so that they find the pictures in the cache. */
const PREPARATION = { size: { width: 64, height: 64 }, interpolation: 'nearest' } as const;

/** @returns the exit code */
export async function auditCommand(directories: readonly string[], options: AuditOptions): Promise<number> {
  const output = new Output(options);
  const lists = await listSets(directories);
  const place = options.sheet === false ? null : newFile('--sheet', options.sheet, 'audit', directories);
  const report = await auditSets(lists, {
    ...PREPARATION,
    ...(options.workers !== undefined && { workers: options.workers }),
    near: options.near,
    cache: openCache(options, directories),
    onNote: (line) => note(`note: ${line}`),
    onProgress: (done, total) => showProgress(() => `Looking at pictures ${done}/${total}`),
  });
  const { findings } = report;
  const sheet = place === null ? null : await auditSheet(findings);
  if (sheet && place !== null) await writeFileAtomically(place, sheet);
  const isBad = findings.some(({ severity }) => severity !== 'note');
  output.emit({ ...report, sheet: sheet ? place : null });
  print(report, output);
  if (sheet) output.say(`Contact sheet: ${place} (rows are numbered like the findings)`);
  return options.strict && isBad ? FINDINGS : 0;
}

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
  'imbalance',
]);

/** The short form, before a training. */
export async function noteFindings(
  training: Dataset,
  validation: Dataset | null,
  directory: string,
  cache: PictureCache | null,
): Promise<AuditReport> {
  const report = await auditDatasets(training, validation, cache);
  const findings = report.findings.filter(({ kind }) => told.has(kind));
  for (const { message } of findings.slice(0, MOST_NOTES)) note(`audit: ${message}`);
  const rest = findings.length - MOST_NOTES;
  if (rest > 0) note(`audit: and ${count(rest, 'finding')} more`);
  if (findings.length > 0) note(`audit: files and ways out: beltnet audit ${quoted(directory)}`);
  return report;
}
