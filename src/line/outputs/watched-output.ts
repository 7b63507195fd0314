/** What outputs tell of themselves, beside what every output of a line does. */
import type { LineEvent } from '../events.js';
import type { Output } from '../output.js';

/** For /metrics, pages and people. */
export interface OutputHealth {
  /** Whether the other end answers. */
  readonly isThere: boolean;
  /** What is wrong, in words; null while all is well. */
  readonly trouble: string | null;
  /** Attempts that failed. */
  readonly failures: number;
  /** Events: still to be delivered, delivered, and lost (too old, too many, refused). None of outputs of states alone. */
  readonly waiting: number;
  readonly delivered: number;
  readonly lost: number;
}

export interface WatchedOutput extends Output {
  health(): OutputHealth;
}

/** Kinds of events that may be sent on; heartbeats are sent by themselves, and never queued: an old one says nothing. */
export const sentKinds = ['alarm', 'fault', 'note', 'dropped', 'verdict', 'challenge', 'shift'] as const;
export type SentKind = (typeof sentKinds)[number];

export const isSent = (event: LineEvent, kinds: readonly SentKind[]): boolean =>
  (kinds as readonly string[]).includes(event.kind);

/** What all outputs are opened with. */
export interface OutputContext {
  /** By which the configuration calls it. */
  readonly name: string;
  /** Of the line, for messages: never with secrets in it. */
  readonly clean: (text: string) => string;
  /** Seconds between heartbeats of the line. */
  readonly heartbeatSeconds: number;
  /** Where queues of events may be; null for a line that keeps nothing. */
  readonly folder: string | null;
  /** Told in words what went wrong, for people. */
  readonly onProblem: (problem: string) => void;
}
