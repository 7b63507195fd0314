/**
 * Frames of which the model is not sure, or that are unlike its training, set aside to be labelled (`beltnet label`): queue/ID.jpg beside
 * the record, up to a quota, and queue.jsonl, which says of each what the model thought. What somebody has labelled (labels.csv) stays.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Verdict } from '../classifier/verdict.js';
import { endingOf } from '../data/pictures/format.js';
import type { Picture } from '../data/pictures/picture.js';
import { partOf } from '../data/pictures/resize.js';
import { writeFileAtomically } from '../files.node.js';
import { QUEUE_LABELS, QUEUE_LIST, type QueuedPicture } from '../serve/queued-picture.js';
import type { LineConfig, RegionConfig } from './config.js';
import { PictureRing } from './picture-ring.node.js';
import type { Frame } from './source.js';

type QueueConfig = NonNullable<LineConfig['record']>['queue'];

/** As a line writes it. */
interface SetAsidePicture extends Required<QueuedPicture> {
  readonly id: string;
  readonly camera: string;
  readonly reason: 'unknown' | 'uncertain';
}

/** A frame with what a region's model said of it. */
export interface Offered {
  readonly camera: string;
  readonly frame: Frame;
  readonly region: RegionConfig;
  readonly verdict: Verdict;
  /** By the clock that nobody sets. */
  readonly now: number;
}

/** Lines of pictures that are gone, before the list is written anew. */
const MOST_GONE = 200;

export class SetAside {
  readonly #folder: string;
  readonly #config: QueueConfig;
  readonly #ring: PictureRing;
  /** When each region's last one was. */
  readonly #addedAt = new Map<string, number>();
  readonly #onWarning: (detail: string) => void;
  #lines: number;

  constructor(folder: string, config: QueueConfig, onWarning: (detail: string) => void) {
    this.#folder = folder;
    this.#config = config;
    this.#onWarning = onWarning;
    this.#ring = new PictureRing(folder, config.megabytes * 2 ** 20, {
      isPicture: (name) => /\.(?:jpg|png|bmp)$/.test(name),
      isKept: () => {
        const labels = this.#read(QUEUE_LABELS);
        return (name) => labels.includes(name);
      },
    });
    this.#lines = this.#read(QUEUE_LIST).split('\n').length - 1;
  }

  #read(name: string): string {
    const path = join(this.#folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /**
   * Takes the frame if there is reason to, and none of its region was taken a moment ago.
   * @param encode makes a JPEG where there is no file of what the model saw
   */
  offer(
    { camera, frame, region, verdict, now }: Offered,
    alert: { readonly className: string; readonly threshold: number },
    encode: (picture: Picture) => Promise<Uint8Array>,
  ): void {
    const { uncertain, everySeconds } = this.#config;
    const { class: given, probability, probabilities, unknown = false } = verdict;
    const distance = Math.abs(probabilities[alert.className] - (region.alarm.threshold ?? alert.threshold));
    const key = `${camera}/${region.name}`;
    const isSoon = now - (this.#addedAt.get(key) ?? -Infinity) < everySeconds * 1000;
    if (isSoon || !(unknown || distance < uncertain)) return;
    this.#addedAt.set(key, now);
    const { name: source, takenAt: time, picture, bytes } = frame;
    const id = `${time.replaceAll(':', '')}-${camera}-${region.name}`;
    const reason = unknown ? 'unknown' : 'uncertain';
    const facts = {
      id,
      camera,
      source,
      region: region.name,
      time,
      class: given,
      probability,
      unknown,
      reason,
    } as const;
    const add = async (): Promise<void> => {
      const file =
        region.box === null && bytes ? bytes : await encode(region.box ? partOf(picture, region.box) : picture);
      await this.#add({ ...facts, file: `${id}.${endingOf(file)}` }, file);
    };
    add().catch((error: Error) => this.#onWarning(`queue: ${error.message}`));
  }

  async #add(picture: SetAsidePicture, bytes: Uint8Array): Promise<void> {
    const warning = await this.#ring.add(picture.file, bytes);
    if (warning !== null) this.#onWarning(`queue: ${warning}`);
    if (!this.#ring.has(picture.file)) return;
    try {
      appendFileSync(join(this.#folder, QUEUE_LIST), `${JSON.stringify(picture)}\n`);
      this.#lines++;
      if (this.#lines > this.#ring.count + MOST_GONE) await this.#writeAnew();
    } catch (error) {
      this.#onWarning(`queue: ${(error as Error).message}`);
    }
  }

  /** Without the lines of pictures that are gone, and without torn ones. */
  async #writeAnew(): Promise<void> {
    const lines = this.#read(QUEUE_LIST)
      .split('\n')
      .filter((line) => {
        try {
          return this.#ring.has((JSON.parse(line) as QueuedPicture).file);
        } catch {
          return false;
        }
      });
    await writeFileAtomically(join(this.#folder, QUEUE_LIST), lines.map((line) => `${line}\n`).join(''));
    this.#lines = lines.length;
  }

  async close(): Promise<void> {
    await this.#ring.close();
  }
}
