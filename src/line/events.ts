/**
 * What happens on a line, as events: everything that outputs, record, pages and programs are told is one of these.
 * Times of day (`at`, `takenAt`) are for people; whatever is decided by time is decided by a clock that nobody can set.
 */

import type { Drift, DriftFigure } from './drift.js';

/** What is wrong with a region, a camera, or (model, record, output) with the line: each of its own, and none is a verdict. */
export const faultNames = [
  'camera-lost',
  'frozen',
  'stale',
  'unreadable',
  'dark',
  'overexposed',
  'blurred',
  'covered',
  'moved',
  'unlike',
  'not-a-number',
  'model',
  'no-verdict',
  'challenge',
  'record',
  'output',
] as const;
export type FaultName = (typeof faultNames)[number];

interface Happened {
  /** Unique for ever: by it whoever gets an event twice drops the second. Counts up within one start of the line. */
  readonly id: string;
  /** By the clock of the machine, ISO 8601. */
  readonly at: string;
}

/** What a model says about one region of one frame. */
export interface VerdictEvent extends Happened {
  readonly kind: 'verdict';
  readonly camera: string;
  readonly region: string;
  /** Of the camera's frames, from 1; frames that were dropped leave gaps. */
  readonly sequence: number;
  /** What the frame came from: a file's name, or that of the source. */
  readonly source: string;
  /** When the frame was complete, ISO 8601. */
  readonly takenAt: string;
  /** From then to the verdict, by a clock that nobody sets. */
  readonly ageMilliseconds: number;
  readonly class: string;
  /** Of that class. */
  readonly probability: number;
  /** Of every class. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** Whether the probability of the alert's class reaches the threshold: one frame, not yet an alarm. */
  readonly alert: boolean;
  /** How unlike the pictures of the training the frame is, 1 at the limit; of models that can tell. */
  readonly unlike?: number;
  /** The model's name in the configuration. */
  readonly model: string;
}

/** A fault begins or ends. */
export interface FaultEvent extends Happened {
  readonly kind: 'fault';
  /** Left out for a fault of the whole line. */
  readonly camera?: string;
  /** Left out for a fault of the whole camera. */
  readonly region?: string;
  readonly fault: FaultName;
  readonly active: boolean;
  /** For people: what was seen, what was expected, what to do. */
  readonly detail: string;
}

/**
 * - `clear`: nothing to do.
 * - `alarm`: k of the last n frames raised the alert (or no verdict came), and nobody has acknowledged it.
 * - `acknowledged`: the same, and somebody has.
 * - `held`: the frames are good again, but the alarm stands until its time is over, or until somebody acknowledges it.
 */
export type AlarmState = 'clear' | 'alarm' | 'held' | 'acknowledged';

export interface AlarmEvent extends Happened {
  readonly kind: 'alarm';
  readonly camera: string;
  readonly region: string;
  readonly state: AlarmState;
  /** For people: "6 of the last 8 frames: gap", "acknowledged by Kim". */
  readonly reason: string;
  /** The same from the moment an alarm is raised until it is clear. */
  readonly alarmId: string;
}

/** Frames that were never looked at, since newer ones were there. */
export interface DroppedEvent extends Happened {
  readonly kind: 'dropped';
  readonly camera: string;
  /** Since the last such event. */
  readonly count: number;
}

/** The line lives. Who misses it for three times its period must believe nothing that was said before. */
export interface HeartbeatEvent extends Happened {
  readonly kind: 'heartbeat';
  /** Of the record: how many entries it has, and the hash of the last; null for a line without a record. */
  readonly head: { readonly count: number; readonly hash: string } | null;
  readonly uptimeSeconds: number;
}

/** Models were shown a picture that must raise the alert: no frame of the line, and (unless that is asked for) no alarm. */
export interface ChallengeEvent extends Happened {
  readonly kind: 'challenge';
  readonly camera: string;
  /** The picture file's name. */
  readonly piece: string;
  /** Whether it raised the alert; one that does not is a fault. */
  readonly isCaught: boolean;
  /** For people: what each region's model said. */
  readonly detail: string;
}

/** What a region showed in a shift. */
export interface ShiftEvent extends Happened {
  readonly kind: 'shift';
  readonly camera: string;
  readonly region: string;
  readonly from: string;
  readonly to: string;
  readonly verdicts: number;
  readonly alerts: number;
  /** How far the shift lies from the training, 1 at the limit; null where that is not known, or little was seen. */
  readonly drift: Drift | null;
  /** The middle of the shift, and how it changes in a day, seen over the last shifts; null while these are few. */
  readonly figures: Readonly<Record<DriftFigure, { readonly median: number; readonly perDay: number | null }>> | null;
}

/** Something that people must be able to read in the record later. */
export interface NoteEvent extends Happened {
  readonly kind: 'note';
  readonly about: 'line' | 'configuration' | 'model' | 'record' | 'clock' | 'output' | 'camera' | 'drift';
  readonly level: 'info' | 'warning';
  readonly detail: string;
}

export type LineEvent =
  | VerdictEvent
  | FaultEvent
  | AlarmEvent
  | DroppedEvent
  | HeartbeatEvent
  | NoteEvent
  | ChallengeEvent
  | ShiftEvent;

/** An event before it has an id and a time. */
export type NewEvent = LineEvent extends infer Event
  ? Event extends LineEvent
    ? Omit<Event, 'id' | 'at'>
    : never
  : never;
