/** The shifts of a line: at the end of each, what its cameras showed, against the training and against the shifts before (shifts.json). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UsualFigures } from '../classifier/picture-faults.js';
import { writeFileAtomically } from '../files.node.js';
import { driftOf, trendPerDay, type DriftFigure, type EndedShift, type ShiftFigures } from './drift.js';
import type { Camera } from './camera.js';
import type { ShiftEvent } from './events.js';

/** Of each region. */
const MOST_SHIFTS = 63;
const FILE = 'shifts.json';

type ShiftTold = Omit<ShiftEvent, 'id' | 'at'>;

interface Past extends ShiftFigures {
  readonly to: string;
}

/** When the shift ends that runs at a time of day, by the clock of the place. */
export function endOfShift(now: Date, { hours, begin }: ShiftsConfig): Date {
  const first = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1, begin).getTime();
  const length = hours * 3_600_000;
  return new Date(first + (Math.floor((now.getTime() - first) / length) + 1) * length);
}

export interface ShiftsConfig {
  readonly hours: number;
  /** Hour of the day at which one begins. */
  readonly begin: number;
}

export class Shifts {
  readonly #config: ShiftsConfig;
  readonly #path: string | null;
  readonly #onWarning: (detail: string) => void;
  readonly #past: Record<string, Past[]> = {};
  #from: Date;
  #to: Date;

  /** @param folder of the record; without, shifts before the start are not known */
  constructor(config: ShiftsConfig, folder: string | null, now: Date, onWarning: (detail: string) => void) {
    this.#config = config;
    this.#from = now;
    this.#to = endOfShift(now, config);
    this.#path = folder === null ? null : join(folder, FILE);
    this.#onWarning = onWarning;
    if (this.#path === null || !existsSync(this.#path)) return;
    try {
      Object.assign(this.#past, JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch {
      onWarning(`${this.#path}: cannot be read: trends begin anew`);
    }
  }

  /**
   * Ends the shift if its time is over, and begins another.
   * @returns of each region what is told, and a warning where it drifts
   */
  tick(now: Date, cameras: Iterable<Camera>): (readonly [ShiftTold, string | null])[] {
    if (now < this.#to) return [];
    const from = this.#from;
    this.#from = now;
    this.#to = endOfShift(now, this.#config);
    const told = [...cameras].flatMap((camera) =>
      camera.endShift().map((ended) => {
        const event = this.#compare(ended, from, now);
        return [event, driftInWords(event, ended.usual)] as const;
      }),
    );
    void this.#keep();
    return told;
  }

  #compare({ figures, usual, ...counts }: EndedShift, from: Date, to: Date): ShiftTold {
    const past = (this.#past[`${counts.camera}/${counts.region}`] ??= []);
    if (figures) past.push({ to: to.toISOString(), ...figures });
    if (past.length > MOST_SHIFTS) past.shift();
    const of = (name: DriftFigure, { [name]: middle }: ShiftFigures): { median: number; perDay: number | null } => ({
      median: middle,
      perDay: trendPerDay(past.map((shift) => [Date.parse(shift.to), shift[name]])),
    });
    return {
      kind: 'shift',
      ...counts,
      from: from.toISOString(),
      to: to.toISOString(),
      drift: figures && usual && driftOf(figures, usual),
      figures: figures && {
        brightness: of('brightness', figures),
        contrast: of('contrast', figures),
        sharpness: of('sharpness', figures),
      },
    };
  }

  async #keep(): Promise<void> {
    if (this.#path === null) return;
    try {
      await writeFileAtomically(this.#path, JSON.stringify(this.#past));
    } catch (error) {
      this.#onWarning((error as Error).message);
    }
  }
}

/** For people, where a shift lies beyond the limit; else null. */
function driftInWords({ camera, region, drift, figures }: ShiftTold, usual: UsualFigures | null): string | null {
  if (!drift || !figures || !usual || drift.value <= 1) return null;
  const [low, , high] = usual[drift.of];
  return (
    `${camera}/${region} drifts: the ${drift.of} of this shift (${figures[drift.of].median.toFixed(2)} in the middle) lies beyond nine tenths of the ` +
    `training's (${low.toFixed(2)} to ${high.toFixed(2)}): drift ${drift.value.toFixed(2)}, the limit is 1; look after light and lens, or train with pictures of now`
  );
}
