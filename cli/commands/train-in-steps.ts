/** A training in steps, from the pictures to the finished run; `train` decides that it is one. Read it from top to bottom. */
import { existsSync } from 'node:fs';
import { DataError, UsageError } from '../../src/errors.js';
import {
  configOfPlan,
  describeTraining,
  epochLine,
  bestEpoch,
  bundledBases,
  changedPictures,
  checkFineTuning,
  checkMemory,
  CHOSEN_BY,
  classWeightsFor,
  judgeRun,
  FAULTS_SECTION,
  learnByGuard,
  learnFaults,
  learnUnknown,
  modelFileOf,
  neverPredicted,
  openBase,
  openRun,
  pictureManifest,
  provenEpochs,
  proveTraining,
  readPictures,
  reopenRun,
  scheduleOf,
  trainingFlows,
  strangersInWords,
  tellsUnknown,
  trainRun,
  unevenClasses,
  type ClassWeight,
  type Run,
  type ToldStrangers,
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
import { ProgressLine } from '../terminal/epoch-log.js';
import { sayPlan } from '../terminal/dry-run.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { profileLines } from '../terminal/kernel-profile.js';
import { openLive } from '../terminal/live.js';
import { shearNote, shearRange } from '../terminal/options.js';
import { count, note, noteLeftovers, Output, quoted, showProgress } from '../terminal/output.js';
import { authorOf, commandLine } from '../terminal/proof.js';
import type { Ranks } from '../terminal/ranks.js';
import { checkDevice, isFinished, type Resumed } from '../terminal/resume.js';
import { startOf, unlessStopped, untilStopped } from '../terminal/start-of-training.js';
import { versions } from '../version.js';
import { noteFindings } from './audit.js';

import type { TrainOptions } from '../terminal/training-flags.js';

/** Below this many pictures a network that is trained from scratch is mostly worse than a head on a base (docs/base.md). */
const FEW_PICTURES = 1000;

/** Whether a run that has made its last step has learned what tells unknown pictures, too, and left its card and its record. */
const isComplete = async ({ run, config, options, checkpoint }: Resumed<TrainOptions>): Promise<boolean> =>
  (((config['unlikeLayer'] ?? null) === null && !options.guard) || (await tellsUnknown(modelFileOf(run)))) &&
  (await provenEpochs(run)) === checkpoint?.state.position.epoch;

/** The part of a cross-validation that a run is; null for others. */
export const foldOfRun = ({ fold }: Readonly<Record<string, unknown>>): Fold | null => (fold ?? null) as Fold | null;

/**
 * @param given names of the options that stand on the command line
 * @param resumed the run to go on with; null for a new one
 * @param ranks those that train together, of which this is the first
 * @param until the epoch after which it stops for now, to be resumed: see search.ts
 * @returns the exit code
 */
export async function trainInSteps(
  directory: string,
  options: TrainOptions,
  given: readonly string[],
  resumed: Resumed<TrainOptions> | null,
  output: Output,
  fold: Fold | null = resumed ? foldOfRun(resumed.config) : null,
  ranks: Ranks | null = null,
  until: number = options.epochs,
): Promise<number> {
  const { batch: batchSize, epochs, split, groupBy, profile, seed, validateOnTest } = options;
  const author = authorOf(options);
  if (resumed && isFinished(resumed, epochs) && (await isComplete(resumed))) {
    const { run, checkpoint } = resumed;
    const done = checkpoint?.state.position.epoch ?? 0;
    output.emit({ event: 'end', run, epochs: done, interrupted: false, finished: true });
    output.say(`${run} is finished, after ${count(done, 'epoch')}`);
    return 0;
  }

  const { splits, start, recipe, augmentation, stepsPerEpoch } = await planInSteps(
    directory,
    options,
    fold,
    resumed?.config ?? null,
  );
  const { classNames } = splits.training;
  const isFineTuned = options.fineTune !== undefined;
  if (options.validationSteps !== undefined && !splits.validation) {
    throw new UsageError(
      `--validation-steps: ${directory} has no validation pictures; --hold-back 0.15 keeps some for that`,
    );
  }
  if (options.earlyStopping !== undefined && !splits.validation)
    throw new UsageError(
      `--early-stopping: ${directory} has no pictures that may choose; --hold-back 0.15 of the training pictures or a folder val/ are such`,
    );
  const { plan } = start;
  const { model } = plan;
  const { size } = plan.preparation.picture;
  const { optimizer, loss } = plan.recipe;
  return withDevice({ ...options, threads: ranks?.threads ?? options.threads }, async (device, facts) => {
    checkMemory(model, device.memoryBudget);
    if (resumed) checkDevice(resumed, facts);
    if (options.dryRun) {
      await sayPlan({
        ...{ output, splits, plan, stepsPerEpoch, epochs, batchSize, device },
        ...{ validationSteps: options.validationSteps, onBad: options.onBad, workers: options.workers },
        run: options.name ?? resumed?.run ?? null,
        out: options.out,
        facts,
      });
      return 0;
    }
    if (options.findLr) {
      const { findLearningRateCommand } = await import('./find-learning-rate.js');
      return findLearningRateCommand({ directory, options, splits, start, recipe, device, output });
    }
    const run = resumed
      ? reopenRun(resumed.run, noteLeftovers)
      : await openRun(options.out, options.name, noteLeftovers);
    const checkpoint = resumed?.checkpoint ?? null;

    // Pictures
    const unusual = shearNote(options.shear, profile);
    if (unusual) note(`note: ${unusual}`);
    const cache = openCache(options, [directory]);
    const loading = { ...plan.preparation.picture, onBad: options.onBad, workers: options.workers, cache };
    const training = await loadAndReport(splits.training, loading, output);
    const validation = splits.validation && (await loadAndReport(splits.validation, loading, output));
    const test = splits.test && (await loadAndReport(splits.test, loading, output)); // for copies of training pictures
    const others = [validation, test].filter((set) => set !== null);
    const audit = await noteFindings(training, others, directory, cache, options.exif);
    if (isFineTuned && !options.force) checkFineTuning(training);
    const planned = await trainingFlows(plan, training, validation, batchSize);
    const unknownOptions = { seed, coverage: options.coverage };
    const guard = options.guard
      ? await learnByGuard(await openBase(bundledBases[0]), training, plan.preparation, device, {
          ...unknownOptions,
          onProgress: (done, total) => showProgress(() => `Guard ${done}/${total}`),
        })
      : null;
    const sections = { ...planned.info.sections, ...guard, [FAULTS_SECTION]: await learnFaults(training) };
    const flows = { ...planned, info: { ...planned.info, sections } };
    const { info } = flows;
    const sets = { training, validation, test };
    const manifest = await pictureManifest(sets);
    const changed = checkpoint && changedPictures((await readPictures(run.directory)) ?? '', manifest);
    if (changed)
      throw new DataError(
        `${directory}: expects the pictures that ${run.directory} was begun with, got others: ${changed}; train anew on these`,
      );

    // Say and write down what is about to happen
    const described = {
      ...describeTraining({
        ...{ directory, splits, sets, audit, flows, plan, device: facts },
        chosen: [
          ...(options.earlyStopping === undefined ? [] : (['last epoch'] as const)),
          ...(options.schedule === 'plateau' ? (['learning rate'] as const) : []),
        ],
      }),
      ...(ranks && { ranks: ranks.group.size, mpi: ranks.group.description }),
    };
    const write = async (): Promise<void> => {
      await run.writeConfig(config); // first: with it the run can be gone on with
      await run.writePictures(manifest);
      await run.writeAudit(audit);
    };
    const config = {
      ...versions(),
      started: new Date().toISOString(),
      ...described,
      ...start.config,
      unlikeLayer: plan.unlikeLayer,
      fold,
      given: resumed ? (resumed.config['given'] ?? []) : given,
      options: {
        ...options,
        groupBy: groupBy ? String(groupBy) : null, // and, as they turn out:
        horizontalFlip: augmentation.horizontalFlip,
        verticalFlip: augmentation.verticalFlip,
        ...(split === undefined && { holdBack: splits.holdBack }),
        shear: {
          ...options.shear,
          range: shearRange(options.shear, profile),
          rangeUnit: profile === 'keras-2' ? 'deg' : 'rad',
        },
        stepsPerEpoch: options.stepsPerEpoch ?? flows.training.stepsPerPass,
        validationSteps: options.validationSteps ?? flows.validation?.stepsPerPass ?? null,
      },
      ...configOfPlan(plan, info),
    };
    const written = checkpoint ? run.writeConfig({ ...config, started: resumed?.config['started'] }) : write();
    written.catch(() => {}); // awaited below: the disk works while the weights are made
    const weights = options.classWeight !== 'none' && { classWeight: classWeightsFor(options.classWeight, training) };
    const shared = ranks && { group: ranks.group, syncEvery: options.syncEvery };
    model.compile({ device, optimizer, loss, ...weights, ...shared, metrics: ['accuracy'] });
    if (checkpoint) model.restoreTrainingState(checkpoint.state);
    await written;
    output.emit({ event: 'start', run: run.directory, ...described });
    output.say(`Classes: ${describeClasses(training)}`);
    output.say(`Data: ${splits.layout}: ${describeParts(training, validation)}`);
    if (!validation)
      note(
        'note: no pictures choose the best epoch, so it is the last; --hold-back 0.15 keeps some of the training pictures for that',
      );
    if (validateOnTest)
      note(
        `warning: ${splits.validation?.name} chooses the best epoch, so that it can no longer judge the model: keep others for that`,
      );
    if (!start.isTrained && training.labels.length < FEW_PICTURES)
      note(
        'note: with so few pictures a head on a trained network is mostly far better, in seconds: --base darknet-tiny',
      );
    if (options.alertClass === undefined) noteAlertClass(classNames);
    const uneven = options.classWeight === 'none' ? unevenClasses(training) : null;
    if (uneven) {
      const { most, least, ratio } = uneven;
      note(
        `warning: there are ${Math.floor(ratio)} pictures of '${most}' for one of '${least}', which may be passed over; ` +
          '--class-weight balanced has them count alike',
      );
    }
    output.say(`Device: ${describeDevice(facts)}`);
    output.say(
      `Network: ${size.width}x${size.height} pictures, ${count(model.countParameters(), 'parameter')}` +
        (isFineTuned ? `, of which ${model.countParameters({ trainable: true })} are trained` : ''),
    );
    if (ranks) {
      const { size: processes, description } = ranks.group;
      output.say(
        `Together: ${processes} processes (${description}), each with its part of every batch of ${batchSize}`,
      );
    }
    output.say(`Run: ${run.directory}`);
    const live = options.live ? await openLive(run.directory, epochs, output) : null;
    output.say();

    // Train
    let lastEpoch = model.epoch;
    let told = null as ToldStrangers | null; // where unknown pictures are told
    const steps = options.stepsPerEpoch ?? flows.training.stepsPerPass;
    const progress = new ProgressLine(epochs, model.epoch + (checkpoint?.state.position.step ?? 0) / steps);
    const fit = async (signal: AbortSignal) => {
      if (!checkpoint && !(await unlessStopped(signal, start.begin(training, device, cache, signal))))
        return { epochs: [], stoppedEarly: false };
      const trained = await trainRun(
        { run, model, device, flows, validation },
        {
          epochs: until,
          signal,
          resumed: checkpoint,
          ...(ranks && { around: ranks.around }),
          startsTrained: start.isTrained,
          tensorboard: options.tensorboard,
          stepsPerEpoch: options.stepsPerEpoch,
          validationSteps: options.validationSteps,
          earlyStopping: options.earlyStopping,
          checkpointSeconds: options.checkpointSeconds,
          onProgress: (now) => showProgress((columns) => progress.text(now, columns)),
          onModel: (epoch) => (lastEpoch = epoch),
          onEpoch: (record, ends) => {
            output.emit({ event: 'epoch', ...record });
            output.say(epochLine(record));
            if (!ends) output.say(`Epoch ${record.epoch + 1}/${epochs}`);
          },
        },
      );
      if ((plan.unlikeLayer !== null || guard) && (trained.stoppedEarly || lastEpoch >= epochs))
        told = await unlessStopped(
          signal,
          learnUnknown(run.path('best'), guard ? null : plan.unlikeLayer, training, device, {
            ...unknownOptions,
            ...untilStopped(signal),
          }),
        );
      return trained;
    };
    if (checkpoint)
      output.say(`Resumed: after ${count(model.epoch, 'epoch')} and ${checkpoint.state.position.step} steps`);
    if (start.isTrained && !checkpoint) output.say('As it begins');
    else if (model.epoch < epochs) output.say(`Epoch ${model.epoch + 1}/${epochs}`);
    const { result, stopCode } = await stopInOrder('Stopping after this step; Ctrl-C again stops at once.', fit).catch(
      (error: unknown) => {
        note(`note: ${whatIsKept(run, lastEpoch)}`);
        throw error;
      },
    );

    const interrupted = lastEpoch < epochs && !result.stoppedEarly; // a signal that comes while the last epoch is written changes nothing
    const modelPath = existsSync(run.path('best')) ? run.path('best') : null;
    const best = bestEpoch(result.epochs);
    const end = {
      event: 'end',
      run: run.directory,
      model: modelPath,
      epochs: lastEpoch,
      bestEpoch: best?.epoch ?? null,
      interrupted,
    };
    if (interrupted) {
      output.emit(end);
      if (stopCode === null && lastEpoch >= until) return 0; // as it was meant
      note(`beltnet: stopped in epoch ${lastEpoch + 1} of ${epochs}; ${whatIsKept(run, lastEpoch)}`);
      return stopCode ?? 130;
    }
    if (result.stoppedEarly) output.say(`Stopped: no better epoch in ${options.earlyStopping}`);
    if (validation && best)
      output.say(`Best: ${best.epoch === 0 ? 'as it began' : `epoch ${best.epoch}`}, by ${CHOSEN_BY}`);
    const judged = await judgeRun(run, device, sets, { batchSize });
    const never = neverPredicted((judged.validation ?? judged.training)?.classes ?? {});
    output.emit({ ...end, neverPredicted: never, ...(told && { told }) });
    await proveTraining({
      ...{ ...author, run: run.directory, event: isFineTuned ? 'fine-tune' : 'train', sets, judged },
      ...{ command: commandLine(), epochs: lastEpoch, bestEpoch: best?.epoch ?? null },
      choices: validation ? [{ what: 'Best epoch', by: CHOSEN_BY, on: validation.name }] : [],
    });
    await live?.finish(device);
    if (options.profileKernels) {
      const profiled = await model.profile(flows.training);
      const pictures = Math.min(batchSize, flows.training.sampleCount);
      output.emit({ event: 'profile', batch: pictures, ...profiled });
      output.say();
      for (const line of profileLines(profiled, pictures)) output.say(line);
    }
    const grouped = groupBy ? ` --group-by ${quoted(groupBy.source)}` : '';
    const sameSplit = split === undefined ? '' : ` --split ${split} --seed ${seed}${grouped}`;
    if (told) output.say(`Pictures of other kinds that were told as unknown: ${strangersInWords(told)}`);
    const hasOwn = splits.test !== null || splits.validationFrom !== 'held back';
    sayWhatNext(output, run, validation && hasOwn ? quoted(directory) + sameSplit : 'FOLDER');
    if (never.length > 0) noteNeverPredicted(never, classNames, (validation ?? training).name, options.classWeight);
    noteSkipped(validation ? [training, validation] : [training]);
    return 0;
  });
}

/** What there is to train on and with what it begins, before anything is decoded. */
export async function planInSteps(
  directory: string,
  options: TrainOptions,
  fold: Fold | null,
  config: Readonly<Record<string, unknown>> | null,
) {
  const augmentation = augmentationOf(options);
  const splits = await openTrainingSplits(directory, options, fold);
  const { classNames, files } = splits.training;
  const { batch, epochs, lr: learningRate, warmup, stepsPerEpoch = Math.ceil(files.length / batch) } = options;
  const rates = scheduleOf(options.schedule, { learningRate, epochs, stepsPerEpoch, warmup });
  const recipe = {
    ...{ size: options.size, interpolation: options.resize, rescale: options.rescale, normalize: options.normalize },
    ...{ augmentation, learningRate: rates, optimizer: options.optimizer },
    ...{ weightDecay: options.weightDecay, labelSmoothing: options.labelSmoothing },
  };
  const start = await startOf(options, classNames, recipe, config);
  return { splits, start, recipe, augmentation, stepsPerEpoch };
}

function whatIsKept(run: Run, epoch: number): string {
  return epoch === 0 && !existsSync(run.path('last'))
    ? `no model was written yet (${run.directory})`
    : `${run.path('last')} is the model after epoch ${epoch}`;
}

/** What comes of classes that are rare, or of a training that has not begun to learn. */
function noteNeverPredicted(
  never: readonly string[],
  classNames: readonly string[],
  data: string,
  weight: ClassWeight,
): void {
  const found = classNames.filter((name) => !never.includes(name));
  const weigh = weight === 'none' ? ', with --class-weight balanced' : '';
  note(
    (found.length === 1
      ? `warning: the model takes every picture of ${data} for '${found[0]}', so it has learned nothing that tells the classes apart`
      : `warning: the model takes no picture of ${data} for ${never.map((name) => `'${name}'`).join(' or ')}, though there are some`) +
      `; train longer, with another --lr${weigh}, or on more pictures of ${never.length === 1 ? 'that class' : 'those classes'}`,
  );
}

/** @param data what to evaluate on, as arguments of the command */
function sayWhatNext(output: Output, run: Run, data: string): void {
  const model = quoted(run.path('best'));
  output.say();
  output.say(`Model:   ${run.path('best')}`);
  output.say(`Config:  ${run.path('config')}`);
  output.say(`Results: ${run.path('results')}`);
  output.say();
  output.say(`Evaluate it:  beltnet evaluate ${model} ${data}`);
  output.say(`Use it:       beltnet predict ${model} PICTURE...`);
}
