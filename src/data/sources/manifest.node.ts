/** A table of pictures instead of folders: .csv with a header line, or .jsonl; path,label[,group,split]. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { DataError } from '../../errors.js';
import { type FileKind, readWholeFile } from '../../files.node.js';
import { fileKind, withSlashes } from './folder.node.js';
import { type FileList, type LabelledFile, MOST_CLASSES } from './file-list.js';

/** What a manifest says, part by part; a part that no row names is null. */
export interface Manifest {
  readonly training: FileList | null;
  readonly validation: FileList | null;
  readonly test: FileList | null;
}

/** Whether a path leads to a table of pictures; what is no file, such as a pipe, is refused when it is read. */
export function isManifest(path: string): boolean {
  return /\.(csv|jsonl)$/i.test(path) && !/^(folder|nothing)/.test(fileKind(path));
}

/** Words for the parts, as people write them. */
const parts: ReadonlyMap<string, keyof Manifest> = new Map([
  ...['', 'train', 'training', 'training_set'].map((word) => [word, 'training'] as const),
  ...['val', 'valid', 'validation', 'dev'].map((word) => [word, 'validation'] as const),
  ...['test', 'testing', 'test_set'].map((word) => [word, 'test'] as const),
]);

type Row = Readonly<Record<string, string>> & { readonly line: number };

/**
 * Reads a manifest. Paths are relative to its folder. Classes are sorted by name, as those of folders.
 *
 * @throws DataError naming the line that cannot be used
 */
export async function readManifest(given: string): Promise<Manifest> {
  const path = withSlashes(given);
  const rows = await readRows(path, ['path', 'label']);
  for (const { path: file, label, line } of rows) {
    if (file && label) continue;
    throw new DataError(`${path}, line ${line}: expects a path and a label, got '${file ?? ''}' and '${label ?? ''}'`);
  }
  const classNames = [...new Set(rows.map(({ label }) => label))].toSorted();
  if (classNames.length > MOST_CLASSES) {
    throw new DataError(
      `${path}: expects at most ${MOST_CLASSES} classes, got ${classNames.length} labels; is 'label' the right column?`,
    );
  }
  const seen = new Map<string, Row>();
  const lists: Record<keyof Manifest, LabelledFile[]> = { training: [], validation: [], test: [] };
  for (const row of rows) {
    const part = parts.get((row.split ?? '').trim().toLowerCase());
    if (!part) {
      throw new DataError(`${path}, line ${row.line}: split: expects train, val or test, got '${row.split}'`);
    }
    const place = placeOf(path, row);
    const earlier = seen.get(resolve(place));
    if (earlier) {
      throw new DataError(
        `${path}, line ${row.line}: ${row.path} stands in line ${earlier.line} already; remove one of them`,
      );
    }
    seen.set(resolve(place), row);
    const label = classNames.indexOf(row.label);
    lists[part].push({ path: place, label, ...(row.group !== undefined && { group: row.group }) });
  }
  const list = (part: keyof Manifest): FileList | null =>
    lists[part].length === 0
      ? null
      : {
          name: path,
          classNames,
          files: lists[part].toSorted((a, b) => (a.path < b.path ? -1 : 1)),
          skipped: [],
          notes: [],
        };
  return { training: list('training'), validation: list('validation'), test: list('test') };
}

/** The files of a manifest, whatever their labels, which it need not have. @throws DataError */
export async function listManifest(given: string): Promise<string[]> {
  const path = withSlashes(given);
  const rows = await readRows(path, ['path']);
  return rows.map((row) => {
    if (row.path) return placeOf(path, row);
    throw new DataError(`${path}, line ${row.line}: expects a path, got ''`);
  });
}

/** Where a picture is, without detours, so that one file has one name. */
function placeOf(manifest: string, { path }: Row): string {
  return withSlashes(isAbsolute(path) ? path : join(dirname(manifest), path));
}

async function readRows(path: string, columns: readonly string[]): Promise<Row[]> {
  const text = await readText(path);
  const rows = /\.csv$/i.test(path) ? await csvRows(path, text, columns) : jsonRows(path, text);
  if (rows.length === 0) throw new DataError(`${path}: expects a line for each picture, got none`);
  return rows;
}

/** A line for each of a million pictures fits. */
const MANIFEST: FileKind = {
  what: 'a table of pictures',
  mostBytes: 256 * 2 ** 20,
  refuse: (message, options) => new DataError(message, options),
};

async function readText(path: string): Promise<string> {
  const bytes = await readWholeFile(path, MANIFEST);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DataError(`${path}: expects text in UTF-8, got another encoding; save it again as "CSV UTF-8"`);
  }
}

function jsonRows(path: string, text: string): Row[] {
  return text.split(/\r?\n/).flatMap((content, index): Row[] => {
    if (content.trim() === '') return [];
    const line = index + 1;
    let value: unknown;
    try {
      value = JSON.parse(content);
    } catch {
      value = null;
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new DataError(
        `${path}, line ${line}: expects an object {"path": …, "label": …}, got ${content.slice(0, 80)}`,
      );
    }
    const cells = Object.entries(value)
      .filter(([, cell]) => ['string', 'number', 'boolean'].includes(typeof cell))
      .map(([name, cell]) => [name.toLowerCase(), String(cell)] as const);
    return [Object.assign(Object.fromEntries(cells), { line })];
  });
}

/** Papa Parse wants one kind of line break, and counts records; people count lines. */
async function csvRows(path: string, text: string, columns: readonly string[]): Promise<Row[]> {
  const { parse } = (await import('papaparse')).default;
  const lines = text.replaceAll(/\r\n?/g, '\n');
  const delimiter = /^[^,\n]*;/.test(lines) ? ';' : ','; // as spreadsheets write them where the comma is decimal
  const { data, errors } = parse<string[]>(lines, { delimiter, newline: '\n' });
  const starts: number[] = [];
  let line = 1;
  for (const cells of data) {
    starts.push(line);
    for (const cell of cells) line += cell.split('\n').length - 1;
    line++;
  }
  if (errors.length > 0) {
    throw new DataError(
      `${path}, line ${starts[errors[0].row ?? 0]}: a quote is not closed, or stands within a cell; double it`,
    );
  }
  const records = data
    .map((cells, record) => ({ cells: cells.map((cell) => cell.trim()), line: starts[record] }))
    .filter(({ cells }) => cells.some((cell) => cell !== ''));
  const names = records.shift()?.cells.map((name) => name.toLowerCase()) ?? [];
  if (!columns.every((column) => names.includes(column))) {
    throw new DataError(
      `${path}: expects a first line with the columns path,label[,group,split] and commas between them, got '${names.join(',')}'`,
    );
  }
  const repeated = names.find((name, column) => names.indexOf(name) < column && name !== '');
  if (repeated !== undefined)
    throw new DataError(`${path}: expects each column once, got '${repeated}' twice; rename one of them`);
  return records.map(({ cells, line: at }) => {
    if (cells.length !== names.length) {
      throw new DataError(`${path}, line ${at}: expects ${names.length} cells, got ${cells.length}`);
    }
    return Object.assign(Object.fromEntries(cells.map((cell, column) => [names[column], cell])), { line: at });
  });
}
