/** The training of a run: after each epoch its models and figures are kept, and from time to time where it stands. */
import { NotANumberError } from '../errors.js';
import { expectFunction, expectObject, objectWith } from '../expect.js';
import type { Dataset } from '../data/dataset.js';
import { encodeModel } from '../formats/beltnet/model.js';
import type { Progress, TrainingCallback } from '../nn/training/events.js';
import type { Model } from '../nn/model.js';
import { whereItBroke, type BrokenLayer } from '../nn/where-it-broke.js';
import type { Device } from '../tensor/device.js';
import { CheckpointSpacing } from './checkpoint-spacing.js';
import { bestEpoch, type EpochRecord } from './epoch-record.js';
import type { Checkpoint, Run } from './run.js';
import type { TrainingFlows } from './training.js';
import { ValidationFigures } from './validation-figures.js';

export interface RunTrainingOptions {
  /** The last one. */
  readonly epochs: number;
  readonly stepsPerEpoch?: number | undefined;
  readonly validationSteps?: number | undefined;
  /** Whether the model as it begins is a trained one: it is judged as epoch 0 then, and may stay the best. Default false. */
  readonly startsTrained?: boolean;
  /** Epochs without a better one after which the training ends. Default: it does not. */
  readonly earlyStopping?: number | undefined;
  /**
   * Seconds between checkpoints, or as many as have them take 2 % of the time, where that is more; 0: after every step, whatever it
   * takes. Default: after every epoch and every 10 seconds within one.
   */
  readonly checkpointSeconds?: number | undefined;
  /** Whether the run has a file for TensorBoard, too. Default false. */
  readonly tensorboard?: boolean;
  /** Where an earlier process left the training; the model has that state already. */
  readonly resumed?: Checkpoint | null;
  /** Wraps the training's steps: where other ranks take part in them. */
  readonly around?: <Result>(fit: () => Promise<Result>) => Promise<Result>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** After the epoch's model was written. */
  readonly onModel?: (epoch: number) => void;
  /** After all of the epoch's files were written; `ends` when no other epoch follows. */
  readonly onEpoch?: (record: EpochRecord, ends: boolean) => void | Promise<void>;
}

export interface RunTraining {
  readonly run: Run;
  /** Compiled. */
  readonly model: Model;
  readonly device: Device;
  readonly flows: TrainingFlows;
  readonly validation: Dataset | null;
}

const expectTraining = objectWith({
  run: objectWith({ writeEpochs: expectFunction }),
  model: objectWith({ fit: expectFunction }),
  device: expectObject,
  flows: objectWith({ training: expectObject, info: expectObject }),
});

/**
 * Trains to the last epoch, until no epoch is better any more, or until the signal.
 * @returns the epochs so far, those of earlier processes included
 */
export async function trainRun(
  training: RunTraining,
  options: RunTrainingOptions,
): Promise<Pick<Checkpoint, 'epochs' | 'stoppedEarly'>> {
  expectTraining(training, 'trainRun: training');
  expectObject(options, 'trainRun: options');
  const { run, model, device, flows, validation } = training;
  const { resumed, signal } = options;
  const { info } = flows;
  const epochs: EpochRecord[] = [...(resumed?.epochs ?? [])];
  const progress = { epochs, stoppedEarly: resumed?.stoppedEarly ?? false };
  await run.writeEpochs(epochs); // those after the checkpoint are trained again
  if (options.tensorboard) await run.writeTensorboard(epochs);

  const judged = validation && new ValidationFigures(validation, info);
  const onScores = judged && ((indices: Uint32Array, scores: Float32Array) => judged.add(indices, scores));
  let kernelChoices = 0;
  let isSaved = true;
  const asked = options.checkpointSeconds;
  const spacing = new CheckpointSpacing(asked === undefined ? undefined : asked * 1000, performance.now());
  const save = async (): Promise<void> => {
    const start = performance.now();
    if (device.kernelChoices.size !== kernelChoices) await run.writeKernels(device.kernelChoices);
    kernelChoices = device.kernelChoices.size;
    sound = await model.trainingState();
    await run.writeCheckpoint({ state: sound, ...progress });
    isSaved = true;
    spacing.saved(start, performance.now());
  };
  let sound = resumed?.state ?? (await model.trainingState());

  const keep: TrainingCallback = async (event) => {
    if (event.type === 'step') {
      isSaved = false;
      options.onProgress?.(event);
      if (event.step < event.steps && spacing.isDue('step', performance.now()) && model.isWhole) await save();
    }
    if (event.type !== 'epoch') return undefined;
    const { type: _, model: __, ...log } = event;
    await add({ ...log, ...judged?.take() });
    return progress.stoppedEarly ? 'stop' : undefined;
  };
  const add = async (record: EpochRecord): Promise<void> => {
    isSaved = false;
    epochs.push(record);
    const best = bestEpoch(epochs);
    const isBest = best === record;
    const { earlyStopping = Infinity } = options;
    progress.stoppedEarly = best !== undefined && record.epoch - best.epoch >= earlyStopping;
    await run.writeModel(await encodeModel(model, info, { name: run.path('last'), hash: run.hash }), { isBest });
    options.onModel?.(record.epoch);
    await run.addEpoch(record);
    if (options.tensorboard) await run.addToTensorboard(record);
    if (spacing.isDue('epoch', performance.now())) await save();
    await options.onEpoch?.(record, progress.stoppedEarly || record.epoch === options.epochs);
  };

  const judgeStart = async (): Promise<void> => {
    const start = performance.now();
    const passing = { ...(signal && { signal }) };
    const scoring = { ...(onScores && { onScores }) };
    const { loss, accuracy } = await model.evaluate(flows.training, passing);
    const valued = flows.validation && (await model.evaluate(flows.validation, { ...passing, ...scoring }));
    await add({
      epoch: 0,
      seconds: (performance.now() - start) / 1000,
      learningRate: 0,
      loss,
      accuracy,
      ...judged?.take(),
      ...(valued && { valLoss: valued.loss, valAccuracy: valued.accuracy }),
    });
  };
  if (options.startsTrained && epochs.length === 0) {
    try {
      await judgeStart();
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return progress;
      throw error;
    }
  }
  const fit = {
    epochs: options.epochs,
    ...(signal && { signal }),
    ...(options.stepsPerEpoch !== undefined && { stepsPerEpoch: options.stepsPerEpoch }),
    ...(flows.validation && { validationData: flows.validation }),
    ...(options.validationSteps !== undefined && { validationSteps: options.validationSteps }),
  };
  const { around } = options;
  const fitting = { initialEpoch: model.epoch, callbacks: [keep], ...(onScores && { onValidationScores: onScores }) };
  const train = () => model.fit(flows.training, { ...fit, ...fitting });
  await (around ? around(train) : train()).catch(async (error: unknown) => {
    // The steps cannot be made again without the other ranks, which have met the same.
    if (!(error instanceof NotANumberError) || error.at === null || around) throw error;
    const broken = await whereItBroke({ model, device, batches: flows.training, fit, before: sound, at: error.at });
    throw broken === null ? error : new NotANumberError(`${error.message}; ${beganIn(broken)}`, error.at);
  });
  if (!isSaved) await save();
  return progress;
}

const beganIn = ({ layer, what }: BrokenLayer): string =>
  what === 'weights'
    ? `it began in the weights of layer '${layer}', which the step before made so`
    : `it began in what layer '${layer}' gave, whose weights were finite`;
