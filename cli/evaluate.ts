/** `beltnet evaluate`: a model's loss, accuracy and mistakes on labelled pictures. */
import { DataError } from '../src/errors.js';
import {
  imageDataGenerator,
  openSplits,
  type DataFlow,
  type DeviceName,
  type FileList,
  type ModelInfo,
} from '../src/index.node.js';
import { loadAndReport, openCache, type CacheOptions } from './data.js';
import { describeDevice, withDevice } from './device.js';
import { figure } from './epoch-log.js';
import { compileModel, judge, openModel } from './model-file.js';
import { count, Output, table } from './terminal.js';

export interface EvaluateOptions extends CacheOptions {
  readonly batch: number;
  readonly split?: number;
  readonly groupBy?: RegExp;
  readonly seed: number;
  readonly device: DeviceName;
  readonly workers?: number;
  readonly onBad: 'skip' | 'fail';
  readonly json?: boolean;
}

/** @returns the exit code */
export async function evaluate(modelPath: string, directory: string, options: EvaluateOptions): Promise<number> {
  const { batch: batchSize, seed, split, groupBy } = options;
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

  return withDevice(options.device, async (device, facts) => {
    compileModel(opened, device);
    const { interpolation, rescale } = info.preprocessing;
    const cache = openCache(options, [directory]);
    const loading = { size, interpolation, onBad: options.onBad, workers: options.workers, cache };
    const dataset = await loadAndReport(files, loading, output);
    const flow = imageDataGenerator({ rescale }).flow(dataset, { batchSize, shuffle: false });
    const { loss } = await model.evaluate(flow);
    const tally = tallyUp(flow, await model.predict(flow), info);

    const part = split === undefined ? '' : ` (the ${split} that --split and --seed ${seed} keep for validation)`;
    const { className: alertClass, threshold } = info.alert;
    output.emit({
      ...{ model: opened.path, data: files.name, ...(split !== undefined && { split, seed }) },
      ...{ pictures: flow.sampleCount, loss, accuracy: tally.correct / flow.sampleCount },
      classes: Object.fromEntries(tally.classes.map(({ name, ...counts }) => [name, counts])),
      alert: { class: alertClass, threshold, missed: tally.missed, falseAlarms: tally.falseAlarms },
      ...{ skipped: dataset.skipped, device: facts },
    });
    for (const line of [
      `Data: ${files.name}${part}`,
      `Model: ${opened.path}`,
      `Device: ${describeDevice(facts)}`,
      '',
      ...table([
        ['pictures', 'loss', 'accuracy'],
        [String(flow.sampleCount), figure(loss), (tally.correct / flow.sampleCount).toFixed(4)],
      ]),
      '',
      ...table([
        ['class', 'correct', 'of'],
        ...tally.classes.map(({ name, correct, pictures }) => [name, correct, pictures]),
      ]),
      '',
      `Alert '${alertClass}' from probability ${threshold}: ` +
        `${tally.missed} of ${count(tally.alertPictures, 'picture')} missed, ` +
        `${count(tally.falseAlarms, 'false alarm')} on the other ${flow.sampleCount - tally.alertPictures}`,
    ]) {
      output.say(line);
    }
    return 0;
  });
}

function checkClasses(files: FileList, { classNames }: ModelInfo, path: string): void {
  if (files.classNames.join('/') === classNames.join('/')) return;
  throw new DataError(
    `${files.name}: expected the classes of ${path} (${classNames.join(', ')}), got ${files.classNames.join(', ')}; ` +
      'give the folders those names, or take the model of these classes',
  );
}

interface Tally {
  readonly classes: readonly { name: string; pictures: number; correct: number; takenFor: Record<string, number> }[];
  readonly correct: number;
  /** Pictures of the alert's class, and those of them that raised no alert. */
  readonly alertPictures: number;
  readonly missed: number;
  /** Alerts on pictures of the other class. */
  readonly falseAlarms: number;
}

/** Counts what the model made of each class, from the probabilities of class 1. */
function tallyUp({ labels }: DataFlow, probabilities: Float32Array, info: ModelInfo): Tally {
  const verdicts = Array.from(probabilities, (p, index) => ({ label: labels[index], ...judge(p, info) }));
  const alertLabel = info.classNames.indexOf(info.alert.className);
  const howMany = (fits: (verdict: (typeof verdicts)[number]) => boolean): number => verdicts.filter(fits).length;
  const taken = (label: number, name: string): number =>
    howMany((one) => one.label === label && one.className === name);
  return {
    classes: info.classNames.map((name, label) => ({
      name,
      pictures: howMany((one) => one.label === label),
      correct: taken(label, name),
      takenFor: Object.fromEntries(info.classNames.map((other) => [other, taken(label, other)])),
    })),
    correct: howMany((one) => one.className === info.classNames[one.label]),
    alertPictures: howMany((one) => one.label === alertLabel),
    missed: howMany((one) => one.label === alertLabel && !one.alert),
    falseAlarms: howMany((one) => one.label !== alertLabel && one.alert),
  };
}
