/**
 * A training on the project's pictures, from its options to the finished run: `beltnet train` with other walls around it. Read it from
 * top to bottom.
 */
import {
  auditDatasets,
  basePreparation,
  bestEpoch,
  changedPictures,
  chooseDevice,
  checkMemory,
  classWeightsFor,
  configOfPlan,
  DataError,
  decodeBase,
  describeSet,
  describeTraining,
  encodeModel,
  FAULTS_SECTION,
  judgePredictions,
  judgeRun,
  learnFaults,
  pictureManifest,
  planTraining,
  predictionsTable,
  trainingFlows,
  trainOnBase,
  trainRun,
  UsageError,
  type Base,
  type Checkpoint,
  type Dataset,
  type Device,
  type EpochRecord,
  type JudgedSet,
  type PictureUse,
  type Progress,
  type Run,
} from '../../../src/index.js';
import { BASE, commandLine, flagsOf, isOnBase, recipeOf, type FullOptions } from './options.js';
import { isDivided, PICTURES } from './pictures.js';
import { configOf, epochsOf } from './runs.js';
import { recordEnd, versions } from './run-record.js';
import { divided, loadSets } from './sets.js';
import type { Session } from './session.js';

export interface ProjectTraining {
  readonly options: FullOptions;
  readonly run: Run;
  readonly signal: AbortSignal;
  /** Where an earlier page left it. */
  readonly checkpoint: Checkpoint | null;
  /** The first step is about to be made. */
  readonly onStart: () => void;
  readonly onStep: (progress: Progress) => void;
  readonly onEpoch: (record: EpochRecord) => void;
  /** The last epoch is done; what is left is judging. */
  readonly onTrained: () => void;
}

/** Whether it came to its end, rather than to the signal. */
export async function trainProject(session: Session, training: ProjectTraining): Promise<boolean> {
  const opened = await deviceFor(session, training);
  try {
    return await (isOnBase(training.options) ? trainHead : trainSteps)(session, training, opened);
  } finally {
    if (opened.isOwn) opened.device.destroy();
  }
}

interface OpenedDevice {
  readonly device: Device;
  /** For config.json. */
  readonly facts: object;
  /** Whether it was opened for this training. */
  readonly isOwn: boolean;
}

/** The page's device; another one where the bits must be the same everywhere, or those of an earlier choice of kernels. */
async function deviceFor(
  session: Session,
  { options, run }: Pick<ProjectTraining, 'options' | 'run'>,
): Promise<OpenedDevice> {
  const kernels = await run.read('kernels');
  if (!options.reproducible && !kernels) {
    const device = await session.device();
    const { reason, adapter } = session.choice;
    return { device, facts: { ...device.description, reason, adapter }, isOwn: false };
  }
  const choice = await chooseDevice(options.reproducible ? 'cpu' : session.choiceName);
  const device = await choice.open(
    options.reproducible
      ? { relaxedSimd: false }
      : { kernelChoices: JSON.parse(new TextDecoder().decode(kernels ?? undefined)) as Record<string, string> },
  );
  const reason = options.reproducible ? 'the same bits on every machine' : choice.reason;
  return { device, facts: { ...device.description, reason, adapter: choice.adapter }, isOwn: true };
}

const lineOf = ({ project }: Session, options: FullOptions): string =>
  commandLine(options, project.record.settings, isDivided(project));

async function trainSteps(
  session: Session,
  training: ProjectTraining,
  { device, facts }: OpenedDevice,
): Promise<boolean> {
  const { options, run, signal, checkpoint } = training;
  const { settings } = session.project.record;
  const { batchSize, epochs, seed } = options;
  const division = await divided(session, { seed, onBase: false });
  const { splits } = division;
  if (options.earlyStopping !== null && !splits.validation)
    throw new UsageError(
      'early stopping: expects pictures that may choose: 20 of each class, or some that are put aside for validation',
    );
  const plan = planTraining(splits.training.classNames, {
    ...recipeOf(options),
    ...{ network: options.network as 'mission', size: options.size, interpolation: 'nearest', rescale: 1 / 255 },
    ...{ seed, exif: settings.exif, alertClass: settings.alertClass ?? undefined },
    ...(settings.region && { region: settings.region }),
  });
  const { model } = plan;
  try {
    checkMemory(model, device.memoryBudget);
    const sets = await loadSets(session, division, plan.preparation.picture);
    signal.throwIfAborted();
    const { training: trained, validation, test } = sets;
    const audit = await auditDatasets(
      trained,
      [validation, test].filter((set) => set !== null),
    );
    const planned = await trainingFlows(plan, trained, validation, batchSize);
    const info = {
      ...planned.info,
      sections: { ...planned.info.sections, [FAULTS_SECTION]: await learnFaults(trained) },
    };
    const flows = { ...planned, info };
    const ofRun = { training: trained, validation, test };
    const manifest = await pictureManifest(ofRun);
    const changed =
      checkpoint &&
      changedPictures(new TextDecoder().decode((await run.read('pictures')) ?? new Uint8Array()), manifest);
    if (changed)
      throw new DataError(
        `${run.directory}: expects the pictures that it was begun with, got others: ${changed}; train anew on these`,
      );
    if (checkpoint) await checkDevice(run, facts);
    if (!checkpoint) {
      await run.writePictures(manifest);
      await run.writeAudit(audit);
      await run.writeConfig({
        ...{ ...versions(), started: new Date().toISOString() },
        ...describeTraining({
          ...{ directory: PICTURES, splits, sets: ofRun, audit, flows, plan, device: facts },
          chosen: options.earlyStopping === null ? [] : ['last epoch'],
        }),
        ...{ unlikeLayer: plan.unlikeLayer, fold: null, given: Object.keys(flagsOf(options, settings)) },
        options: {
          ...flagsOf(options, settings),
          holdBack: splits.holdBack,
          stepsPerEpoch: flows.training.stepsPerPass,
          validationSteps: flows.validation?.stepsPerPass ?? null,
        },
        ...configOfPlan(plan, info),
      });
    }
    const { optimizer, loss } = plan.recipe;
    const weights = options.balanceClasses && { classWeight: classWeightsFor('balanced', trained) };
    model.compile({ device, optimizer, loss, ...weights, metrics: ['accuracy'] });
    if (checkpoint) model.restoreTrainingState(checkpoint.state);
    signal.throwIfAborted();
    training.onStart();
    const result = await trainRun(
      { run, model, device, flows, validation },
      {
        ...{ epochs, signal, resumed: checkpoint, earlyStopping: options.earlyStopping ?? undefined },
        onProgress: training.onStep,
        onEpoch: training.onEpoch,
      },
    );
    const isDone = result.stoppedEarly || (result.epochs.at(-1)?.epoch ?? 0) >= epochs;
    if (!isDone) return false;
    training.onTrained();
    const judged = await judgeRun(run, device, ofRun, { batchSize });
    const { epochs: done } = result;
    await recordEnd(run, {
      ...{ sets: ofRun, judged, command: lineOf(session, options) },
      ...{ epochs: done.at(-1)?.epoch ?? 0, bestEpoch: bestEpoch(done)?.epoch ?? null },
    });
    return true;
  } finally {
    model.destroy();
  }
}

/** @throws UsageError for another device than the run's: its bits are not the same */
async function checkDevice(run: Run, facts: object): Promise<void> {
  const before = ((await configOf(run.files))['device'] ?? {}) as { name?: string };
  // Any number of threads gives the same bits.
  const told = (device: { kind?: string; name?: string; adapter?: unknown }): string =>
    JSON.stringify([device.kind, device.name?.replace(/, \d+ threads?|, 1 thread/, ''), device.adapter ?? null]);
  if (told(before) === told(facts)) return;
  throw new UsageError(
    `${run.directory}: was begun on ${before.name ?? 'another device'}, where alone its bits come again, got ${(facts as { name?: string }).name}; choose that device, or train anew`,
  );
}

/** The best model's verdicts on what there is, of a training that was ended before its last epoch. */
export async function judgeStopped(
  session: Session,
  { options, run }: Pick<ProjectTraining, 'options' | 'run'>,
): Promise<void> {
  const division = await divided(session, { seed: options.seed, onBase: false });
  const { settings } = session.project.record;
  const preparation = {
    ...{ size: options.size, interpolation: 'nearest' as const, exif: settings.exif },
    ...(settings.region && { region: settings.region }),
  };
  const { training, validation, test } = await loadSets(session, division, preparation);
  const sets = { training, validation, test };
  const { device, isOwn } = await deviceFor(session, { options, run });
  try {
    const judged = await judgeRun(run, device, sets, { batchSize: options.batchSize });
    const epochs = await epochsOf(run.files);
    const done = epochs.at(-1)?.epoch ?? 0;
    await recordEnd(run, {
      ...{ sets, judged, command: lineOf(session, { ...options, epochs: done }) },
      ...{ epochs: done, bestEpoch: bestEpoch(epochs)?.epoch ?? null },
    });
  } finally {
    if (isOwn) device.destroy();
  }
}

let base: Promise<Base> | null = null;

/** The base that ships with beltnet, fetched when it is first asked for. @throws DataError when it cannot be */
export function openBase(): Promise<Base> {
  base ??= (async () => {
    const url = new URL('../../../bases/darknet-tiny.safetensors', import.meta.url);
    const response = await fetch(url).catch((error: unknown) => error as Error);
    if (response instanceof Error || !response.ok)
      throw new DataError(
        `${BASE}: expects its file beside the page, got ${response instanceof Error ? response.message : `the answer ${response.status}`}; reload the page once while the server can be reached`,
      );
    return decodeBase(new Uint8Array(await response.arrayBuffer()), BASE);
  })();
  base.catch(() => (base = null)); // tried again when it is asked for again
  return base;
}

/** A head on the base: no step is made. */
async function trainHead(
  session: Session,
  training: ProjectTraining,
  { device, facts }: OpenedDevice,
): Promise<boolean> {
  const { options, run, signal } = training;
  const { settings } = session.project.record;
  const { seed } = options;
  const division = await divided(session, { seed, onBase: true });
  const opened = await openBase();
  const plan = {
    ...{ seed, exif: settings.exif, alertClass: settings.alertClass ?? undefined },
    ...(settings.region && { region: settings.region }),
  };
  const { picture } = basePreparation(opened, plan);
  const sets = await loadSets(session, division, picture);
  const validation = sets.validation ?? sets.test;
  const use: PictureUse = sets.validation ? 'validation' : 'test';
  const audit = await auditDatasets(sets.training, validation ? [validation] : []);
  signal.throwIfAborted();
  training.onStart();
  const tell = session.progress('features', sets.training.labels.length);
  const trained = await trainOnBase(opened, sets.training, device, {
    ...plan,
    onProgress: (done, total) => {
      signal.throwIfAborted();
      if (total === sets.training.labels.length) tell(done);
    },
    pause: async () => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      signal.throwIfAborted();
    },
  });
  tell(sets.training.labels.length);
  const { model, info } = trained;
  try {
    const ofRun: Partial<Record<PictureUse, Dataset>> = {
      training: sets.training,
      ...(validation && { [use]: validation }),
    };
    const judged: Partial<Record<PictureUse, JudgedSet>> = {};
    for (const [each, dataset] of Object.entries(ofRun))
      judged[each as PictureUse] = judgePredictions(await trained.predict(dataset), dataset, info);
    training.onTrained();
    await run.writeConfig({
      ...{ ...versions(), started: new Date().toISOString() },
      data: {
        ...{ directory: PICTURES, layout: sets.splits.layout, training: describeSet(sets.training) },
        ...{ validation: validation && describeSet(validation), audited: audit.sets },
      },
      alert: info.alert,
      base: { name: opened.name, hash: opened.hash, layers: opened.featureLayers },
      device: facts,
      given: Object.keys(flagsOf(options, settings)),
      options: { ...flagsOf(options, settings), ...(sets.splits.validationFrom === 'split' && { split: 0.15 }) },
      preprocessing: { ...info.preprocessing, size: picture.size },
      architecture: model.config(),
    });
    const manifest = await pictureManifest(ofRun);
    await run.writePictures(manifest);
    await run.writeAudit(audit);
    await run.writeEpochs([]);
    await run.writePredictions(predictionsTable(judged, info, manifest));
    await run.writeModel(await encodeModel(model, info, { name: run.path('best') }), { isBest: true }); // what makes a run whole
    await recordEnd(run, { sets: ofRun, judged, command: lineOf(session, options), epochs: null, bestEpoch: null });
    return true;
  } finally {
    model.destroy();
  }
}
