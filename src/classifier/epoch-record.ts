/** The figures of a training's epochs, and which epoch is the best. */
import { expectArray, expectObject, listOf } from '../expect.js';
import type { EpochLog } from '../nn/training/events.js';

export interface EpochRecord extends EpochLog {
  /** Of the epoch's last step. */
  readonly learningRate: number;
  /** Of the validation pictures: the mean of the classes' recalls, from 0 to 1 … */
  readonly balancedAccuracy?: number;
  /** … how well the probability of the alert's class tells its pictures from the others … */
  readonly rocAuc?: number;
  /** … and how many are of the alert's class, and how many of those raise no alert. */
  readonly alertPictures?: number;
  readonly missedAlerts?: number;
}

/** What validation pictures choose by, as texts say it. */
export const CHOSEN_BY = 'balanced accuracy, then loss, on the validation pictures';

/** The larger balanced accuracy, then the smaller loss, then the earlier epoch. */
function isBetter(one: EpochRecord, than: EpochRecord): boolean {
  const [accuracy, best] = [one.balancedAccuracy ?? 0, than.balancedAccuracy ?? 0];
  return accuracy > best || (accuracy === best && (one.valLoss ?? one.loss) < (than.valLoss ?? than.loss));
}

/** The best epoch of some, by the validation pictures; the last where there are none. */
export function bestEpoch(epochs: readonly EpochRecord[]): EpochRecord | undefined {
  expectArray(epochs, 'bestEpoch: epochs');
  listOf(expectObject)(epochs, 'bestEpoch: epochs');
  return epochs.at(-1)?.balancedAccuracy === undefined
    ? epochs.at(-1)
    : epochs.reduce((best, one) => (isBetter(one, best) ? one : best));
}

/** Figures that several trainings of the same kind are compared by. */
const compared = ['loss', 'accuracy', 'valLoss', 'valAccuracy', 'balancedAccuracy', 'rocAuc', 'missedAlerts'] as const;

export interface Spread {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

/** Mean and range of the figures that all of some trainings have. */
export function spreadOf(records: readonly EpochRecord[]): Partial<Record<(typeof compared)[number], Spread>> {
  expectArray(records, 'spreadOf: records');
  listOf(expectObject)(records, 'spreadOf: records');
  return Object.fromEntries(
    compared.flatMap((name) => {
      const values = records.flatMap((record) => record[name] ?? []);
      if (values.length < records.length || values.length === 0) return [];
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return [[name, { mean, least: Math.min(...values), most: Math.max(...values) }]];
    }),
  );
}
