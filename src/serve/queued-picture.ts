/** What a queue of pictures to be labelled is on the disk: a line writes it, `beltnet label` reads it. */

/** A line for each picture, beside them. */
export const QUEUE_LIST = 'queue.jsonl';
/** What somebody has said of them: a manifest (path,label,was). */
export const QUEUE_LABELS = 'labels.csv';

/** A line of the list; other programs' lines may lack all but the file's name. */
export interface QueuedPicture {
  /** Beside the list; gone where it made room for newer ones. */
  readonly file: string;
  /** What the frame came from: a file's name, or that of the source. */
  readonly source?: string;
  readonly region?: string;
  /** When the frame was complete, ISO 8601. */
  readonly time?: string;
  /** What the model took it for, and how sure it was. */
  readonly class?: string;
  readonly probability?: number;
  /** Unlike what the model was trained on. */
  readonly unknown?: boolean;
  /** Why it was set aside. */
  readonly reason?: string;
}
