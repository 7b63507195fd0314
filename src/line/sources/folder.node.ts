/**
 * Pictures that appear in a folder. It is looked at every so often, since network shares tell nobody of changes, and as soon as the
 * system does tell. A file is taken when it decodes whole: nobody has to rename anything, and half of a picture is never judged.
 */
import { watch, type FSWatcher } from 'node:fs';
import { readdir, rename, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { readWholeFile } from '../../files.node.js';
import { DataError } from '../../errors.js';
import type { SourceOf } from '../config.js';
import type { Frame, Source, SourceContext } from '../source.js';

const PICTURE = {
  what: 'a picture file',
  mostBytes: 2 ** 28,
  refuse: (message: string): Error => new DataError(message),
};
/** What writers call files that are not complete. */
const UNFINISHED = /^\.|\.(?:tmp|part|partial|crdownload|filepart)$|~$/i;
/** So many files are handed over together. */
const TOGETHER = 16;

/**
 * Up to so many files that have been judged, or wait to be, are looked at again, since cameras write their newest picture over the
 * last. Those that wait are looked at once more when they are read.
 */
const FEW = 64;
/** Folders of more files are only listed when the system says that they changed, or after this time. */
const MANY = 1000;
const LIST_ANYWAY_MILLISECONDS = 2000;
/** A file that did not decode is tried again after this time, even where its size and time say that it is the same. */
const TRY_AGAIN_MILLISECONDS = 1000;

interface FileFacts {
  readonly size: number;
  /** Milliseconds of its disk's clock. */
  readonly changed: number;
}

interface Candidate extends FileFacts {
  readonly name: string;
  /** When it was first seen as it is, by the clock that nobody sets. */
  readonly seenAt: number;
  triedAt: number;
}

export class FolderSource implements Source {
  readonly #config: SourceOf<'folder'>;
  readonly #context: SourceContext;
  /** Files as they were when they were judged, given up, or found before the line began. */
  readonly #settled = new Map<string, FileFacts>();
  readonly #candidates = new Map<string, Candidate>();
  #device: number | null = null;
  #listed = { changed: 0, at: -Infinity };
  #isLost = false;
  #isFirst = true;
  #isClosed = false;
  #isTold = false;
  #watcher: FSWatcher | null = null;
  #wake: (() => void) | null = null;

  constructor(config: SourceOf<'folder'>, context: SourceContext) {
    this.#config = config;
    this.#context = context;
  }

  async next(): Promise<readonly Frame[]> {
    while (!this.#isClosed) {
      this.#isTold = false;
      const frames = (await this.#list()) ? await this.#take() : [];
      if (frames.length > 0) return frames;
      if (!this.#isTold) await this.#wait(this.#config.pollSeconds * 1000);
    }
    return [];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.#wake?.();
  }

  #wait(milliseconds: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Looks for new files. @returns false while the folder cannot be read */
  async #list(): Promise<boolean> {
    const { path } = this.#config;
    const now = this.#context.now();
    let names: string[];
    try {
      const { dev, mtimeMs } = await stat(path);
      if (this.#device !== null && dev !== this.#device)
        throw new Error('another disk is there than at the start; was it unmounted?');
      this.#device = dev;
      const isSame = mtimeMs === this.#listed.changed && now - this.#listed.at < LIST_ANYWAY_MILLISECONDS;
      if (isSame && this.#settled.size > MANY && this.#candidates.size === 0) return true;
      names = await readdir(path);
      this.#listed = { changed: mtimeMs, at: now };
    } catch (error) {
      this.#lose(error);
      return false;
    }
    if (this.#isLost) this.#context.fault('camera-lost', false, `${path}: the folder is there again`);
    this.#isLost = false;
    this.#listen();
    const there = new Set(names);
    for (const known of [this.#settled, this.#candidates])
      for (const name of known.keys()) if (!there.has(name)) known.delete(name);
    const passed = [this.#settled, this.#candidates].filter(({ size }) => size > FEW);
    for (const name of names)
      if (!UNFINISHED.test(name) && !passed.some((known) => known.has(name))) await this.#lookAt(name);
    this.#isFirst = false;
    return true;
  }

  #lose(error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!this.#isLost)
      this.#context.fault('camera-lost', true, `${this.#config.path}: the folder cannot be read (${code ?? message})`);
    this.#isLost = true;
    this.#stopListening();
  }

  /** Hears of changes where the system tells of them. */
  #listen(): void {
    if (this.#watcher || this.#isClosed) return;
    try {
      this.#watcher = watch(this.#config.path, { persistent: false }, () => {
        this.#isTold = true;
        this.#wake?.();
      });
      this.#watcher.on('error', () => this.#stopListening());
    } catch {
      // it is looked at every so often all the same
    }
  }

  #stopListening(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }

  /** Makes a file a candidate if it is new, or another than it was. */
  async #lookAt(name: string): Promise<void> {
    const { path, moveTo } = this.#config;
    const status = await stat(join(path, name)).catch(() => null);
    if (!status) return; // gone, or not to be read now: the next look tells
    const facts = { size: status.size, changed: status.mtimeMs };
    const known = this.#candidates.get(name) ?? this.#settled.get(name);
    if (known && known.size === facts.size && known.changed === facts.changed) return;
    // Where files stay, those that were there before the line are the past, but for what came after its last verdict.
    const { lastTaken } = this.#context;
    const isPast = this.#isFirst && moveTo === undefined && (lastTaken === null || facts.changed < lastTaken);
    if (isPast || !status.isFile()) {
      this.#settled.set(name, facts);
      return;
    }
    this.#settled.delete(name);
    this.#candidates.set(name, { name, ...facts, seenAt: this.#context.now(), triedAt: -Infinity });
  }

  /** What decodes of the candidates: every one, the oldest first, or only the newest. */
  async #take(): Promise<readonly Frame[]> {
    const { every } = this.#config;
    const sorted = [...this.#candidates.values()].toSorted(
      (a, b) => a.changed - b.changed || (a.name < b.name ? -1 : 1),
    );
    const frames: Frame[] = [];
    if (every) {
      for (const candidate of sorted) {
        const frame = await this.#read(candidate);
        if (frame) frames.push(frame);
        if (frames.length === TOGETHER || this.#isClosed) break;
      }
      return frames;
    }
    for (let at = sorted.length - 1; at >= 0; at--) {
      const frame = await this.#read(sorted[at]);
      if (!frame) continue;
      for (const older of sorted.slice(0, at)) await this.#settle(older);
      if (at > 0) this.#context.dropped(at);
      return [frame];
    }
    return frames;
  }

  /** Null for a file that is not whole yet, or is settled. */
  async #read(listed: Candidate): Promise<Frame | null> {
    const { path, giveUpSeconds } = this.#config;
    const { name } = listed;
    const { now, look, fault, isJudged } = this.#context;
    const candidate = await this.#asItIs(listed);
    if (!candidate) return null;
    const { changed, seenAt, triedAt } = candidate;
    const takenAt = new Date(changed).toISOString();
    if (isJudged(name, takenAt)) {
      await this.#settle(candidate);
      return null;
    }
    if (now() - triedAt < TRY_AGAIN_MILLISECONDS) return null;
    candidate.triedAt = now();
    try {
      const bytes = await readWholeFile(join(path, name), PICTURE);
      const seen = await look(bytes, name);
      // Written to while it was read, it would be known by a size and time that are not its last, and be judged twice.
      if ((await this.#asItIs(candidate)) !== candidate) return null;
      this.#candidates.delete(name);
      return {
        name,
        ...seen,
        bytes,
        takenAt,
        arrivedAt: seenAt,
        lateMilliseconds: Math.max(0, Date.now() - changed - (now() - seenAt)),
        done: () => this.#settle(candidate),
      };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      if (now() - seenAt < giveUpSeconds * 1000) return null; // it may be half written
      fault('unreadable', true, error.message);
      this.#candidates.delete(name);
      this.#settled.set(name, candidate);
      return null;
    }
  }

  /** The candidate, with its size and time of now; null when it is gone. */
  async #asItIs(candidate: Candidate): Promise<Candidate | null> {
    const { name, size, changed, seenAt } = candidate;
    const status = await stat(join(this.#config.path, name)).catch(() => null);
    if (!status) {
      this.#candidates.delete(name);
      return null;
    }
    if (status.size === size && status.mtimeMs === changed) return candidate;
    const other = { name, size: status.size, changed: status.mtimeMs, seenAt, triedAt: -Infinity };
    this.#candidates.set(name, other);
    this.#isTold = true; // so that it is looked at again at once
    return other;
  }

  /** A file is done with: it goes where those go, or is known to be done with. */
  async #settle(candidate: Candidate): Promise<void> {
    const { path, moveTo } = this.#config;
    const { name, size, changed } = candidate;
    this.#candidates.delete(name);
    this.#settled.set(name, { size, changed });
    if (moveTo === undefined) return;
    try {
      await rename(join(path, name), await freeName(moveTo, name));
      this.#settled.delete(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // somebody else took it
      this.#context.note(`${name} cannot be moved to ${moveTo}: ${(error as Error).message}`);
    }
  }
}

/** Nothing is overwritten. */
async function freeName(folder: string, name: string): Promise<string> {
  const extension = extname(name);
  for (let number = 1; ; number++) {
    const path = join(folder, number === 1 ? name : `${basename(name, extension)}.${number}${extension}`);
    if (!(await stat(path).catch(() => null))) return path;
  }
}
