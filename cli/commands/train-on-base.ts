/** `beltnet train --base`: a trained network's features and a head on them, in seconds. */
import {
  describeSet,
  basePreparation,
  encodeModel,
  judgePredictions,
  keepFeatures,
  onlyClass,
  openBase,
  openRun,
  pictureManifest,
  predictionsTable,
  proveTraining,
  strangersInWords,
  trainOnBase,
  type JudgedSet,
  type PictureUse,
} from '../../src/index.node.js';
import { noteAlertClass } from '../terminal/alert.js';
import { augmentationOf } from '../terminal/augmentation.js';
import {
  describeClasses,
  describeParts,
  loadAndReport,
  noteSkipped,
  openCache,
  openTrainingSplits,
  type Fold,
} from '../terminal/data.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { openLive } from '../terminal/live.js';
import { count, note, noteLeftovers, type Output, quoted } from '../terminal/output.js';
import { unlessStopped, untilStopped } from '../terminal/start-of-training.js';
import { authorOf, commandLine } from '../terminal/proof.js';
import { versions } from '../version.js';
import { noteFindings } from './audit.js';
import type { TrainOptions } from '../terminal/training-flags.js';

/** @param given names of the flags that were given */
export async function trainOnBaseCommand(
  directory: string,
  options: TrainOptions,
  given: readonly string[],
  output: Output,
  fold: Fold | null = null,
): Promise<number> {
  const { split, groupBy, seed } = options;
  const author = authorOf(options);
  const splits = await openTrainingSplits(directory, options, fold);
  const base = await openBase(options.base ?? '', options.baseLayer === undefined ? undefined : [options.baseLayer]);
  const settings = {
    ...{ size: options.baseSize, region: options.roi, exif: options.exif, alertClass: options.alertClass, seed },
    ...{ coverage: options.coverage, versions: options.versions },
    ...(options.versions !== undefined && { augmentation: augmentationOf(options) }),
    ...(given.includes('batch') && { batchSize: options.batch }),
  };
  const { picture } = basePreparation(base, settings);
  return withDevice(options, async (device, facts) => {
    const run = await openRun(options.out, options.name, noteLeftovers);
    const cache = openCache(options, [directory]);
    const loading = { ...picture, onBad: options.onBad, workers: options.workers, cache };
    const training = await loadAndReport(splits.training, loading, output);
    const judging = splits.validation ?? splits.test; // a head's recipe is fixed: nothing is chosen
    const validation = judging && (await loadAndReport(judging, loading, output));
    const audit = await noteFindings(training, validation ? [validation] : [], directory, cache, options.exif);
    const sets = { training, [splits.validation ? 'validation' : 'test']: validation };
    output.say(`Classes: ${describeClasses(training)}`);
    output.say(`Data: ${splits.layout}: ${describeParts(training, validation)}`);
    if (options.alertClass === undefined) noteAlertClass(training.classNames);
    output.say(`Device: ${describeDevice(facts)}`);
    output.say(
      `Base: ${base.name}, ${picture.size.width}x${picture.size.height} pictures, features of ${base.featureLayers.join(', ')}`,
    );
    output.say(`Run: ${run.directory}`);
    const live = options.live ? await openLive(run.directory, 0, output) : null;

    const start = performance.now();
    const judged = validation ?? training;
    const judgedUse: PictureUse = validation ? (splits.validation ? 'validation' : 'test') : 'training';
    const trainAndJudge = async (signal: AbortSignal) => {
      const keeping = { ...(cache && { keep: keepFeatures(cache, base) }), ...untilStopped(signal) };
      const trained = await trainOnBase(base, training, device, { ...settings, ...keeping });
      const judgedSets: Partial<Record<PictureUse, JudgedSet>> = {};
      for (const [use, dataset] of Object.entries(sets))
        if (dataset)
          judgedSets[use as PictureUse] = judgePredictions(await trained.predict(dataset), dataset, trained.info);
      return { ...trained, judgedSets };
    };
    const { result, stopCode } = await stopInOrder('Stopping after this step; Ctrl-C again stops at once.', (signal) =>
      unlessStopped(signal, trainAndJudge(signal)),
    );
    if (result === null) {
      note(`beltnet: stopped; no model was written yet (${run.directory})`);
      return stopCode ?? 130;
    }
    const { model, info, judgedSets, told } = result;
    const evaluation = judgedSets[judgedUse] as JudgedSet;
    const seconds = (performance.now() - start) / 1000;
    await run.writeConfig({
      ...versions(),
      started: new Date().toISOString(),
      data: {
        directory,
        layout: splits.layout,
        training: describeSet(training),
        validation: validation && describeSet(validation),
        audited: audit.sets,
      },
      alert: info.alert,
      base: { name: base.name, hash: base.hash, layers: base.featureLayers },
      device: facts,
      fold,
      options: { ...options, groupBy: groupBy ? String(groupBy) : null },
      preprocessing: { ...info.preprocessing, size: picture.size },
      architecture: model.config(),
    });
    const manifest = await pictureManifest(sets);
    await run.writePictures(manifest);
    await run.writeAudit(audit);
    await run.writeModel(await encodeModel(model, info, { name: run.path('best') }), { isBest: true });
    const { judged: _, ...figures } = evaluation;
    await run.writePredictions(predictionsTable(judgedSets, info, manifest));
    await proveTraining({
      ...{ ...author, run: run.directory, sets, judged: judgedSets },
      ...{ command: commandLine(), epochs: null, bestEpoch: null, choices: [] },
    });
    await live?.finish(device);
    const { unknown = 0 } = figures;
    output.emit({ event: 'end', run: run.directory, model: run.path('best'), seconds, ...figures, told });
    output.say();
    const what = splits.validation ? 'validation' : splits.test ? 'test' : 'training';
    output.say(`Trained in ${seconds.toFixed(1)} s on the features of ${count(training.labels.length, 'picture')}`);
    output.say(
      `Accuracy on the ${what} pictures: ${evaluation.accuracy.toFixed(4)}; ${unknown} of ${judged.labels.length} unlike the training's (unknown)`,
    );
    output.say(`Pictures of other kinds that were told as unknown: ${strangersInWords(told)}`);
    if (!validation) note('note: there are no validation pictures; --split 0.2 keeps a fifth of the pictures for that');
    const only = onlyClass(evaluation);
    if (only !== null) note(`warning: the model takes every picture of ${judged.name} for '${only}'`);
    output.say();
    output.say(`Model:   ${run.path('best')}`);
    output.say(`Config:  ${run.path('config')}`);
    output.say();
    const grouped = groupBy ? ` --group-by ${quoted(groupBy.source)}` : '';
    const sameSplit = split === undefined ? '' : ` --split ${split} --seed ${seed}${grouped}`;
    const data = validation ? quoted(directory) + sameSplit : 'FOLDER';
    output.say(`Evaluate it:  beltnet evaluate ${quoted(run.path('best'))} ${data}`);
    output.say(`Use it:       beltnet predict ${quoted(run.path('best'))} PICTURE...`);
    noteSkipped(validation ? [training, validation] : [training]);
    return 0;
  });
}
