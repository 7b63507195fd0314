/** `beltnet train`: its help, and which of the trainings it is: in steps, on a base, on good pictures, several, or one to go on with. */
import { existsSync } from 'node:fs';
import { UsageError } from '../../src/errors.js';
import { launchedPlace, modelFileOf } from '../../src/index.node.js';
import { defineCommand } from '../terminal/command.js';
import { augmentationFlags } from '../terminal/common-flags.js';
import type { Fold } from '../terminal/data.js';
import { note, Output } from '../terminal/output.js';
import { configuredOptions, resumeOptions } from '../terminal/resume.js';
import { trainRepeatedly } from '../terminal/repeated-training.js';
import { checkedStart, isFrozen } from '../terminal/start-of-training.js';
import { trainingFlags as flags, type TrainOptions } from '../terminal/training-flags.js';
import { trainInSteps } from './train-in-steps.js';

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
    Network: ['network', 'base', 'baseLayer', 'baseSize', 'shard', 'versions', 'from', 'fineTune', 'force'],
    'Good pictures only': ['goodOnly', 'way', 'goodClass', 'falseAlarms'],
    'Unknown pictures': ['guard', 'coverage'],
    Training: [
      ...([
        'epochs',
        'batch',
        'stepsPerEpoch',
        'validationSteps',
        'lr',
        'findLr',
        'schedule',
        'warmup',
        'optimizer',
      ] as const),
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
    'Several processes': ['distributed', 'syncEvery', 'stallSeconds'],
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
    'mpirun -n 4 beltnet train pictures --split 0.2 --distributed',
  ],
  run: async ([operand], asked, given) => {
    if (asked.distributed) {
      const { trainDistributed } = await import('./train-distributed.js');
      return trainDistributed(operand, asked, given);
    }
    noteLonelyRanks();
    const { directory, options: configured } = await configuredOptions(operand, asked, given);
    const options = checkedStart(configured, given);
    if (options.shard && directory !== undefined) {
      const { keepFeaturesOfShard } = await import('./keep-features.js');
      return keepFeaturesOfShard(options.shard, directory, options);
    }
    const resumed = await resumeOptions(directory, options, given);
    if (resumed && isFrozen(resumed.options)) return resumeOnBase(resumed.run);
    if (resumed) return trainInSteps(resumed.directory, resumed.options, given, resumed, new Output(resumed.options));
    if (directory === undefined)
      throw new UsageError('train: expects the folder of the pictures, or --resume RUN to go on with a run');
    if (isFrozen(options) && options.dryRun)
      throw new UsageError('--dry-run: expected a training in steps; a head on a base takes seconds: train it');
    const isRepeated = options.repeats !== undefined || options.folds !== undefined;
    if (isRepeated && options.goodOnly)
      throw new UsageError('--repeats, --folds: expect classes to tell apart, got --good-only');
    if (isRepeated && !options.dryRun)
      return trainRepeatedly(options, (each, fold) => trainOnce(directory, each, given, new Output(each), fold));
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
  if (!isFrozen(options)) return trainInSteps(directory, options, given, null, output, fold);
  if (options.goodOnly) {
    const { trainGoodOnlyCommand } = await import('./train-good-only.js');
    return trainGoodOnlyCommand(directory, options, given, output);
  }
  const { trainOnBaseCommand } = await import('./train-on-base.js');
  return trainOnBaseCommand(directory, options, given, output, fold);
}

/** Several processes, each of which trains alone, are seldom meant. */
function noteLonelyRanks(): void {
  const place = launchedPlace(process.env);
  if (place && place.size > 1)
    note(
      `warning: ${place.launcher} has started ${place.size} processes, and each trains by itself; --distributed has them train together`,
    );
}

/** They are made in one go: such a run is done, or there is nothing to go on from. */
function resumeOnBase(run: string): number {
  const model = modelFileOf(run);
  if (!existsSync(model))
    throw new UsageError(`${run}: expects a run with a model, got none; train anew under another name`);
  note(`${run} is finished: ${model}`);
  return 0;
}
