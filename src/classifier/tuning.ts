/**
 * What is set in a model file after its training: the threshold and its reason (section `decision`), and the temperature of its
 * probabilities (section `calibration`, which is required: who does not know it would read other probabilities).
 */
import { DataError, ModelFileError, UsageError } from '../errors.js';
import { expectObject, expectText, objectWith, perhaps, received, expectList } from '../expect.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { FEWEST_GROUPS } from './figures/intervals.js';
import { fitTemperature, withTemperature, type Calibration } from './figures/temperature.js';
import { reasonOf, type ThresholdChoice, type ThresholdCriterion } from './figures/threshold.js';

/** Required sections of model files that classifiers know. */
export const KNOWN_SECTIONS: readonly string[] = ['calibration'];

/** On which pictures something was chosen. */
export interface TuningPictures {
  /** What they are called. */
  readonly data: string;
  /** What they were meant for: those of a test judge no longer what was chosen on them. */
  readonly part: 'test' | 'validation' | 'training';
  /** How many of them differ in what the model sees of them; default: all. */
  readonly distinctPictures?: number;
}

/** Of the model's probabilities; 1 where they are as the network says them. @throws ModelFileError for a section that says none */
export function temperatureOf(info: Pick<ModelInfo, 'sections'>, name = 'model'): number {
  objectWith({ sections: perhaps(expectObject) })(info, 'temperatureOf: info');
  expectText(name, 'temperatureOf: name');
  const { sections = {} } = info;
  if (sections['calibration'] === undefined) return 1;
  expectObject(sections['calibration'], `${name}: its section 'calibration'`);
  const { temperature } = Object(sections['calibration'].value) as { temperature?: unknown };
  if (typeof temperature === 'number' && temperature > 0 && temperature < Infinity) return temperature;
  throw new ModelFileError(
    `${name}: expects in its section 'calibration' a temperature above 0, got ${JSON.stringify(temperature) ?? 'none'}`,
  );
}

/** @throws UsageError for a threshold that is no probability */
export function withThreshold(info: ModelInfo, threshold: number): ModelInfo {
  expectInfo(info, 'withThreshold');
  if (typeof threshold !== 'number' || !(threshold >= 0 && threshold <= 1))
    throw new UsageError(`threshold: expects a probability from 0 to 1, got ${received(threshold)}`);
  return { ...info, alert: { ...info.alert, threshold } };
}

/**
 * The info with a chosen threshold, and why it is what it is.
 * @param pictures on which it was chosen
 */
export function withDecision(
  info: ModelInfo,
  criterion: ThresholdCriterion,
  choice: ThresholdChoice,
  pictures: TuningPictures,
): ModelInfo {
  expectObject(choice, 'withDecision: choice');
  const { threshold, interval, expected, counted, cannotKnow } = choice;
  const reason = reasonOf(criterion);
  const value = { threshold, reason, criterion, ...pictures, interval, expected, counted, cannotKnow };
  return { ...withThreshold(info, threshold), sections: { ...info.sections, decision: { value } } };
}

/**
 * The info with a temperature that is fitted to pictures that neither trained the model nor will judge it. The alarm of a model
 * of two classes stays what it is: its threshold moves along.
 *
 * @param probabilities of the verdicts, [N][classes]: those of a temperature that is already there
 * @throws DataError when there is no temperature to be fitted, or too few pictures for that
 */
export function withCalibration(
  info: ModelInfo,
  labels: ArrayLike<number>,
  probabilities: readonly ArrayLike<number>[],
  pictures: TuningPictures,
): { readonly info: ModelInfo; readonly calibration: Calibration } {
  expectInfo(info, 'withCalibration');
  expectList(labels, 'withCalibration: labels');
  expectObject(pictures, 'withCalibration: pictures');
  const { distinctPictures = labels.length } = pictures;
  if (distinctPictures < FEWEST_GROUPS)
    throw new DataError(
      `temperature: expects ${FEWEST_GROUPS} pictures or more that differ, got ${distinctPictures}: so few say nothing of how sure is too ` +
        'sure; take more',
    );
  const calibration = fitTemperature(labels, probabilities);
  const { decision: _, ...others } = info.sections ?? {}; // it was about other probabilities
  const value = { ...calibration, temperature: calibration.temperature * temperatureOf(info), ...pictures };
  const { threshold } = info.alert;
  const [moved] = withTemperature([threshold, 1 - threshold], calibration.temperature);
  const isInside = threshold > 0 && threshold < 1 && info.classNames.length === 2;
  return {
    info: {
      ...withThreshold(info, isInside ? moved : threshold),
      sections: { ...others, calibration: { value, required: true } },
    },
    calibration,
  };
}
