/** The flags of `beltnet train`, their groups in its help, and the type of its options. */
/** `beltnet train`: folder of pictures → network → a run with model, configuration and figures. Read it from top to bottom. */
import {
  FEWEST_TO_HOLD_BACK,
  HOLD_BACK,
  goodOnlyWays,
  optimizerNames,
  scheduleNames,
  type ClassWeight,
  type FineTune,
  type GoodOnlyWay,
} from '../../src/index.node.js';
import { choice, toggle, flag, type Options } from './command.js';
import { shardFlag } from './shards.js';
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
} from './common-flags.js';
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
  wholeNumber,
} from './options.js';
import { keyFlag } from './proof.js';

const part = (name: string) => numberWhere(name, 'a number from 0 to below 1', (given) => given >= 0 && given < 1);

const rate = (name: string) => numberWhere(name, 'a number above 0 and below 1', (given) => given > 0 && given < 1);

export const trainingFlags = {
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
  findLr: toggle('try rates from 1e-6 to 1 in 100 steps, say which to begin with, and leave no run behind'),
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
  versions: flag(
    '<k>',
    'of --base: augmented copies of each picture from which the head learns, too (default: none: they gain less than chance does)',
    positive,
  ),
  shard: shardFlag('of --base: train nothing, but compute and keep the features of this share of the pictures'),
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
    'how often it is kept where the training stands, but for at most 2% of the time (default: after each epoch and every 10 s; 0: after every step)',
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
  dryRun: toggle(
    'say what would be trained on what, how long and with how much memory, and which files would be written; nothing is',
  ),
  quiet: toggle('no words but warnings and errors'),
  json: toggle('one JSON object a line on stdout: start, each epoch, profile, end (docs/training.md)'),
  distributed: toggle(
    'one of several processes that train together: mpirun -n 4 beltnet train … --distributed; same batches for any number (docs/scale.md)',
  ),
  syncEvery: flag(
    '<steps>',
    'of --distributed: so many steps by each process alone, then the mean of their weights: for slow networks, at some cost in accuracy',
    positive,
    { default: 1 },
  ),
  stallSeconds: flag('<s>', 'of --distributed: a process that waits longer for the others ends all', above0, {
    default: 120,
  }),
  ...augmentationFlags,
};

export type TrainOptions = Options<typeof trainingFlags>;
