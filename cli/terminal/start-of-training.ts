/**
 * Where a training begins: with initial weights (`--network`), with those of a model (`--from`), or on a base with a head that is
 * solved first (`--base`); and which of its layers are trained then (`--fine-tune`).
 */
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../../src/errors.js';
import {
  FINE_TUNING,
  freezeAllBut,
  keepFeatures,
  KNOWN_SECTIONS,
  loadNetwork,
  networks,
  openBase,
  openModelFile,
  planFrom,
  planOnBase,
  planTraining,
  solveHead,
  weightsHash,
  type BasePlanOptions,
  type Dataset,
  type Device,
  type FineTune,
  type Model,
  type NetworkName,
  type PictureCache,
  type TrainingOptions,
  type TrainingPlan,
} from '../../src/index.node.js';
import { augmentationFlags } from './common-flags.js';
import type { PictureRegion, PictureSize } from './options.js';
import { showProgress } from './output.js';

/** What of `train`'s options this file looks at. */
export interface StartOptions {
  readonly network: string | undefined;
  readonly base: string | undefined;
  readonly baseLayer: string | undefined;
  readonly baseSize: PictureSize | undefined;
  readonly versions: number | undefined;
  readonly from: string | undefined;
  readonly fineTune: FineTune | undefined;
  readonly goodOnly: boolean;
  readonly force: boolean;
  readonly guard: boolean;
  readonly resume: string | undefined;
  readonly seed: number;
  readonly alertClass: string | undefined;
  readonly roi: PictureRegion | undefined;
  readonly exif: boolean;
  readonly epochs: number;
  readonly lr: number;
}

/** A head on a base that stays as it is, or what good pictures look like to it: no step is made. */
export const isFrozen = ({ base, fineTune: layers }: Pick<StartOptions, 'base' | 'fineTune'>): boolean =>
  base !== undefined && layers === undefined;

const kebab = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Ways to begin, of which a training takes one. */
const STARTS = ['network', 'base', 'from', 'resume'] as const;
/** What a trained network brings with it. */
const OF_THE_MODEL = ['size', 'resize', 'rescale', 'normalize'] as const;
/** What has no meaning where no step is made: for a head on a base that stays as it is. */
const OF_STEPS = [
  ...['epochs', 'stepsPerEpoch', 'validationSteps', 'lr', 'optimizer', 'weightDecay', 'labelSmoothing', 'classWeight'],
  ...['earlyStopping', 'checkpointSeconds', 'profileKernels', 'schedule', 'warmup', 'holdBack', 'validateOnTest'],
] as const;

/** What decides between classes, which good pictures alone do not. */
const OF_CLASSES = ['network', 'from', 'fineTune', 'split', 'guard', 'coverage', 'alertClass'] as const;
/** What is said of good pictures alone. */
const OF_GOOD_ONLY = ['way', 'goodClass', 'falseAlarms'] as const;
/** Where good pictures alone are learned and no base is named. */
const DEFAULT_BASE = 'darknet-tiny';

/**
 * The options with what fine-tuning and good pictures alone take by default.
 * @param given names of the options that stand on the command line
 * @throws UsageError for options that do not go together
 */
export function checkedStart<Options extends StartOptions>(options: Options, given: readonly string[]): Options {
  const { from, fineTune, goodOnly } = options;
  const base = options.base ?? (goodOnly && options.resume === undefined ? DEFAULT_BASE : undefined);
  const starts = STARTS.filter((name) => given.includes(name));
  if (starts.length > 1)
    throw new UsageError(
      `${starts.map(kebab).join(' and ')}: a training begins in one way: expects one of ${STARTS.map(kebab).join(', ')}`,
    );
  const refuse = (names: readonly string[], by: string, why: string): void => {
    const superfluous = names.find((name) => given.includes(name));
    if (superfluous !== undefined) throw new UsageError(`--${by}: expects no ${kebab(superfluous)}, ${why}`);
  };
  if (goodOnly)
    refuse(
      [...OF_CLASSES, ...OF_STEPS],
      'good-only',
      'which is for classifiers; a fifth of the good pictures is held back, and no step is made; leave it out',
    );
  else if (options.resume === undefined) {
    const superfluous = OF_GOOD_ONLY.find((name) => given.includes(name));
    if (superfluous !== undefined)
      throw new UsageError(`${kebab(superfluous)}: is for --good-only, which was not given`);
  }
  if (base !== undefined) {
    refuse(
      OF_THE_MODEL,
      'base',
      'which the base brings with it; leave it out (--base-size sets the size of the pictures)',
    );
    if (fineTune === undefined)
      refuse(OF_STEPS, 'base', 'which is for networks that are trained in steps; leave it out, or add --fine-tune');
    if (fineTune !== undefined)
      refuse(['versions'], 'fine-tune', 'which is for a head alone; its steps augment the pictures anew each time');
    if (fineTune === undefined && options.versions === undefined)
      refuse(Object.keys(augmentationFlags), 'base', 'which is for augmented copies; leave it out, or add --versions');
  }
  if (from !== undefined)
    refuse([...OF_THE_MODEL, 'roi', 'exif'], 'from', 'which the model brings with it; leave it out');
  if (base === undefined && options.resume === undefined) {
    for (const name of ['baseLayer', 'baseSize', 'versions'])
      if (given.includes(name)) throw new UsageError(`${kebab(name)}: is for --base, which was not given`);
    if (from === undefined && fineTune !== undefined)
      throw new UsageError(
        '--fine-tune: expects trained weights to begin with; add --base darknet-tiny, or --from MODEL',
      );
  }
  if (options.guard && base !== undefined)
    throw new UsageError('--guard: is for networks without a base; one on a base tells unknown pictures by that');
  if (fineTune === undefined) return { ...options, base };
  return {
    ...options,
    epochs: given.includes('epochs') ? options.epochs : FINE_TUNING.epochs,
    lr: given.includes('lr') ? options.lr : FINE_TUNING.learningRate,
  };
}

/** A training as it is planned, before there are pictures. */
export interface Start {
  readonly plan: TrainingPlan;
  /** Whether it begins with trained weights, which may stay the best. */
  readonly isTrained: boolean;
  /** For config.json. */
  readonly config: object;
  /** Makes the weights with which it begins, where pictures are needed for that. */
  readonly begin: (
    training: Dataset,
    device: Device,
    cache: PictureCache | null,
    signal: AbortSignal,
  ) => Promise<unknown>;
}

type Recipe = Omit<TrainingOptions, 'alertClass' | 'region' | 'exif' | 'seed'>;

/**
 * @param recipe what is common to all ways to begin
 * @param before what config.json says of the run that is resumed; null for a new one
 */
export async function startOf(
  options: StartOptions,
  classNames: readonly string[],
  recipe: Recipe,
  before: Readonly<Record<string, unknown>> | null,
): Promise<Start> {
  const { seed, alertClass, roi: region, exif, fineTune } = options;
  const common = { ...recipe, seed, alertClass };
  const pictures = { region, exif };
  if (options.base !== undefined) return startOnBase(options, classNames, { ...common, ...pictures }, before);
  if (options.from === undefined) {
    const plan = planTraining(classNames, { ...common, ...pictures, ...(await networkFor(options.network)) });
    checkArchitecture(before, plan.model);
    return { plan, config: {}, isTrained: false, begin: () => Promise.resolve(true) };
  }
  const named = await openModelFile(options.from, { knownSections: KNOWN_SECTIONS });
  const from = { model: named.name, hash: await weightsHash(named.model), classes: named.info.classNames };
  checkSame(before, 'from', from);
  const plan = await planFrom(named, classNames, common);
  if (fineTune !== undefined) freezeAllBut(plan.model, fineTune);
  return { plan, config: { from }, isTrained: true, begin: () => Promise.resolve(true) };
}

/** A name of those that are known, or a file. */
async function networkFor(network: string | undefined): Promise<Pick<TrainingOptions, 'network'>> {
  if (network === undefined) return {};
  if (Object.hasOwn(networks, network)) return { network: network as NetworkName };
  if (!network.endsWith('.json'))
    throw new UsageError(
      `--network: expects ${Object.keys(networks).join(', ')}, or a file FILE.json, got '${network}'`,
    );
  return { network: await loadNetwork(network) };
}

async function startOnBase(
  { base: given = '', baseLayer, baseSize, fineTune }: StartOptions,
  classNames: readonly string[],
  common: BasePlanOptions,
  before: Readonly<Record<string, unknown>> | null,
): Promise<Start> {
  const base = await openBase(given, baseLayer === undefined ? undefined : [baseLayer]);
  checkSame(before, 'base', base);
  const plan = await planOnBase(base, classNames, { ...common, size: baseSize });
  if (fineTune !== undefined) freezeAllBut(plan.model, fineTune);
  return {
    plan,
    config: { base: { name: base.name, hash: base.hash, layers: base.featureLayers } },
    isTrained: true,
    begin: (training, device, cache, signal) =>
      solveHead(base, plan, training, device, {
        ...(cache && { keep: keepFeatures(cache, base) }),
        ...untilStopped(signal),
      }),
  };
}

/** Progress, and an end at the signal, in what is computed before there are steps. @throws the signal's reason */
export const untilStopped = (signal: AbortSignal) => ({
  onProgress: (done: number, total: number): void => {
    signal.throwIfAborted();
    showProgress(() => `Features ${done}/${total}`);
  },
  pause: async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  },
});

/** What the work gives; null where the signal ended it. */
export async function unlessStopped<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result | null> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** @throws UsageError where a run began with another network: the file that says it has changed */
function checkArchitecture(before: Readonly<Record<string, unknown>> | null, model: Model): void {
  if (before === null || isDeepStrictEqual(before['architecture'], JSON.parse(JSON.stringify(model.config())))) return;
  throw new UsageError(
    '--network: the run was begun with another network than it is now; train anew under another name',
  );
}

/** @throws UsageError where a run began with other weights */
function checkSame(
  before: Readonly<Record<string, unknown>> | null,
  what: 'base' | 'from',
  { hash }: { readonly hash: string },
): void {
  const earlier = (before?.[what] as { hash?: unknown } | undefined)?.hash;
  if (before === null || earlier === hash) return;
  throw new UsageError(
    `--${what}: the run was begun with weights of hash ${String(earlier).slice(0, 16)}…, got ${hash.slice(0, 16)}…: ` +
      'that file has changed since; train anew under another name',
  );
}
