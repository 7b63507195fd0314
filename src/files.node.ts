/**
 * Files on disk. Reading never waits for a pipe and never takes more memory than a file of its kind can need; writing never
 * leaves anything half written or overwritten: a file appears under its name only when it is complete and on the disk.
 */
import { expectFunction, expectNumber, expectPath, expectText, objectWith } from './expect.js';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DataError, DiskError } from './errors.js';
import { clearLeftovers, describeOwner, lockFolder, lockHolder, temporaryName } from './lock.node.js';

const expectKind = objectWith({ what: expectText, mostBytes: expectNumber, refuse: expectFunction });

/** What a file is read as: how large such a file can be, and the error that refuses it. */
export interface FileKind {
  /** With its article: 'a model file'. */
  readonly what: string;
  readonly mostBytes: number;
  readonly refuse: (message: string, options?: ErrorOptions) => Error;
  /** Told the size of the file before it is read. */
  readonly onSize?: (bytes: number) => void;
}

/** The process or the machine has no more of something: no fault of the file, which must not be skipped for it. */
export class ExhaustedError extends DataError {}

const EXHAUSTED: Readonly<Record<string, string>> = {
  EMFILE: 'too many files are open at once; raise the limit (ulimit -n 4096), or use fewer workers',
  ENFILE: 'too many files are open on this machine; close programs, or raise its limit',
  ENOMEM: 'the system has no memory left; close programs, or use fewer workers',
};

/** What a lack of the machine's is called, with the way out; null for another error. */
export function lackOf(error: unknown): string | null {
  const { code = '' } = error as NodeJS.ErrnoException;
  return EXHAUSTED[code] ? `${EXHAUSTED[code]} (${code})` : null;
}

/** What a path leads to: 'folder', 'file', or in words what else. */
export function kindOf(status: Stats): string {
  if (status.isDirectory()) return 'folder';
  if (status.isFile()) return 'file';
  if (status.isFIFO()) return 'a pipe';
  return status.isSocket() ? 'a socket' : 'a device';
}

/** A kind for messages. */
export const inWords = (kind: string): string => (kind === 'file' || kind === 'folder' ? `a ${kind}` : kind);

/** Opening never waits: what is a file when it is looked at may be a pipe when it is opened. */
const READ_WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Some files, as those of /proc, say that they are empty. */
const FIRST_LENGTH = 65536;

/**
 * The whole of a file of the user's.
 *
 * @throws what `kind.refuse` makes, for whatever is no regular file, is too large or cannot be read; ExhaustedError
 */
export async function readWholeFile(path: string, kind: FileKind): Promise<Uint8Array> {
  expectPath(path, 'readWholeFile: path');
  expectKind(kind, 'readWholeFile: kind');
  try {
    checkStatus(path, await stat(path), kind);
    const file = await open(path, READ_WITHOUT_WAITING);
    try {
      let bytes = firstBuffer(checkStatus(path, await file.stat(), kind));
      for (let length = 0; ;) {
        const { bytesRead } = await file.read(bytes, length, Math.min(bytes.length - length, PIECE), length);
        if (bytesRead === 0) return bytes.subarray(0, length);
        length += bytesRead;
        if (length === bytes.length) bytes = longerBuffer(path, bytes, kind);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw readError(path, error, kind);
  }
}

/** The same, at once: for what a thread of its own reads, and for small files. @throws as `readWholeFile` */
export function readWholeFileSync(path: string, kind: FileKind): Uint8Array {
  expectPath(path, 'the path of a file');
  try {
    checkStatus(path, statSync(path), kind);
    const file = openSync(path, READ_WITHOUT_WAITING);
    try {
      let bytes = firstBuffer(checkStatus(path, fstatSync(file), kind));
      for (let length = 0; ;) {
        const count = readSync(file, bytes, length, Math.min(bytes.length - length, PIECE), length);
        if (count === 0) return bytes.subarray(0, length);
        length += count;
        if (length === bytes.length) bytes = longerBuffer(path, bytes, kind);
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw readError(path, error, kind);
  }
}

/** Bytes that one call reads: Linux gives no more than 2 GiB at once. */
const PIECE = 2 ** 30;

/** @returns its size */
function checkStatus(path: string, status: Stats, { what, mostBytes, refuse, onSize }: FileKind): number {
  // Reading a pipe or a device could wait for ever, or never end.
  if (!status.isFile()) {
    const wayOut = status.isDirectory() ? 'give a file in it' : 'write it to a file first';
    throw refuse(`${path}: expects ${what}, got ${inWords(kindOf(status))}; ${wayOut}`);
  }
  if (status.size > mostBytes) throw tooLarge(path, status.size, { what, mostBytes, refuse });
  onSize?.(status.size);
  return status.size;
}

/** One byte more than the file has, so that its end is seen. */
const firstBuffer = (size: number): Buffer => Buffer.allocUnsafeSlow(size === 0 ? FIRST_LENGTH : size + 1);

/** For a file that grows while it is read. */
function longerBuffer(path: string, bytes: Buffer, kind: FileKind): Buffer {
  if (bytes.length > kind.mostBytes) throw tooLarge(path, bytes.length, kind);
  const longer = Buffer.allocUnsafeSlow(Math.min(2 * bytes.length, kind.mostBytes + 1));
  bytes.copy(longer);
  return longer;
}

function tooLarge(path: string, size: number, { what, mostBytes, refuse }: FileKind): Error {
  const most = mostBytes >= 2 ** 30 ? `${mostBytes / 2 ** 30} GiB` : `${mostBytes / 2 ** 20} MiB`;
  return refuse(`${path}: expects ${what} of at most ${most}, got ${size} bytes; is it the right file?`);
}

/** Node gives names as text; what is not UTF-8 in them is lost on the way, and with it the file. */
export const missingAdvice = (path: string): string =>
  path.includes('\ufffd') ? 'its name is not UTF-8: rename it' : 'check the path';

const UNREADABLE: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: missingAdvice,
  ENOTDIR: () => 'a part of the path is a file',
  EACCES: () => 'check its permissions',
  EPERM: () => 'check its permissions',
  EIO: () => 'the disk cannot read it; restore it from its source',
};

function readError(path: string, error: unknown, { refuse }: FileKind): Error {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (!syscall && !(error instanceof RangeError)) return error as Error; // a refusal of ours
  const lack = lackOf(error);
  if (lack) return new ExhaustedError(`${path}: the file cannot be read: ${lack}`, { cause: error });
  const wayOut = UNREADABLE[code ?? '']?.(path) ?? 'restore it from its source';
  return refuse(`${path}: the file cannot be read (${code ?? message}); ${wayOut}`, { cause: error });
}

const WAYS_OUT: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; make room or write elsewhere',
  EDQUOT: 'the disk quota is used up; make room or write elsewhere',
  EACCES: 'no permission; write to a folder of your own',
  EPERM: 'no permission; write to a folder of your own',
  EROFS: 'the file system is read-only; write elsewhere',
  ENOENT: 'the folder does not exist; make it first',
  ENOTDIR: 'a part of the path is a file; choose another name',
  EISDIR: 'there is a folder of that name; choose another name',
  EEXIST: 'there is a file of that name; choose another name',
  ENAMETOOLONG: 'the name is too long; choose a shorter one',
};

/** A failed system call as a DiskError that names the path, the reason and the way out. */
function diskError(path: string, error: unknown): DiskError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const lack = lackOf(error);
  if (lack) return new DiskError(`${path}: cannot be written: ${lack}`);
  return new DiskError(`${path}: cannot be written: ${WAYS_OUT[code] ?? message}${code ? ` (${code})` : ''}`);
}

/** How systems say that they do not sync folders: Windows, and some network file systems. */
const FOLDER_NOT_SYNCED = ['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'ENOTSUP'];

/** Makes a rename durable, where the system can. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (!FOLDER_NOT_SYNCED.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Writes a file, replacing one of that name only when the new one is complete on the disk.
 * @param previous the name under which one that was there is kept
 * @throws DiskError naming the path, the reason and the way out; a file that was there stays as it was
 */
export async function writeFileAtomically(path: string, data: Uint8Array | string, previous?: string): Promise<void> {
  expectPath(path, 'writeFileAtomically: path');
  if (!(data instanceof Uint8Array)) expectText(data, 'writeFileAtomically: data');
  if (previous !== undefined) expectPath(previous, 'writeFileAtomically: previous');
  const folder = dirname(path);
  const temporary = join(folder, temporaryName(basename(path)));
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    if (previous !== undefined && existsSync(path)) await rename(path, previous);
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error says more
    throw diskError(path, error);
  }
}

/** Text that is gathered before the system is asked to write it, in characters. */
const PIECE_OF_TEXT = 2 ** 16;

/** A file that is written piece by piece: it has its name only when it is complete and on the disk. */
export class NewFile {
  readonly path: string;
  readonly #temporary: string;
  readonly #file: number;
  #waiting = '';
  readonly #onExit = (): void => this.abandon();

  /** @throws DiskError */
  constructor(path: string) {
    expectPath(path, 'NewFile: path');
    this.path = path;
    this.#temporary = join(dirname(path), temporaryName(basename(path)));
    try {
      this.#file = openSync(this.#temporary, 'wx');
    } catch (error) {
      throw diskError(path, error);
    }
    process.once('exit', this.#onExit);
  }

  /** @throws DiskError */
  write(text: string): void {
    expectText(text, 'NewFile: text');
    this.#waiting += text;
    if (this.#waiting.length >= PIECE_OF_TEXT) this.#flush();
  }

  #flush(): void {
    try {
      const bytes = Buffer.from(this.#waiting);
      this.#waiting = '';
      for (let at = 0; at < bytes.length;) at += writeSync(this.#file, bytes, at);
    } catch (error) {
      this.abandon();
      throw diskError(this.path, error);
    }
  }

  /** Gives it its name. @throws DiskError */
  async finish(): Promise<void> {
    this.#flush();
    try {
      fsyncSync(this.#file);
      await rename(this.#temporary, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw diskError(this.path, error);
    } finally {
      this.abandon();
    }
  }

  /** Takes it away, unless it has its name. */
  abandon(): void {
    process.removeListener('exit', this.#onExit);
    try {
      closeSync(this.#file);
    } catch {
      return; // it is closed: it has been here
    }
    rmSync(this.#temporary, { force: true });
  }
}

/**
 * Gives what is in a file a second name, in place of what had that name. It takes no room where the system has hard links: since files
 * are only ever replaced as a whole, neither name ever changes under the other.
 * @throws DiskError
 */
export async function nameAlso(path: string, second: string): Promise<void> {
  const temporary = join(dirname(second), temporaryName(basename(second)));
  try {
    await link(path, temporary).catch(() => copyFile(path, temporary));
    await rename(temporary, second);
    await rm(temporary, { force: true }); // POSIX leaves it where both names were of one file already
    await syncFolder(dirname(second));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error says more
    throw diskError(second, error);
  }
}

/**
 * Adds a line to a file (made if missing) and waits until it is on the disk.
 * @param line without its line break
 * @throws DiskError
 */
export async function appendLine(path: string, line: string): Promise<void> {
  expectPath(path, 'appendLine: path');
  expectText(line, 'appendLine: line');
  await append(path, `${line}\n`);
}

/** Adds bytes or text to a file (made if missing) and waits until they are on the disk. @throws DiskError */
export async function append(path: string, data: Uint8Array | string): Promise<void> {
  try {
    const file = await open(path, 'a');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskError(path, error);
  }
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive form never returns where the system answers
 * ENOENT although the folder above is there (/proc, for one), and hides that a file system is read-only.
 *
 * @throws what fs throws
 */
export function makeFolders(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(path);
    if (code === 'ENOENT' && parent !== path && statSync(parent, { throwIfNoEntry: false }) === undefined) {
      makeFolders(parent);
      makeFolders(path);
    } else if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/**
 * Makes a new folder for a run: `parent/name`, or `parent/run-1`, `run-2`, … whichever is free, with this process' lock in it.
 * Two processes that call this at the same time get two folders. A folder of that name is taken only where it is empty, or holds
 * nothing but what a dead process of this system left.
 *
 * @returns its path
 * @throws DiskError when `name` is taken (a run is never overwritten) or the folder cannot be made
 */
export async function createRunDirectory(parent: string, name?: string): Promise<string> {
  expectPath(parent, 'createRunDirectory: parent');
  if (name !== undefined) expectPath(name, 'createRunDirectory: name');
  let number = 1;
  try {
    makeFolders(parent);
    if (name === undefined) number = await nextNumber(parent);
  } catch (error) {
    throw diskError(parent, error);
  }
  for (; ; number++) {
    const path = join(parent, name ?? `run-${number}`);
    try {
      await mkdir(path);
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
      if (!isTaken) throw diskError(path, error);
      if (name === undefined) continue; // another process was quicker
      refuseUsed(path);
    }
    try {
      lockFolder(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw diskError(path, error);
      if (name !== undefined) refuseUsed(path); // another process was quicker
    }
  }
}

/**
 * Takes the folder of an earlier run for this process, whose lock is in it then.
 * @throws DiskError while another process works there, or when that cannot be known
 */
export function takeRunDirectory(path: string): void {
  let left: string[];
  try {
    left = clearLeftovers(path);
    if (lockHolder(path).state === 'nobody') {
      lockFolder(path);
      return;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw diskError(path, error);
    left = []; // another process was quicker
  }
  const { state, owner } = lockHolder(path);
  const wayOut =
    state === 'running' ? 'wait until it ends' : `delete ${left.join(', ') || 'its lock'} if that process is gone`;
  throw new DiskError(`${path}: expects a run where nobody is at work, but ${describeOwner(owner)} is; ${wayOut}`);
}

/** @throws DiskError for a folder that holds more than what a dead process left there, which is taken away */
function refuseUsed(path: string): void {
  let found: string;
  try {
    const left = clearLeftovers(path).map((file) => basename(file));
    const names = readdirSync(path);
    if (names.length === 0) return;
    const { state, owner } = lockHolder(path);
    found =
      state === 'running'
        ? `${describeOwner(owner)} is at work there; a run is never overwritten, choose another name`
        : names.length === left.length
          ? `it holds ${left.join(', ')} of ${describeOwner(owner)}; choose another name, or delete the folder if that process is gone`
          : 'it exists; a run is never overwritten, choose another name';
  } catch (error) {
    throw diskError(path, error);
  }
  throw new DiskError(`${path}: expects a new run, but ${found}`);
}

/**
 * Takes away what dead processes of this system did not complete in the runs of a folder; the runs themselves stay.
 * @returns paths of what others left, which is not touched
 */
export function clearRuns(parent: string): string[] {
  const attempt = <Result>(work: () => Result[]): Result[] => {
    try {
      return work();
    } catch {
      return []; // whoever writes there says what is wrong
    }
  };
  const runs = attempt(() => readdirSync(parent, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  return runs.flatMap(({ name }) => attempt(() => clearLeftovers(join(parent, name))));
}

async function nextNumber(parent: string): Promise<number> {
  const numbers = (await readdir(parent)).map((name) => Number(/^run-(\d{1,9})$/.exec(name)?.[1] ?? 0));
  return numbers.reduce((most, number) => Math.max(most, number), 0) + 1;
}
