/** Where frames come from, seen from the camera that takes them. */
import type { Picture } from '../data/pictures/picture.js';
import type { Preparation } from '../data/pictures/resize.js';
import type { DataError } from '../errors.js';
import type { FaultName } from './events.js';

/** A picture, and what the model of each region sees of it. */
export interface Seen {
  readonly picture: Picture;
  readonly cuts: readonly RegionCut[];
}

export interface RegionCut {
  /** Of the model for which it was prepared: another may judge by the time that it is. */
  readonly preparation: Preparation;
  /** [height, width, 3], or what is wrong with it. */
  readonly data: Uint8Array | DataError;
}

export interface Frame extends Seen {
  /** The file's name, or the source's. */
  readonly name: string;
  /** The file that it was decoded from; null for frames of streams. */
  readonly bytes: Uint8Array | null;
  /** When it was complete, by the clock of the machine (of a file: by that of its disk). */
  readonly takenAt: string;
  /** When it was seen to be complete, by the clock that nobody sets. */
  readonly arrivedAt: number;
  /** How old it was by then, where the source tells. */
  readonly lateMilliseconds: number;
  /** Told when all that is to be said of the frame is recorded. */
  readonly done?: () => Promise<void>;
}

export interface Source {
  /** Waits for frames, the oldest first; one or many. None: the source has ended. */
  next(): Promise<readonly Frame[]>;
  close(): Promise<void>;
}

/** What a source is told at its making: whom to tell. */
export interface SourceContext {
  /** For messages: the camera's name. */
  readonly name: string;
  /**
   * Decodes, and prepares what the regions' models see, in a thread of this camera.
   * @param given a file's bytes; or pixels, which are handed over
   * @throws DataError for what is no picture
   */
  look(this: void, given: Uint8Array | Picture, name: string): Promise<Seen>;
  /** A clock that nobody sets, in milliseconds. */
  now(this: void): number;
  fault(this: void, fault: FaultName, active: boolean, detail: string): void;
  dropped(this: void, count: number): void;
  note(this: void, detail: string): void;
  /** Of an earlier start of the line: whether a frame has its verdict already … */
  isJudged(this: void, name: string, takenAt: string): boolean;
  /** … and when the last one that has was taken, in milliseconds of the day's clock; null where nothing is known. */
  readonly lastTaken: number | null;
}

/** Holds the newest of something until it is taken: always filled, never waited for. */
export class Mailbox<Item> {
  #newest: Item | null = null;
  #isClosed = false;
  #wake: (() => void) | null = null;
  readonly #onDropped: (count: number) => void;

  constructor(onDropped: (count: number) => void) {
    this.#onDropped = onDropped;
  }

  put(item: Item): void {
    if (this.#newest !== null) this.#onDropped(1);
    this.#newest = item;
    this.#wake?.();
  }

  /** Null when it was closed, and the last one taken. */
  async next(): Promise<Item | null> {
    while (this.#newest === null) {
      if (this.#isClosed) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const newest = this.#newest;
    this.#newest = null;
    return newest;
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }
}
