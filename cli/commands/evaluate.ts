/** `beltnet evaluate`: a model's loss, accuracy and mistakes on labelled pictures. */
import { DataError } from '../../src/errors.js';
import {
  averagePrecision,
  classScores,
  confusionMatrix,
  DataFlow,
  openSplits,
  rocAuc,
  type FileList,
  type ModelInfo,
} from '../../src/index.node.js';
import { loadAndReport, openCache, type CacheOptions } from '../terminal/data.js';
import { describeDevice, withDevice, type DeviceOptions } from '../terminal/device.js';
import { figure } from '../terminal/epoch-log.js';
import { classProbabilities, compileModel, judge, openModel } from '../terminal/model-file.js';
import { count, Output, table } from '../terminal/output.js';

export interface EvaluateOptions extends CacheOptions, DeviceOptions {
  readonly batch: number;
  readonly split?: number;
  readonly groupBy?: RegExp;
  readonly difficulty: number;
  readonly seed: number;
  readonly workers?: number;
  readonly onBad: 'skip' | 'fail';
  readonly json?: boolean;
}

/** @returns the exit code */
export async function evaluate(modelPath: string, directory: string, options: EvaluateOptions): Promise<number> {
  const { batch: batchSize, seed, split, groupBy, difficulty } = options;
  const output = new Output(options);
  const opened = await openModel(modelPath);
  const { model, info, size } = opened;
  const { training, validation } = await openSplits(directory, {
    seed,
    ...(split !== undefined && { split }),
    ...(groupBy && { groupBy }),
  });
  const files = validation ?? training;
  checkClasses(files, info, opened.path);

  return withDevice(options, async (device, facts) => {
    compileModel(opened, device);
    const { interpolation, rescale, region, exif = false, normalization = {} } = info.preprocessing;
    const cache = openCache(options, [directory]);
    const preparation = { size, interpolation, ...(region && { region }), exif };
    const loading = { ...preparation, onBad: options.onBad, workers: options.workers, cache };
    const dataset = await loadAndReport(files, loading, output);
    const flow = new DataFlow(dataset, { batchSize, shuffle: false, seed, rescale, normalization, difficulty });
    const { loss } = await model.evaluate(flow);
    const tally = tallyUp(flow, classProbabilities(opened, await model.predict(flow)), info);

    const part = split === undefined ? '' : ` (the ${split} that --split and --seed ${seed} keep for validation)`;
    const { className: alertClass, threshold } = info.alert;
    output.emit({
      ...{ model: opened.path, data: files.name, ...(split !== undefined && { split, seed }), difficulty },
      ...{ pictures: flow.sampleCount, loss, accuracy: tally.correct / flow.sampleCount },
      classes: Object.fromEntries(tally.classes.map(({ name, ...counts }) => [name, counts])),
      alert: {
        ...{ class: alertClass, threshold, missed: tally.missed, falseAlarms: tally.falseAlarms },
        ...{ rocAuc: tally.rocAuc, averagePrecision: tally.averagePrecision },
      },
      ...{ skipped: dataset.skipped, device: facts },
    });
    for (const line of [
      `Data: ${files.name}${part}${difficulty > 0 ? `, difficulty ${difficulty}` : ''}`,
      `Model: ${opened.path}`,
      `Device: ${describeDevice(facts)}`,
      '',
      ...table([
        ['pictures', 'loss', 'accuracy'],
        [String(flow.sampleCount), figure(loss), (tally.correct / flow.sampleCount).toFixed(4)],
      ]),
      '',
      ...table([
        ['class', 'correct', 'of', 'precision', 'recall', 'F1'],
        ...tally.classes.map(({ name, correct, pictures, ...scores }) => [
          ...[name, correct, pictures],
          ...[scores.precision, scores.recall, scores.f1].map((value) => value.toFixed(4)),
        ]),
      ]),
      '',
      ...table([
        ['taken for', ...info.classNames],
        ...tally.classes.map(({ name, takenFor }) => [name, ...info.classNames.map((other) => takenFor[other])]),
      ]),
      '',
      `Alert '${alertClass}' from probability ${threshold}: ` +
        `${tally.missed} of ${count(tally.alertPictures, 'picture')} missed, ` +
        `${count(tally.falseAlarms, 'false alarm')} on the other ${flow.sampleCount - tally.alertPictures}`,
      `At every threshold: ROC-AUC ${area(tally.rocAuc)}, average precision ${area(tally.averagePrecision)}`,
    ]) {
      output.say(line);
    }
    return 0;
  });
}

/** An area under a curve; there is none when all pictures are of one kind. */
const area = (value: number): string => (Number.isNaN(value) ? 'none' : value.toFixed(4));

function checkClasses(files: FileList, { classNames }: ModelInfo, path: string): void {
  if (files.classNames.join('/') === classNames.join('/')) return;
  throw new DataError(
    `${files.name}: expected the classes of ${path} (${classNames.join(', ')}), got ${files.classNames.join(', ')}; ` +
      'give the folders those names, or take the model of these classes',
  );
}

interface Tally {
  readonly classes: readonly {
    readonly name: string;
    readonly pictures: number;
    readonly correct: number;
    readonly takenFor: Readonly<Record<string, number>>;
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
  }[];
  readonly correct: number;
  /** Pictures of the alert's class, and those of them that raised no alert. */
  readonly alertPictures: number;
  readonly missed: number;
  /** Alerts on pictures of the other classes. */
  readonly falseAlarms: number;
  /** How well the probability of the alert's class tells its pictures from the others; NaN when all are of one kind. */
  readonly rocAuc: number;
  readonly averagePrecision: number;
}

/** Counts what the model made of each class, from the probabilities of the classes. */
function tallyUp({ labels }: DataFlow, probabilities: readonly number[][], info: ModelInfo): Tally {
  const { classNames, alert } = info;
  const verdicts = probabilities.map((each) => judge(each, info));
  const predicted = verdicts.map(({ className }) => classNames.indexOf(className));
  const matrix = confusionMatrix(labels, predicted, classNames.length);
  const alertLabel = classNames.indexOf(alert.className);
  const isAlert = Float32Array.from(labels, (label) => Number(label === alertLabel));
  const scores = probabilities.map((each) => each[alertLabel]);
  const howMany = (fits: (verdict: (typeof verdicts)[number], sample: number) => boolean): number =>
    verdicts.filter(fits).length;
  return {
    classes: classScores(matrix).map(({ precision, recall, f1, support }, label) => ({
      ...{ name: classNames[label], pictures: support, correct: matrix[label][label] },
      takenFor: Object.fromEntries(classNames.map((other, index) => [other, matrix[label][index]])),
      ...{ precision, recall, f1 },
    })),
    correct: matrix.reduce((sum, row, label) => sum + row[label], 0),
    alertPictures: isAlert.reduce((sum, one) => sum + one, 0),
    missed: howMany((verdict, sample) => isAlert[sample] === 1 && !verdict.alert),
    falseAlarms: howMany((verdict, sample) => isAlert[sample] === 0 && verdict.alert),
    rocAuc: rocAuc(isAlert, scores),
    averagePrecision: averagePrecision(isAlert, scores),
  };
}
