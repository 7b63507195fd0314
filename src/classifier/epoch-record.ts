/** The figures of a training's epochs, and which epoch is the best. */
import { expectArray, expectNumber, expectObject, expectText, listOf, objectWith } from '../expect.js';
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
export function isBetter(one: EpochRecord, than: EpochRecord): boolean {
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

/** A figure as Keras' log has it: 0.0812, and 8.1200e-04 from 1e-3 down. */
export function epochFigure(value: number): string {
  expectNumber(value, 'epochFigure: value');
  if (value > 1e-3) return value.toFixed(4);
  return value.toExponential(4).replace(/e([+-])(\d)$/, 'e$10$2');
}

/**
 * The second of Keras' lines, and behind it how many pictures of the alert's class raise none:
 * ` - 23s - loss: 0.1437 - acc: 0.9400 - val_loss: 0.4083 - val_acc: 0.5000 - missed: 2/24`
 */
export function epochLine(record: Omit<EpochRecord, 'learningRate'>): string {
  objectWith({ seconds: expectNumber, loss: expectNumber, accuracy: expectNumber })(record, 'epochLine: record');
  const { seconds, loss, accuracy, valLoss, valAccuracy, ...figures } = record;
  const parts = [`${seconds.toFixed(0)}s`, `loss: ${epochFigure(loss)}`, `acc: ${epochFigure(accuracy)}`];
  if (valLoss !== undefined && valAccuracy !== undefined)
    parts.push(`val_loss: ${epochFigure(valLoss)}`, `val_acc: ${epochFigure(valAccuracy)}`);
  const { missedAlerts, alertPictures } = figures;
  if (missedAlerts !== undefined) parts.push(`missed: ${missedAlerts}/${alertPictures}`);
  return ` - ${parts.join(' - ')}`;
}

/** The epochs in the text of a run's events.jsonl. A line that a killed process left unfinished is none. */
export function epochsIn(text: string): EpochRecord[] {
  expectText(text, 'epochsIn: text');
  return text.split('\n').flatMap((line) => {
    try {
      const { event, ...record } = JSON.parse(line) as { event?: string } & EpochRecord;
      return event === 'epoch' ? [record] : [];
    } catch {
      return [];
    }
  });
}

/** Figures that several trainings of the same kind are compared by. */
const compared = ['loss', 'accuracy', 'valLoss', 'valAccuracy', 'balancedAccuracy', 'rocAuc', 'missedAlerts'] as const;

export interface Spread {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

type Compared = (typeof compared)[number];

/** Mean and range of the figures that all of some trainings have. */
export function spreadOf(
  records: readonly Partial<Readonly<Record<Compared, number | null>>>[],
): Partial<Record<Compared, Spread>> {
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
