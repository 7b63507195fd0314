/** New labels for pictures: a corrected copy of a manifest or of class folders. What is given is never changed. */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { DataError, DiskError, UsageError } from '../../errors.js';
import { expectPath, received } from '../../expect.js';
import { type FileKind, readWholeFile, writeFileAtomically } from '../../files.node.js';
import { fileKind, withSlashes } from './folder.node.js';
import { isManifest } from './manifest.node.js';

/** A line of relabel.csv. */
export interface NewLabel {
  readonly file: string;
  readonly label: string;
  /** What it was when somebody looked at it; empty where the table does not say. */
  readonly was: string;
}

const TABLE: FileKind = {
  what: 'a table of new labels',
  mostBytes: 2 ** 28,
  refuse: (message, options) => new DataError(message, options),
};

type Row = Record<string, string>;

async function readTable(path: string, kind = TABLE): Promise<Row[]> {
  const { parse } = (await import('papaparse')).default;
  const text = Buffer.from(await readWholeFile(path, kind))
    .toString('utf8')
    .replace(/^\ufeff/, '');
  return parse<Row>(text, { header: true, skipEmptyLines: true }).data;
}

/** Names that a spreadsheet would take for formulas have an apostrophe before them. */
const unquoted = (text = ''): string => text.replace(/^'(?=[=+\-@])/, '');

/** A report's relabel.csv: `path,label,was`. @throws DataError for a table without these, or with two labels for a picture */
export async function readNewLabels(path: string): Promise<NewLabel[]> {
  expectPath(path, 'readNewLabels: path');
  const rows = await readTable(path);
  const seen = new Map<string, string>();
  return rows.map((row, index) => {
    const [file, label, was] = [row['path'], row['label'], row['was']].map(unquoted);
    if (!file || !label)
      throw new DataError(`${path}, line ${index + 2}: expects path,label,was, got '${file}' and '${label}'`);
    const earlier = seen.get(resolve(file));
    if (earlier !== undefined)
      throw new DataError(
        `${path}, line ${index + 2}: expects ${file} once, got it twice (as ${earlier} and ${label})`,
      );
    seen.set(resolve(file), label);
    return { file, label, was };
  });
}

/**
 * Makes a copy of a manifest, or of a folder of class folders, in which these pictures have their new labels.
 *
 * @param out a new file or folder
 * @returns how many pictures are in it, and how many have another label than before
 * @throws DataError for a picture that is not there, or has another label by now: nothing is written then
 */
export async function relabel(
  source: string,
  labels: readonly NewLabel[],
  out: string,
): Promise<{ pictures: number; changed: number }> {
  for (const path of [source, out]) expectPath(path, 'relabel: source and out');
  const isLabel = (one: Partial<NewLabel> | null): boolean =>
    typeof one?.file === 'string' && typeof one.label === 'string';
  if (!Array.isArray(labels) || !labels.every(isLabel))
    throw new UsageError(`relabel: expects what readNewLabels gives, got ${received(labels)}`);
  if (existsSync(out)) throw new UsageError(`out: expects a new file or folder, got '${out}', which exists`);
  if (labels.length === 0) throw new DataError('relabel: expects pictures with new labels, got none');
  const wanted = new Map(labels.map((one) => [resolve(one.file), one]));
  const counts = isManifest(source)
    ? await relabelManifest(source, wanted, out)
    : await relabelFolder(source, wanted, out);
  return counts;
}

type Wanted = Map<string, NewLabel>;

/** The new label of a picture, or the one that it has. */
function labelOf(wanted: Wanted, place: string, has: string, found: Set<string>): string {
  const one = wanted.get(resolve(place));
  if (!one) return has;
  if (one.was !== '' && one.was !== has)
    throw new DataError(
      `${one.file}: expects the label '${one.was}', which it had when it was looked at, got '${has}'; look at it again`,
    );
  found.add(resolve(place));
  return one.label;
}

function refuseMissing(wanted: Wanted, found: ReadonlySet<string>, source: string): void {
  const missing = [...wanted].filter(([place]) => !found.has(place)).map(([, { file }]) => file);
  if (missing.length === 0) return;
  throw new DataError(
    `${source}: expects all pictures of the table, ${missing.length} of them are not in it (${missing[0]}${missing.length > 1 ? ', …' : ''}); ` +
      'run the command where the training was run, or give what it was trained on',
  );
}

async function relabelManifest(
  source: string,
  wanted: Wanted,
  out: string,
): Promise<{ pictures: number; changed: number }> {
  const isTable = /\.csv$/i.test(source);
  if (isTable !== /\.csv$/i.test(out))
    throw new UsageError(
      `out: expects a file ending in ${isTable ? '.csv' : '.jsonl'}, as ${source} does, got '${out}'`,
    );
  const kind = { ...TABLE, what: 'a table of pictures' };
  const rows: Row[] = isTable
    ? await readTable(source, kind)
    : Buffer.from(await readWholeFile(source, kind))
        .toString('utf8')
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => JSON.parse(line) as Row);
  const found = new Set<string>();
  let changed = 0;
  const corrected = rows.map((row) => {
    const path = row['path'];
    const place = isAbsolute(path) ? path : join(dirname(source), path);
    const label = labelOf(wanted, place, row['label'], found);
    if (label !== row['label']) changed++;
    // Paths are told from the manifest's own folder, which is another one now.
    const told = isAbsolute(path) ? path : withSlashes(relative(dirname(resolve(out)), resolve(place)));
    return { ...row, path: told, label };
  });
  refuseMissing(wanted, found, source);
  const { unparse } = (await import('papaparse')).default;
  const text = isTable
    ? `${unparse(corrected, { newline: '\n' })}\n`
    : corrected.map((row) => `${JSON.stringify(row)}\n`).join('');
  await writeFileAtomically(out, Buffer.from(text));
  return { pictures: rows.length, changed };
}

async function relabelFolder(
  source: string,
  wanted: Wanted,
  out: string,
): Promise<{ pictures: number; changed: number }> {
  if (fileKind(source) !== 'folder')
    throw new DataError(`${source}: expects a manifest or a folder of class folders, got ${fileKind(source)}`);
  const away = relative(resolve(source), resolve(out));
  if (away === '' || !(away.startsWith('..') || isAbsolute(away)))
    throw new UsageError(`out: expects a place outside of ${source}, got '${out}'`);
  for (const { label } of wanted.values())
    if (label === '.' || label === '..' || /[/\\\0]/.test(label))
      throw new DataError(`relabel: expects labels that a folder can have, got '${label}'`);
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  const files = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  const found = new Set<string>();
  let changed = 0;
  const moves = files.map((file) => {
    const has = basename(dirname(file));
    const label = labelOf(wanted, file, has, found);
    if (label !== has) changed++;
    const from = relative(source, dirname(file));
    return { file, to: join(label === has ? from : join(dirname(from), label), basename(file)) };
  });
  refuseMissing(wanted, found, source);
  const targets = new Map<string, string>();
  for (const { file, to } of moves) {
    const other = targets.get(to);
    if (other !== undefined)
      throw new DataError(`relabel: ${file} and ${other} would both be ${to}; rename one of them`);
    targets.set(to, file);
  }
  const unfinished = `${out}.unfinished`;
  try {
    await mkdir(unfinished);
    for (const { file, to } of moves) {
      await mkdir(join(unfinished, dirname(to)), { recursive: true });
      // A copy that shares its blocks where the file system can do that
      await copyFile(file, join(unfinished, to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    }
    await rename(unfinished, out);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(unfinished, { recursive: true, force: true });
    throw new DiskError(
      `${out}: the copy cannot be written: ${(error as Error).message}; make room, or choose another place`,
      {
        cause: error,
      },
    );
  }
  return { pictures: files.length, changed };
}
