/** Where frames come from, seen from the camera that takes them. */
import type { Picture } from '../data/pictures/picture.js';
import type { FaultName } from './events.js';

export interface Frame {
  /** The file's name, or the source's. */
  readonly name: string;
  readonly picture: Picture;
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
  decode(this: void, bytes: Uint8Array, name: string): Picture;
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

/** Holds the newest frame until it is taken: always filled, never waited for. */
export class Mailbox {
  #frame: Frame | null = null;
  #isClosed = false;
  #wake: (() => void) | null = null;
  readonly #onDropped: (count: number) => void;

  constructor(onDropped: (count: number) => void) {
    this.#onDropped = onDropped;
  }

  put(frame: Frame): void {
    if (this.#frame) this.#onDropped(1);
    this.#frame = frame;
    this.#wake?.();
  }

  async next(): Promise<readonly Frame[]> {
    while (!this.#frame) {
      if (this.#isClosed) return [];
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const frame = this.#frame;
    this.#frame = null;
    return [frame];
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }
}
