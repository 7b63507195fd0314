/**
 * What a line says, to disk: every event to a file for each day (2026-11-29.jsonl), one line of JSON each, chained by hash across the
 * days, and the pictures of alerts beside it, up to a quota.
 *
 * A line is handed to the system before anybody is told of its event, so that a killed process loses nothing; it is on the disk within
 * a second, alarms and faults at once. Where the disk is full the oldest pictures go; the record stays.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { asRead, NO_HASH, type Link, type RecordHead } from '../classifier/proof/chain.js';
import { linkHash, sha256 } from '../classifier/proof/chain.node.js';
import { fileKind } from '../data/sources/folder.node.js';
import { DataError, DiskError } from '../errors.js';
import { makeFolders, takeRunDirectory, writeFileAtomically } from '../files.node.js';
import { leaveFolder } from '../lock.node.js';
import type { AlarmEvent, LineEvent, VerdictEvent } from './events.js';
import { PictureRing } from './picture-ring.node.js';

export const DAY_FILE = /^(\d{4}-\d{2}-\d{2})\.jsonl$/;
/** Alarms that stand, so that they stand on when the line starts again. */
const STANDING = 'standing.json';

export const PICTURES = 'pictures';

/** A picture that an entry vouches for, relative to the record's folder, while the quota lasts. */
export interface KeptPicture {
  readonly file: string;
  readonly sha256: string;
}

export type LineEntry = Link & LineEvent & { readonly picture?: KeptPicture };

/** Of a verdict: from which file it was, and when that was complete. */
export const frameKey = ({ camera, source, takenAt }: Pick<VerdictEvent, 'camera' | 'source' | 'takenAt'>): string =>
  `${camera}\n${source}\n${takenAt}`;

/** So much of the end is read at the start, to know what has its verdict already. */
const TAIL_BYTES = 2 ** 24;
/** So many entries wait in memory while the disk takes none. */
const MOST_WAITING = 100_000;
const MILLISECONDS_BETWEEN_WARNINGS = 60_000;

export interface RecordOptions {
  readonly folder: string;
  readonly pictureMegabytes: number;
  /** For people: pictures that went, a disk that is full. */
  readonly onWarning: (detail: string) => void;
  /** Whether entries reach the disk. */
  readonly onFull: (isFull: boolean, detail: string) => void;
  readonly now?: () => Date;
}

export class LineRecord {
  readonly #options: RecordOptions;
  readonly #folder: string;
  readonly #pictures: PictureRing;
  readonly #now: () => Date;
  #head: RecordHead;
  #day: string;
  #file: number;
  /** Of the file up to the end of its last whole line. */
  #length: number;
  #isDirty = false;
  #refusedDay = '';
  #warnedAt = -Infinity;
  #isFull = false;
  readonly #waiting: string[] = [];
  readonly #flushing: NodeJS.Timeout;
  /** What was found torn at the end when the record was opened. */
  readonly torn: string | null;
  /** Frames that have their verdict, of the last entries … */
  readonly judged: ReadonlySet<string>;
  /** … and when the last of each camera was taken, in milliseconds. */
  readonly lastTaken: ReadonlyMap<string, number>;

  private constructor(options: RecordOptions, pictures: PictureRing, opened: Opened) {
    this.#options = options;
    this.#folder = options.folder;
    this.#pictures = pictures;
    this.#now = options.now ?? (() => new Date());
    ({ head: this.#head, day: this.#day, file: this.#file, length: this.#length } = opened);
    ({ torn: this.torn, judged: this.judged, lastTaken: this.lastTaken } = opened);
    this.#flushing = setInterval(() => this.#flush(), 1000).unref();
  }

  /** @throws DiskError, also while another process writes there; DataError for a record whose last entry cannot be read */
  static open(options: RecordOptions): LineRecord {
    const { folder, now = () => new Date() } = options;
    try {
      makeFolders(folder);
    } catch (error) {
      throw new DiskError(`${folder}: the record cannot be written: ${messageOf(error)}`);
    }
    takeRunDirectory(folder);
    try {
      const pictures = new PictureRing(join(folder, PICTURES), options.pictureMegabytes * 2 ** 20);
      return new LineRecord(options, pictures, openLast(folder, now()));
    } catch (error) {
      leaveFolder(folder);
      throw error;
    }
  }

  get head(): RecordHead {
    return this.#head;
  }

  /** @param picture the bytes of the frame and how their file's name ends, to keep beside it */
  append(event: LineEvent, picture: { readonly bytes: Uint8Array; readonly ending: string } | null = null): void {
    const kept = picture && {
      file: `${PICTURES}/${pictureName(event, picture.ending)}`,
      sha256: sha256(picture.bytes),
    };
    const entry = {
      ...asRead({ ...event, ...(kept && { picture: kept }) }),
      number: this.#head.count + 1,
      previous: this.#head.hash,
    };
    const hash = linkHash(entry);
    this.#head = { count: entry.number, hash };
    this.#turnDay();
    if (this.#waiting.length >= MOST_WAITING) this.#waiting.shift(); // its gap shows in the chain
    this.#waiting.push(`${JSON.stringify({ ...entry, hash })}\n`);
    this.#write();
    if (event.kind === 'alarm' || event.kind === 'fault') this.#flush();
    if (picture && kept)
      void this.#pictures.add(kept.file.slice(PICTURES.length + 1), picture.bytes).then(this.#tellOfPictures);
  }

  /** Alarms that stood at the last end, by camera and region. */
  standing(): Readonly<Record<string, AlarmEvent>> {
    const path = join(this.#folder, STANDING);
    if (!existsSync(path)) return {};
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Record<string, AlarmEvent>;
    } catch {
      this.#options.onWarning(`${path}: cannot be read: alarms that stood are not known`);
      return {};
    }
  }

  async keepStanding(alarms: Readonly<Record<string, AlarmEvent>>): Promise<void> {
    try {
      await writeFileAtomically(join(this.#folder, STANDING), JSON.stringify(alarms));
    } catch (error) {
      this.#options.onWarning(messageOf(error));
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#flushing);
    await this.#pictures.close();
    this.#write();
    try {
      fsyncSync(this.#file);
      closeSync(this.#file);
    } catch (error) {
      this.#options.onWarning(`${this.#folder}: the record's end may not be on the disk: ${messageOf(error)}`);
    }
    leaveFolder(this.#folder);
  }

  readonly #tellOfPictures = (warning: string | null): void => {
    if (warning !== null) this.#warn(warning);
  };

  /** A full disk brings as many warnings as pictures, each of which takes room itself: one a minute is told. */
  #warn(warning: string): void {
    if (performance.now() - this.#warnedAt < MILLISECONDS_BETWEEN_WARNINGS) return;
    this.#warnedAt = performance.now();
    this.#options.onWarning(warning);
  }

  /** Another file for another day; never an earlier one, so that files and chain have one order when the clock is set back. */
  #turnDay(): void {
    const today = dayOf(this.#now());
    if (today <= this.#day) return;
    this.#write();
    if (this.#waiting.length > 0) return; // the disk is full: what belongs to the day before goes there first
    try {
      const file = openSync(join(this.#folder, `${today}.jsonl`), 'a+');
      fsyncSync(this.#file);
      closeSync(this.#file);
      this.#file = file;
      this.#day = today;
      this.#length = fstatSync(file).size;
    } catch (error) {
      if (this.#refusedDay === today) return; // told already; yesterday's file goes on
      this.#refusedDay = today;
      this.#options.onWarning(`${this.#folder}: a file for ${today} cannot be made: ${messageOf(error)}`);
    }
  }

  /** Hands what waits to the system, taking pictures away for it where the disk is full. */
  #write(): void {
    while (this.#waiting.length > 0) {
      // One write for many where many wait.
      const lines = this.#waiting.slice(0, 1000);
      const bytes = Buffer.from(lines.join(''));
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
      } catch (error) {
        this.#takeBack();
        const freed = isFullDisk(error) ? this.#pictures.removeOldest(Math.max(2 ** 16, 4 * bytes.length)) : 0;
        if (freed > 0) {
          this.#warn(`the disk is full: ${freed} of the oldest pictures went, for the record`);
          continue;
        }
        if (!this.#isFull)
          this.#tellFull(true, `the record cannot be written (${messageOf(error)}); make room on its disk`);
        return; // they wait
      }
      this.#length += bytes.length;
      this.#waiting.splice(0, lines.length);
      this.#isDirty = true;
    }
    if (this.#isFull) this.#tellFull(false, 'the record is written again');
  }

  #tellFull(isFull: boolean, detail: string): void {
    this.#isFull = isFull;
    queueMicrotask(() => this.#options.onFull(isFull, detail)); // which appends an entry itself
  }

  /** Takes away a part of a line that was still written. */
  #takeBack(): void {
    try {
      ftruncateSync(this.#file, this.#length);
    } catch {
      // the next start takes it away
    }
  }

  #flush(): void {
    if (this.#waiting.length > 0) this.#write();
    if (!this.#isDirty) return;
    this.#isDirty = false;
    fsync(this.#file, (error) => {
      if (error && error.code !== 'EBADF') this.#isDirty = true;
    });
  }
}

interface Opened {
  readonly head: RecordHead;
  readonly day: string;
  readonly file: number;
  readonly length: number;
  readonly torn: string | null;
  readonly judged: ReadonlySet<string>;
  readonly lastTaken: ReadonlyMap<string, number>;
}

/** Opens the last day's file, or one for today, and takes a torn line off its end. */
function openLast(folder: string, now: Date): Opened {
  const days = dayFiles(folder);
  const name = days.at(-1) ?? `${dayOf(now)}.jsonl`;
  const path = join(folder, name);
  try {
    const file = openSync(path, 'a+');
    const { lines, length, torn } = readTail(file);
    if (torn !== null) ftruncateSync(file, length);
    let last = lines.at(-1);
    for (let at = days.length - 2; last === undefined && at >= 0; at--) {
      const before = openSync(join(folder, days[at]), 'r');
      last = readTail(before).lines.at(-1); // a day that was begun, and no more
      closeSync(before);
    }
    return {
      file,
      length,
      torn,
      day: name.slice(0, 10),
      head: last === undefined ? { count: 0, hash: NO_HASH } : headOf(last, path),
      ...judgedIn(lines),
    };
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DiskError(`${path}: the record cannot be opened: ${messageOf(error)}`);
  }
}

/** The same of a record that is to be read. @throws DataError for what holds none */
export function daysOfRecord(folder: string): string[] {
  const days = fileKind(folder) === 'folder' ? dayFiles(folder) : [];
  if (days.length > 0) return days;
  throw new DataError(
    `${folder}: expects the record of a line (files such as 2026-11-29.jsonl), got none; check the path`,
  );
}

/** Names of the files of days, in the order of the chain. */
const dayFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => DAY_FILE.test(name))
    .toSorted();

function readTail(file: number): { lines: string[]; length: number; torn: string | null } {
  const { size } = fstatSync(file);
  const from = Math.max(0, size - TAIL_BYTES);
  const bytes = Buffer.alloc(size - from);
  for (let at = 0; at < bytes.length;) {
    const count = readSync(file, bytes, at, bytes.length - at, from + at);
    if (count === 0) break;
    at += count;
  }
  const end = bytes.lastIndexOf(10) + 1;
  const lines = bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
  if (from > 0) lines.shift(); // a part of one
  const torn = end < bytes.length ? bytes.subarray(end).toString('utf8') : null;
  return { lines, length: from + end, torn };
}

function headOf(line: string, path: string): RecordHead {
  try {
    const { number, hash } = JSON.parse(line) as Link;
    if (Number.isSafeInteger(number) && /^[0-9a-f]{64}$/.test(hash)) return { count: number, hash };
  } catch {
    // refused below
  }
  throw new DataError(
    `${path}: expects a record whose last entry can be read, got another; "beltnet verify-record" says more; put it aside to begin another`,
  );
}

function judgedIn(lines: readonly string[]): Pick<Opened, 'judged' | 'lastTaken'> {
  const judged = new Set<string>();
  const lastTaken = new Map<string, number>();
  for (const line of lines) {
    try {
      const event = JSON.parse(line) as LineEvent;
      if (event.kind !== 'verdict') continue;
      judged.add(frameKey(event));
      lastTaken.set(event.camera, Math.max(lastTaken.get(event.camera) ?? 0, Date.parse(event.takenAt)));
    } catch {
      // verify-record says so
    }
  }
  return { judged, lastTaken };
}

const dayOf = (now: Date): string => now.toISOString().slice(0, 10);

/** Sorted by name they are sorted by age. */
function pictureName({ at, ...event }: LineEvent, ending: string): string {
  const { camera, region, sequence } = event as unknown as Record<string, string | number>;
  return `${at.replaceAll(':', '')}-${camera}-${region}-${sequence}.${ending}`;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const isFullDisk = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
