/** A table of pictures instead of folders: .csv with a header line, or .jsonl; path,label[,group,split]. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { DataError } from '../errors.js';
import { type FileList, fileKind, type LabelledFile, withSlashes } from './folder.node.js';

/** What a manifest says, part by part; a part that no row names is null. */
export interface Manifest {
  readonly training: FileList | null;
  readonly validation: FileList | null;
  readonly test: FileList | null;
}

export const isManifest = (path: string): boolean => /\.(csv|jsonl)$/i.test(path) && fileKind(path) === 'file';

/** Words for the parts, as people write them. */
const parts: Readonly<Record<string, keyof Manifest>> = {
  '': 'training',
  ...{ train: 'training', training: 'training', training_set: 'training' },
  ...{ val: 'validation', valid: 'validation', validation: 'validation', dev: 'validation' },
  ...{ test: 'test', testing: 'test', test_set: 'test' },
};

type Row = Readonly<Record<string, string>> & { readonly line: number };

/**
 * Reads a manifest. Paths are relative to its folder. Classes are sorted by name, as those of folders.
 *
 * @throws DataError naming the line that cannot be used
 */
export function readManifest(given: string): Manifest {
  const path = withSlashes(given);
  let text: string;
  try {
    text = readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw new DataError(`${path}: the file cannot be read (${(error as NodeJS.ErrnoException).code}); check the path`);
  }
  const rows = /\.csv$/i.test(path) ? csvRows(path, text) : jsonRows(path, text);
  if (rows.length === 0) throw new DataError(`${path}: expected a line for each picture, received none`);
  for (const { path: file, label, line } of rows) {
    if (file && label) continue;
    throw new DataError(
      `${path}, line ${line}: expected a path and a label, received '${file ?? ''}' and '${label ?? ''}'`,
    );
  }
  const classNames = [...new Set(rows.map(({ label }) => label))].toSorted();
  if (classNames.length > 256) {
    throw new DataError(
      `${path}: expected at most 256 classes, received ${classNames.length} labels; is 'label' the right column?`,
    );
  }
  const folder = dirname(path);
  const seen = new Map<string, Row>();
  const lists: Record<keyof Manifest, LabelledFile[]> = { training: [], validation: [], test: [] };
  for (const row of rows) {
    const part = parts[(row.split ?? '').trim().toLowerCase()];
    if (!part) {
      throw new DataError(`${path}, line ${row.line}: split: expected train, val or test, received '${row.split}'`);
    }
    const file = withSlashes(row.path);
    const place = isAbsolute(file) || folder === '.' ? file : `${folder}/${file}`;
    const earlier = seen.get(place);
    if (earlier) {
      throw new DataError(
        `${path}, line ${row.line}: ${row.path} stands in line ${earlier.line} already; remove one of them`,
      );
    }
    seen.set(place, row);
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
        `${path}, line ${line}: expected an object {"path": …, "label": …}, received ${content.slice(0, 80)}`,
      );
    }
    const cells = Object.entries(value)
      .filter(([, cell]) => ['string', 'number', 'boolean'].includes(typeof cell))
      .map(([name, cell]) => [name.toLowerCase(), String(cell)] as const);
    return [Object.assign(Object.fromEntries(cells), { line })];
  });
}

function csvRows(path: string, text: string): Row[] {
  const [header, ...records] = parseCsv(path, text);
  const names = header?.cells.map((cell) => cell.trim().toLowerCase()) ?? [];
  if (!names.includes('path') || !names.includes('label')) {
    throw new DataError(
      `${path}: expected a first line with the columns path,label[,group,split], received '${names.join(',')}'`,
    );
  }
  return records.map(({ cells, line }) => {
    if (cells.length !== names.length) {
      throw new DataError(`${path}, line ${line}: expected ${names.length} cells, received ${cells.length}`);
    }
    return Object.assign(Object.fromEntries(cells.map((cell, column) => [names[column], cell])), {
      line,
    });
  });
}

interface CsvRecord {
  readonly cells: string[];
  readonly line: number;
}

/** RFC 4180: cells in quotes may hold commas, line breaks and doubled quotes. Empty lines are passed over. */
function parseCsv(path: string, text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  let cells: string[] = [];
  let line = 1;
  let first = 1;
  while (cell.lastIndex < text.length) {
    const match = cell.exec(text);
    if (!match) throw new DataError(`${path}, line ${line}: a quote is not closed, or stands within a cell; double it`);
    const [whole, quoted, plain, end] = match;
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.split('\n').length - 1;
    if (end === ',' && cell.lastIndex < text.length) continue;
    if (end === ',') cells.push('');
    if (cells.length > 1 || cells[0] !== '') records.push({ cells, line: first });
    cells = [];
    first = line;
  }
  return records;
}
