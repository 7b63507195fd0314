/**
 * A folder of pictures that somebody is to label: `queue.jsonl`, a line of JSON for each, and the pictures beside it. What is said of
 * them goes into `labels.csv` beside them, which is a manifest (path,label,was); the pictures are never changed.
 */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { csvLine } from '../classifier/csv.js';
import { readPictureBytes } from '../data/pictures/read-picture.node.js';
import { readNewLabels } from '../data/sources/relabel.node.js';
import { DataError, DiskError, UsageError } from '../errors.js';
import { expectPath } from '../expect.js';
import { readWholeFile, writeFileAtomically } from '../files.node.js';
import { QUEUE_LABELS, QUEUE_LIST, type QueuedPicture } from './queued-picture.js';

const fileOfQueue = {
  what: 'the list of a queue',
  mostBytes: 2 ** 28,
  refuse: (message: string) => new DataError(message),
};

/** @returns the folder itself or its `queue/`, whichever has the list @throws UsageError for neither */
function queueFolder(given: string): string {
  expectPath(given, 'label: folder');
  const found = [given, join(given, 'queue')].find((folder) => existsSync(join(folder, QUEUE_LIST)));
  if (found !== undefined) return found;
  throw new UsageError(
    `label: expects a folder with a ${QUEUE_LIST}, or with queue/${QUEUE_LIST}, which "beltnet watch" makes of frames it is not sure of, got '${given}'`,
  );
}

/** A plain name: nothing outside the folder, and nothing hidden in it. */
const isPlainName = (name: unknown): name is string =>
  typeof name === 'string' && /^[^./\\][^/\\]*$/.test(name) && !name.includes('\0');

function lineOf(line: string): QueuedPicture | null {
  try {
    const value = JSON.parse(line) as QueuedPicture | null;
    return isPlainName(value?.file) ? value : null; // a line that is being written is not whole yet
  } catch {
    return null;
  }
}

export class LabelQueue {
  readonly folder: string;
  #writing: Promise<unknown> = Promise.resolve();

  /** @param given the folder, or the one above it @throws UsageError where there is no queue */
  constructor(given: string) {
    this.folder = queueFolder(given);
  }

  /** Where the labels are. */
  get table(): string {
    return join(this.folder, QUEUE_LABELS);
  }

  /** Those that are there, the oldest first; a picture that stands in two lines is one. */
  async pictures(): Promise<QueuedPicture[]> {
    const bytes = await readWholeFile(join(this.folder, QUEUE_LIST), fileOfQueue);
    const lines = Buffer.from(bytes).toString('utf8').split('\n');
    const byFile = new Map(lines.flatMap((line) => lineOf(line) ?? []).map((picture) => [picture.file, picture]));
    return [...byFile.values()].filter(({ file }) => existsSync(join(this.folder, file)));
  }

  /** By file. @throws DataError for a table that somebody has made unreadable: it is not overwritten */
  async labels(): Promise<Map<string, string>> {
    if (!existsSync(this.table)) return new Map();
    return new Map((await readNewLabels(this.table)).map(({ file, label }) => [file, label]));
  }

  /** @throws UsageError for a name that no queue has, DataError for a file that cannot be read */
  bytesOf(file: string): Uint8Array {
    if (!isPlainName(file)) throw new UsageError(`expects the name of a picture in the queue, got '${String(file)}'`);
    return readPictureBytes(join(this.folder, file));
  }

  /**
   * Writes down what a picture is; it is on the disk when this resolves.
   * @param label null takes back what was said
   */
  set(file: string, label: string | null): Promise<void> {
    const written = this.#writing.then(async () => {
      const picture = (await this.pictures()).find((each) => each.file === file);
      if (!picture) throw new UsageError(`expects the name of a picture in the queue, got '${file}'`);
      const rows = existsSync(this.table) ? await readNewLabels(this.table) : [];
      const others = rows.filter((row) => row.file !== file);
      if (label !== null) others.push({ file, label, was: picture.class ?? '' });
      await writeFileAtomically(
        this.table,
        csvLine(['path', 'label', 'was']) + others.map((row) => csvLine([row.file, row.label, row.was])).join(''),
      );
    });
    this.#writing = written.catch(() => {});
    return written;
  }

  /**
   * Copies what is labelled into class folders, which may hold other pictures already; nothing is overwritten.
   * @returns how many were copied, and how many were there already
   */
  async copyInto(out: string): Promise<{ copied: number; there: number }> {
    expectPath(out, 'label: out');
    let [copied, there] = [0, 0];
    for (const [file, label] of await this.labels()) {
      this.bytesOf(file); // refused before a folder is made for it
      await mkdir(join(out, label), { recursive: true });
      const target = join(out, label, file);
      try {
        await copyFile(join(this.folder, file), target, constants.COPYFILE_EXCL);
        copied++;
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code !== 'EEXIST') throw new DiskError(`${target}: the picture cannot be copied: ${message}`);
        there++;
      }
    }
    return { copied, there };
  }
}

/** What can be a class: it becomes the name of a folder. @throws UsageError */
export function expectClassName(name: unknown, what: string): asserts name is string {
  if (typeof name === 'string' && name.trim() === name && name !== '' && !/[/\\:*?"<>|]|^\.|\p{C}/u.test(name)) return;
  throw new UsageError(
    `${what}: expects the name of a class, which can be a folder's, such as ok or gap, got '${String(name)}'`,
  );
}
