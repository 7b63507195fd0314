/** What a line is to those who show it, and what they are to the line. */
import type { Verdict } from '../classifier/verdict.js';
import type { Picture } from '../data/pictures/picture.js';
import type { BeltnetError } from '../errors.js';
import type { LineEvent, VerdictEvent } from './events.js';
import type { LineState } from './state.js';

/**
 * Somebody who is told: a PLC, a broker, a webhook, a page. What it throws, and how long it takes, never disturbs the line: its calls
 * are made one after the other, states that were overtaken are left out, events that it has no time for are counted and lost to it.
 */
export interface Output {
  readonly name: string;
  /** The present state, after every change. */
  state(state: LineState): void | Promise<void>;
  event(event: LineEvent): void | Promise<void>;
  close(): void | Promise<void>;
}

export interface LineOptions {
  readonly outputs?: readonly Output[];
  /** Told of everything from the start on; `line.onEvent` only of what comes after. */
  readonly onEvent?: (event: LineEvent, state: LineState) => void;
  /** In place of the machine's clocks: milliseconds of one that nobody sets, and the time of day. */
  readonly clock?: { readonly now: () => number; readonly today: () => Date };
}

/** What became of a picture that was handed in: the verdict on each region, or why there is none. */
export interface Submitted {
  readonly camera: string;
  readonly sequence: number;
  readonly verdicts: readonly VerdictEvent[];
  /** Of regions without a verdict. */
  readonly faults: readonly { readonly region: string; readonly fault: string; readonly detail: string }[];
}

/** A model that cameras of the line use. */
export interface LiveModel {
  readonly name: string;
  readonly path: string;
  /** SHA-256 of its file. */
  readonly digest: string;
  readonly classNames: readonly string[];
}

export interface ReplaceModelOptions {
  /** False: one that judged before is taken back, whatever the test set says. Default true. */
  readonly trial?: boolean;
}

/** A line at work. */
export interface Line {
  state(): LineState;
  /** @returns what ends it */
  onEvent(listener: (event: LineEvent, state: LineState) => void): () => void;
  /** Settles when every source has come to its end: standard input, say. Folders and cameras never do. */
  readonly ended: Promise<void>;
  /** Settles when the line cannot go on: the device is lost. Close it then, and start another. */
  readonly failed: Promise<BeltnetError>;
  /** Whether every region has a verdict that is not too old. */
  isReady(): boolean;
  /** @throws UsageError for a camera or region that is not there */
  acknowledge(camera: string, region: string, who: string): void;
  /** A picture file for a camera whose source is `submit`, or beside what another source gives. @throws UsageError, DataError */
  submit(camera: string, bytes: Uint8Array, name?: string): Promise<Submitted>;
  /** The last frame of a region that was looked at, as it was cut from the camera's; null before the first. */
  lastPicture(camera: string, region: string): Picture | null;
  models(): readonly LiveModel[];
  /** What a model says of a picture file that is no frame of the line: nothing is recorded. @throws UsageError, DataError, NotANumberError */
  classify(model: string, bytes: Uint8Array, name?: string): Promise<Verdict>;
  /**
   * Another file in place of a model, without a missed frame: the old one judges until the new one is there, has given its stored verdicts again and,
   * where the configuration has a test set for that name, is no worse on it.
   * @throws ModelFileError for one that cannot be used, does not, or is worse; the old model stays then
   */
  replaceModel(name: string, path: string, options?: ReplaceModelOptions): Promise<LiveModel>;
  /** Takes the configuration from its file again. @throws UsageError for one that cannot be used; the old one stays then */
  reload(): Promise<void>;
  /** Lets the frames at hand have their verdicts, tells everybody, and ends. */
  close(): Promise<void>;
}
