/** `beltnet train`: folder of pictures → network → a run with model, configuration and figures. Read it from top to bottom. */
import { existsSync } from 'node:fs';
import { DataError, UsageError } from '../../src/errors.js';
import {
  bestEpoch,
  bundledBases,
  changedPictures,
  checkFineTuning,
  checkMemory,
  CHOSEN_BY,
  classWeightsFor,
  FEWEST_TO_HOLD_BACK,
  HOLD_BACK,
  goodOnlyWays,
  judgeRun,
  FAULTS_SECTION,
  learnByGuard,
  learnFaults,
  learnUnknown,
  modelFileOf,
  neverPredicted,
  openBase,
  openRun,
  optimizerNames,
  pictureManifest,
  provenEpochs,
  proveTraining,
  readPictures,
  reopenRun,
  scheduleNames,
  scheduleOf,
  trainingFlows,
  strangersInWords,
  tellsUnknown,
  trainRun,
  unevenClasses,
  type ClassWeight,
  type FineTune,
  type GoodOnlyWay,
  type Run,
  type ToldStrangers,
} from '../../src/index.node.js';
import { noteAlertClass } from '../terminal/alert.js';
import { augmentationOf } from '../terminal/augmentation.js';
import { choice, defineCommand, toggle, flag, type Options } from '../terminal/command.js';
import {
  above0,
  augmentationFlags,
  batchFlag,
  cacheFlags,
  deviceFlags,
  onBadFlag,
  pictureFlags,
  positive,
  seedFlag,
  splitFlags,
  workersFlag,
} from '../terminal/common-flags.js';
import {
  describeClasses,
  describeParts,
  describeSet,
  loadAndReport,
  noteSkipped,
  openCache,
  openTrainingSplits,
  type Fold,
} from '../terminal/data.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { epochLine, ProgressLine } from '../terminal/epoch-log.js';
import { sayPlan } from '../terminal/dry-run.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { profileLines } from '../terminal/kernel-profile.js';
import { openLive } from '../terminal/live.js';
import {
  anyText,
  classWeight,
  factor,
  fineTune,
  folder,
  folderName,
  numberWhere,
  oneOf,
  pictureSize,
  shearNote,
  shearRange,
  wholeNumber,
} from '../terminal/options.js';
import { count, note, noteLeftovers, Output, quoted, showProgress } from '../terminal/output.js';
import { authorOf, commandLine, keyFlag } from '../terminal/proof.js';
import { checkDevice, configuredOptions, isFinished, resumeOptions, type Resumed } from '../terminal/resume.js';
import { trainRepeatedly } from '../terminal/repeated-training.js';
import { checkedStart, startOf, unlessStopped, untilStopped } from '../terminal/start-of-training.js';
import { versions } from '../version.js';
import { noteFindings } from './audit.js';

const part = (name: string) => numberWhere(name, 'a number from 0 to below 1', (given) => given >= 0 && given < 1);

const rate = (name: string) => numberWhere(name, 'a number above 0 and below 1', (given) => given > 0 && given < 1);

/** Below this many pictures a network that is trained from scratch is mostly worse than a head on a base (docs/base.md). */
const FEW_PICTURES = 1000;

const flags = {
  ...pictureFlags,
  rescale: flag('<factor>', 'factor on the pixel values 0 to 255: a number or a fraction', factor, {
    default: 1 / 255,
    written: '1/255',
  }),
  ...splitFlags('part of the pictures kept for validation, where the data is not divided'),
  holdBack: flag(
    '<fraction>',
    `part of the training pictures that chooses the best epoch, where there is neither val/ nor --split; 0 for none (default: ${HOLD_BACK} where each class has ${FEWEST_TO_HOLD_BACK})`,
    part,
  ),
  validateOnTest: toggle(
    'have the pictures of test/ or test_set/ choose: what evaluate says of them is no evidence then',
  ),
  batch: batchFlag,
  epochs: flag('<n>', 'epochs to train', positive, { default: 25 }),
  stepsPerEpoch: flag('<n>', 'steps an epoch (default: one pass over the pictures)', positive),
  validationSteps: flag('<n>', 'validation steps an epoch (default: one pass)', positive),
  normalize: choice('<how>', "centre and divide by the deviation: of each picture, or of the set's channels", [
    'none',
    'samplewise',
    'featurewise',
  ]),
  lr: flag('<rate>', 'learning rate', above0, { default: 0.001 }),
  schedule: choice(
    '<name>',
    'how the rate changes: cosine falls to 0, step to a tenth at half and again at three quarters, exponential to a hundredth, plateau to a tenth when 5 epochs were no better',
    scheduleNames,
  ),
  warmup: flag(
    '<epochs>',
    'epochs in which the rate rises to --lr, such as 0.5',
    (name) => numberWhere(name, 'a number from 0', (given) => given >= 0),
    { default: 0 },
  ),
  optimizer: choice('<name>', 'what makes steps of gradients; sgd has momentum 0.9', optimizerNames),
  weightDecay: flag(
    '<part>',
    'of adamW: so much of each weight, times the rate, is taken off each step (default: 0.004)',
    part,
  ),
  labelSmoothing: flag('<part>', 'part of each label that is given to all classes alike', part, { default: 0 }),
  classWeight: flag<ClassWeight>(
    '<weights>',
    'how much pictures of a class count: none, balanced (rare classes as much as frequent ones), or gap=5,ok=1',
    classWeight,
    { default: 'none', written: 'none' },
  ),
  earlyStopping: flag('<epochs>', 'end after so many epochs without a better one on the validation pictures', positive),
  seed: seedFlag('decides initial weights, order, augmentation and split'),
  network: flag(
    '<name>',
    "the network to train from scratch: mission (default), small, medium, or a file of Keras' JSON (a model, or a list of layers)",
    anyText,
  ),
  base: flag(
    '<name>',
    'start from a trained network (darknet-tiny, or a model file) and train a head on its features',
    anyText,
  ),
  baseLayer: flag('<name>', "layer of the base whose means are the features (default: the base's own choice)", anyText),
  baseSize: flag('<WxH>', "size of the pictures for the base (default: the base's own)", pictureSize),
  from: flag(
    '<model>',
    "begin with a model's weights, its size and preparation of pictures (a file, or a run); classes may be added",
    anyText,
  ),
  fineTune: flag<FineTune | undefined>(
    '<n|all>',
    'of --base or --from: train the last n layers and the head on, with --lr 3e-5 and batch normalization frozen, and keep the best on held-back pictures',
    fineTune,
  ),
  goodOnly: toggle('learn from good pictures alone what they look like; docs/good-only.md'),
  way: flag<GoodOnlyWay | undefined>(
    '<name>',
    'of --good-only: scene (default; things that move or lie anyhow) or fixed-camera (camera and object stand still)',
    (name) => oneOf(name, goodOnlyWays),
  ),
  goodClass: flag(
    '<name>',
    'of --good-only: the good one of the class folders (default: good, ok, normal, …)',
    anyText,
  ),
  falseAlarms: flag('<rate>', 'of --good-only: share of good pictures that may raise the alarm', rate, {
    default: 0.01,
  }),
  guard: toggle(
    'keep the shipped base beside the network: it tells pictures of other kinds than those of the training, for some milliseconds a picture',
  ),
  coverage: flag(
    '<part>',
    'part of pictures like those of the training that are not to be called unknown (default: 0.99)',
    (name) => numberWhere(name, 'a part above 0 and at most 1, such as 0.99', (given) => given > 0 && given <= 1),
  ),
  force: toggle('fine-tune on fewer than 100 pictures of a class, too'),
  alertClass: flag('<name>', 'class that raises the alert (default: the second by name)', anyText),
  ...deviceFlags,
  workers: workersFlag,
  out: flag('<dir>', 'folder of all runs', folder, { default: 'runs', written: 'runs' }),
  name: flag('<name>', 'name of this run; an existing run is never overwritten (default: a new one)', folderName),
  resume: flag(
    '<run>',
    'go on with this run, with its own options, to the same bits as if it had never stopped; --epochs may grow',
    folder,
  ),
  resumeOrStart: toggle('resume the run of --name where there is one, else start it: for supervisors'),
  checkpointSeconds: flag(
    '<s>',
    'how often it is kept where the training stands (default: after each epoch and every 10 s, but at most 2% of the time)',
    (name) => numberWhere(name, 'a number from 0', (given) => given >= 0),
  ),
  ...cacheFlags,
  onBad: onBadFlag,
  kernels: flag(
    '<file>',
    'kernels.json of an earlier run: its choice of WGSL variants, for the same bits (hardware adapters try and choose)',
    anyText,
  ),
  key: keyFlag,
  reproducible: toggle(
    'the same weights, bit for bit, on every machine and in browsers: the cpu device without fused multiply-add (docs/proof.md)',
  ),
  live: toggle('serve the report on this machine while the training goes on, and write RUN/report.html at its end'),
  profileKernels: toggle("after the training, the time of a step's kernels, FLOP/s, bytes/s, share of peak"),
  repeats: flag('<n>', 'train with so many seeds, a run each, and say mean and range of the figures', positive),
  folds: flag(
    '<k>',
    'train k times, each with another kth of the training pictures for validation (groups together)',
    (name) => wholeNumber(name, 2, 100),
  ),
  config: flag(
    '<file|run>',
    'take the options of this config.json or run, and its pictures, unless others are given here',
    anyText,
  ),
  tensorboard: toggle("write an event file of TensorBoard's into the run: tensorboard --logdir runs"),
  dryRun: toggle('say what would be trained on what, and which files would be written; nothing is'),
  quiet: toggle('no words but warnings and errors'),
  json: toggle('one JSON object a line on stdout: start, each epoch, profile, end (docs/training.md)'),
  ...augmentationFlags,
};

export const command = defineCommand({
  operands: {
    '[dir]':
      'training_set/ or train/ beside test_set/, test/ or val/, each with the class folders; or the class folders (see --split); ' +
      'or a manifest (.csv or .jsonl: path,label[,group,split]); or a practice set (MNIST, CIFAR, .npy, .npz)',
  },
  flags,
  groups: {
    Pictures: [
      ...[
        'size',
        'resize',
        'roi',
        'exif',
        'rescale',
        'normalize',
        'alertClass',
        'onBad',
        'workers',
        'cache',
        'cacheLimit',
      ],
    ] as (keyof typeof flags)[],
    'What trains, and what chooses': ['split', 'groupBy', 'holdBack', 'validateOnTest', 'seed'],
    Network: ['network', 'base', 'baseLayer', 'baseSize', 'from', 'fineTune', 'force'],
    'Good pictures only': ['goodOnly', 'way', 'goodClass', 'falseAlarms'],
    'Unknown pictures': ['guard', 'coverage'],
    Training: [
      ...(['epochs', 'batch', 'stepsPerEpoch', 'validationSteps', 'lr', 'schedule', 'warmup', 'optimizer'] as const),
      ...(['weightDecay', 'labelSmoothing', 'classWeight', 'earlyStopping'] as const),
    ],
    Augmentation: Object.keys(augmentationFlags) as (keyof typeof augmentationFlags)[],
    'The run': [
      'out',
      'name',
      'resume',
      'resumeOrStart',
      'checkpointSeconds',
      'repeats',
      'folds',
      'tensorboard',
      'config',
      'dryRun',
      'key',
    ],
    Device: ['device', 'threads', 'kernels', 'reproducible', 'profileKernels'],
    Output: ['quiet', 'json', 'live'],
  },
  notes:
    'Writes after each epoch RUN/last.safetensors, RUN/best.safetensors (by balanced accuracy, then loss, on the validation pictures: val/,\n' +
    'or what --split or --hold-back keeps; without any it is the last), RUN/results.csv, RUN/events.jsonl; and RUN/config.json.\n' +
    'Pictures of test/ or test_set/ are for evaluate: they are only looked at for copies of training pictures.',
  examples: [
    'beltnet train belt --epochs 10 --horizontal-flip --alert-class gap',
    'beltnet train pictures --base darknet-tiny --split 0.2',
    'beltnet train pictures --split 0.2 --shear 12deg --zoom 0.2 --name first',
    'beltnet train pictures --base darknet-tiny --fine-tune 3',
    'beltnet train good_pictures --good-only',
    'beltnet train pictures --schedule cosine --warmup 0.5 --class-weight balanced --dry-run',
    'beltnet train --config runs/first --seed 1',
    'beltnet train --resume runs/first',
  ],
  run: async ([operand], asked, given) => {
    if (asked.goodOnly && operand !== undefined) {
      const { trainGoodOnlyCommand } = await import('./train-good-only.js');
      return trainGoodOnlyCommand(operand, asked, given);
    }
    const { directory, options: configured } = await configuredOptions(operand, asked, given);
    const options = checkedStart(configured, given);
    const resumed = await resumeOptions(directory, options, given);
    if (resumed && isFrozen(resumed.options)) return resumeOnBase(resumed.run);
    if (resumed) return train(resumed.directory, resumed.options, given, resumed, new Output(resumed.options));
    if (directory === undefined)
      throw new UsageError('train: expects the folder of the pictures, or --resume RUN to go on with a run');
    if (!isFrozen(options) && !options.dryRun && (options.repeats !== undefined || options.folds !== undefined))
      return trainRepeatedly(options, (each, fold) => train(directory, each, given, null, new Output(each), fold));
    if (isFrozen(options) && options.dryRun)
      throw new UsageError('--dry-run: expected a training in steps; a head on a base takes seconds: train it');
    return trainOnce(directory, options, given, new Output(options));
  },
});

/** A new training. @param given names of the options that stand on the command line */
export async function trainOnce(
  directory: string,
  options: TrainOptions,
  given: readonly string[],
  output: Output,
  fold: Fold | null = null,
): Promise<number> {
  if (!isFrozen(options)) return train(directory, options, given, null, output, fold);
  const { trainOnBaseCommand } = await import('./train-on-base.js');
  return trainOnBaseCommand(directory, options, given, output);
}

/** A head on a base that stays as it is: no step is made. */
const isFrozen = ({ base, fineTune: layers }: TrainOptions): boolean => base !== undefined && layers === undefined;

/** A head on a base is made in one go: such a run is done, or there is nothing to go on from. */
function resumeOnBase(run: string): number {
  const model = modelFileOf(run);
  if (!existsSync(model))
    throw new UsageError(`${run}: expects a run with a model, got none; train anew under another name`);
  note(`${run} is finished: ${model}`);
  return 0;
}

export type TrainOptions = Options<typeof flags>;

/** Whether a run that has made its last step has learned what tells unknown pictures, too, and left its card and its record. */
const isComplete = async ({ run, config, options, checkpoint }: Resumed<TrainOptions>): Promise<boolean> =>
  (((config['unlikeLayer'] ?? null) === null && !options.guard) || (await tellsUnknown(modelFileOf(run)))) &&
  (await provenEpochs(run)) === checkpoint?.state.position.epoch;

/** The part of a cross-validation that a run is; null for others. */
export const foldOfRun = ({ fold }: Readonly<Record<string, unknown>>): Fold | null => (fold ?? null) as Fold | null;

/**
 * @param given names of the options that stand on the command line
 * @param resumed the run to go on with; null for a new one
 * @returns the exit code
 */
async function train(
  directory: string,
  options: TrainOptions,
  given: readonly string[],
  resumed: Resumed<TrainOptions> | null,
  output: Output,
  fold: Fold | null = resumed ? foldOfRun(resumed.config) : null,
): Promise<number> {
  const { batch: batchSize, epochs, split, groupBy, profile, seed, validateOnTest } = options;
  const author = authorOf(options);
  const augmentation = augmentationOf(options);
  if (resumed && isFinished(resumed, epochs) && (await isComplete(resumed))) {
    const { run, checkpoint } = resumed;
    const done = checkpoint?.state.position.epoch ?? 0;
    output.emit({ event: 'end', run, epochs: done, interrupted: false, finished: true });
    output.say(`${run} is finished, after ${count(done, 'epoch')}`);
    return 0;
  }

  // What there is to train on, before anything is decoded
  const splits = await openTrainingSplits(directory, options, fold);
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
  const { classNames, files } = splits.training;
  const { lr: learningRate, warmup, stepsPerEpoch = Math.ceil(files.length / batchSize) } = options;
  const rates = scheduleOf(options.schedule, { learningRate, epochs, stepsPerEpoch, warmup });
  const recipe = {
    ...{ size: options.size, interpolation: options.resize, rescale: options.rescale, normalize: options.normalize },
    ...{ augmentation, learningRate: rates, optimizer: options.optimizer },
    ...{ weightDecay: options.weightDecay, labelSmoothing: options.labelSmoothing },
  };
  const start = await startOf(options, classNames, recipe, resumed?.config ?? null);
  const { plan } = start;
  const { model } = plan;
  const { size } = plan.preparation.picture;
  const { optimizer, loss } = plan.recipe;
  return withDevice(options, async (device, facts) => {
    checkMemory(model, device.memoryBudget);
    if (resumed) checkDevice(resumed, facts);
    if (options.dryRun) {
      sayPlan({
        output,
        splits,
        plan,
        stepsPerEpoch,
        epochs,
        run: options.name ?? resumed?.run ?? null,
        out: options.out,
        facts,
      });
      return 0;
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
      data: {
        directory,
        layout: splits.layout,
        training: describeSet(training),
        validation: validation && describeSet(validation),
        test: test && describeSet(test),
        audited: audit.sets,
      },
      chosen: validation && {
        what: [
          'best epoch',
          ...(options.earlyStopping === undefined ? [] : ['last epoch']),
          ...(options.schedule === 'plateau' ? ['learning rate'] : []),
        ],
        ...{ by: CHOSEN_BY, on: splits.validationFrom, pictures: validation.labels.length },
      },
      classes: flows.training.classIndices,
      alert: info.alert,
      parameters: model.countParameters(),
      device: facts,
    };
    const write = async (): Promise<void> => {
      await run.writePictures(manifest);
      await run.writeAudit(audit);
      await run.writeConfig(config);
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
      preprocessing: { ...info.preprocessing, size },
      augmentation,
      optimizer: { name: optimizer.name, ...optimizer.config },
      loss: { name: loss.name, ...loss.config },
      architecture: model.config(),
    };
    const written = checkpoint ? run.writeConfig({ ...config, started: resumed?.config['started'] }) : write();
    written.catch(() => {}); // awaited below: the disk works while the weights are made
    const weights = options.classWeight !== 'none' && { classWeight: classWeightsFor(options.classWeight, training) };
    model.compile({ device, optimizer, loss, ...weights, metrics: ['accuracy'] });
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
          epochs,
          signal,
          resumed: checkpoint,
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
