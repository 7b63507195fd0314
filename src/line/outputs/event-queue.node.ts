/**
 * Events that wait to be delivered, in memory and on disk: a journal (pending.jsonl) of what came and of what was delivered. After a crash
 * or a power cut what was not delivered is there again; what was, may come twice, and is known by its id.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../errors.js';
import { append, makeFolders, readWholeFile, writeFileAtomically } from '../../files.node.js';
import type { LineEvent } from '../events.js';

export interface EventQueueOptions {
  /** The folder of the journal; it is made. */
  readonly folder: string;
  /** Older events are of no use to anybody. */
  readonly expirySeconds: number;
  /** Of more the oldest go. */
  readonly mostEvents: number;
  /** Told in words what went wrong. */
  readonly onProblem: (problem: string) => void;
}

interface Waiting {
  readonly event: LineEvent;
  /** By a clock that nobody sets, ms. */
  readonly bornAt: number;
}

const JOURNAL = 'pending.jsonl';
/** Lines of what is done, after which the journal is written anew. */
const MOST_DONE = 1000;
const JOURNAL_FILE = {
  what: 'a journal of events',
  mostBytes: 2 ** 28,
  refuse: (message: string) => new DataError(message),
};

export class EventQueue {
  readonly #path: string;
  readonly #options: EventQueueOptions;
  readonly #waiting: Waiting[];
  /** What is written, in order. */
  #turn: Promise<void> = Promise.resolve();
  #doneLines = 0;
  #expired = 0;
  #overflowed = 0;
  #isDiskFailing = false;

  private constructor(options: EventQueueOptions, waiting: Waiting[]) {
    this.#options = options;
    this.#path = join(options.folder, JOURNAL);
    this.#waiting = waiting;
  }

  /** @throws DataError for a journal that cannot be read; what fs throws where no folder can be made */
  static async open(options: EventQueueOptions): Promise<EventQueue> {
    makeFolders(options.folder);
    const path = join(options.folder, JOURNAL);
    const text = existsSync(path) ? Buffer.from(await readWholeFile(path, JOURNAL_FILE)).toString('utf8') : '';
    const queue = new EventQueue(options, pendingOf(text));
    await queue.#writeAnew(); // without what is done, and without a torn line
    return queue;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Events that were too old when their turn came, or too many: lost to whoever should have them. */
  get lost(): { readonly expired: number; readonly overflowed: number } {
    return { expired: this.#expired, overflowed: this.#overflowed };
  }

  /** Settles when the event is on the disk, or it was told that it cannot be. */
  async push(event: LineEvent): Promise<void> {
    this.#waiting.push({ event, bornAt: performance.now() });
    if (this.#waiting.length > this.#options.mostEvents) {
      const [{ event: oldest }] = this.#waiting.splice(0, 1);
      this.#overflowed++;
      this.#options.onProblem(`more than ${this.#options.mostEvents} events wait: the oldest, ${oldest.id}, is lost`);
      void this.#write({ done: oldest.id });
    }
    await this.#write({ event });
  }

  /** The oldest that is not too old, and its age; null where none waits. */
  next(): { readonly event: LineEvent; readonly ageSeconds: number } | null {
    for (;;) {
      const [first] = this.#waiting;
      if (!first) return null;
      const ageSeconds = Math.max(0, performance.now() - first.bornAt) / 1000;
      if (ageSeconds <= this.#options.expirySeconds) return { event: first.event, ageSeconds };
      this.#expired++;
      this.#options.onProblem(
        `${first.event.id} waited for ${Math.round(ageSeconds)} s, which is too long: it is lost`,
      );
      this.done(first.event.id);
    }
  }

  /** It was delivered, or cannot be. */
  done(id: string): void {
    const at = this.#waiting.findIndex(({ event }) => event.id === id);
    if (at < 0) return; // it has gone while it was sent
    this.#waiting.splice(at, 1);
    void this.#write({ done: id });
  }

  #write(line: { readonly event: LineEvent } | { readonly done: string }): Promise<void> {
    if ('done' in line) this.#doneLines++;
    const isLong = this.#doneLines > MOST_DONE;
    this.#turn = this.#turn
      .then(() => (isLong ? this.#writeAnew() : append(this.#path, `${JSON.stringify(line)}\n`)))
      .then(
        () => {
          this.#isDiskFailing = false;
        },
        (error: Error) => {
          // What waits is still in memory; the journal would be wrong about it after a crash, which is told once.
          if (!this.#isDiskFailing) this.#options.onProblem(`events are not kept on the disk: ${error.message}`);
          this.#isDiskFailing = true;
          this.#doneLines = Infinity; // all of it anew as soon as there is room
        },
      );
    return this.#turn;
  }

  async #writeAnew(): Promise<void> {
    const lines = this.#waiting.map(({ event }) => `${JSON.stringify({ event })}\n`);
    await writeFileAtomically(this.#path, lines.join(''));
    this.#doneLines = 0;
  }

  /** What waits stays on the disk. */
  async close(): Promise<void> {
    await this.#turn;
  }
}

/** Those that are not done, in their order. A last line without its end was torn by a crash, and others cannot be read: they are nobody's. */
function pendingOf(text: string): Waiting[] {
  const events = new Map<string, LineEvent>();
  for (const line of text.split('\n').slice(0, -1)) {
    try {
      const { event, done } = JSON.parse(line) as { event?: LineEvent; done?: string };
      if (typeof event?.id === 'string') events.set(event.id, event);
      if (done !== undefined) events.delete(done);
    } catch {
      continue;
    }
  }
  // Before a restart nobody counted but the clock of the day, which may have been set: never younger than new.
  const age = ({ at }: LineEvent): number => Math.max(0, Date.now() - Date.parse(at)) || 0;
  return [...events.values()].map((event) => ({ event, bornAt: performance.now() - age(event) }));
}
