/**
 * Whether what a camera shows is still what the model was trained on, shift by shift: slow changes (dust, lamps that fade, a lens that
 * works loose) of which no single picture is wrong. The number is how far the middle of a shift's pictures lies from the middle of the
 * training's, 1 where only a tenth of the training's pictures lie beyond.
 */
import { pictureFigures, type UsualFigures } from '../classifier/picture-faults.js';

export const driftFigures = ['brightness', 'contrast', 'sharpness'] as const;
export type DriftFigure = (typeof driftFigures)[number];

/** Medians of a shift's pictures. */
export type ShiftFigures = Readonly<Record<DriftFigure, number>>;

export interface Drift {
  /** 1 at the limit. */
  readonly value: number;
  /** Of the figure that has moved most. */
  readonly of: DriftFigure;
}

/** What a region's shift was, before it is compared. */
export interface EndedShift {
  readonly camera: string;
  readonly region: string;
  readonly verdicts: number;
  readonly alerts: number;
  /** Null where it showed too little. */
  readonly figures: ShiftFigures | null;
  /** Null for a model that does not know its training's. */
  readonly usual: UsualFigures | null;
}

/** One picture of each second says as much as all of them. */
const MILLISECONDS_BETWEEN_LOOKS = 1000;
/** Fewer pictures say nothing of a shift. */
export const LEAST_PICTURES = 30;

export class ShiftWatch {
  readonly #seen: Readonly<Record<DriftFigure, number[]>> = { brightness: [], contrast: [], sharpness: [] };
  #lookedAt = -Infinity;

  /** @param data [height, width, 3] of the model */
  look(data: Uint8Array, width: number, height: number, now: number): void {
    if (now - this.#lookedAt < MILLISECONDS_BETWEEN_LOOKS) return;
    this.#lookedAt = now;
    const figures = pictureFigures(data, width, height);
    for (const name of driftFigures) this.#seen[name].push(figures[name]);
  }

  /** Ends the shift, and begins another. @returns null where it showed too little */
  take(): ShiftFigures | null {
    const { brightness, contrast, sharpness } = this.#seen;
    const isEnough = brightness.length >= LEAST_PICTURES;
    const [b, c, s] = [brightness, contrast, sharpness].map((values) => median(values.splice(0)));
    return isEnough ? { brightness: b, contrast: c, sharpness: s } : null;
  }
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).toSorted();
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

export function driftOf(shift: ShiftFigures, usual: UsualFigures): Drift {
  const of = (name: DriftFigure): number => {
    const [low, middle, high] = usual[name];
    const distance = shift[name] - middle;
    // Of pictures that are all alike a tenth lies nowhere.
    return Math.abs(distance) / Math.max(1e-3, distance < 0 ? middle - low : high - middle);
  };
  const [first, ...others] = driftFigures.map((name) => ({ value: of(name), of: name }));
  return others.reduce((most, one) => (one.value > most.value ? one : most), first);
}

/** Shifts from which on a trend is told. */
const LEAST_SHIFTS = 6;
const DAY_MILLISECONDS = 86_400_000;

/**
 * How a figure changes in a day: the median of the slopes of all pairs, which no single odd shift bends (Theil, 1950; Sen, 1968).
 * @param shifts when each ended, in milliseconds, and what it showed
 * @returns null while there are too few
 */
export function trendPerDay(shifts: readonly (readonly [at: number, value: number])[]): number | null {
  if (shifts.length < LEAST_SHIFTS) return null;
  const slopes = shifts.flatMap(([at, value], n) =>
    shifts
      .slice(n + 1)
      .filter(([other]) => other !== at)
      .map(([other, later]) => ((later - value) / (other - at)) * DAY_MILLISECONDS),
  );
  return slopes.length === 0 ? null : median(slopes);
}
