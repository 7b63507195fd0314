/**
 * Where in a network NaN or infinity began, after a training ended with it: the training is gone through again from a state before
 * that, to the same bits, up to the step that told it, whose layers are then looked at one by one.
 */
import { NotANumberError } from '../errors.js';
import { firstNotFinite } from '../expect.js';
import type { Device } from '../tensor/device.js';
import type { Model } from './model.js';
import { sizeOf } from '../tensor/shape.js';
import { tensor } from '../tensor/tensor.js';
import { renderBatch } from './training/batch-source.js';
import { changedBatches, type Batches } from './training/batches.js';
import type { FitOptions } from './training/fit.js';
import type { TrainingState } from './training/state.js';

export interface BrokenLayer {
  readonly layer: string;
  /** Of its weights one was no finite number before the step already, or all were and the layer's values were not. */
  readonly what: 'weights' | 'values';
}

export interface BrokenTraining {
  /** Compiled, in no training. It is left where the step begins. */
  readonly model: Model;
  readonly device: Device;
  readonly batches: Batches;
  /** As it was fitted. */
  readonly fit: Pick<FitOptions, 'stepsPerEpoch' | 'validationData' | 'validationSteps' | 'signal'>;
  /** Of this training, before it broke. */
  readonly before: TrainingState;
  readonly at: NonNullable<NotANumberError['at']>;
}

/** @returns null where all layers were sound, so that it was the loss; also for pictures that can be read only once */
export async function whereItBroke(broken: BrokenTraining): Promise<BrokenLayer | null> {
  const { model, batches, fit, before, at } = broken;
  const { stepsPerEpoch = batches.stepsPerPass } = fit;
  if (!(batches.pictures instanceof Uint8Array) && batches.pictures.forwardOnly) return null;
  model.restoreTrainingState(before);
  const { epoch, step } = before.position;
  const whole = at.epoch - 1; // epochs before the one that broke
  if (epoch < whole) await model.fit(batches, { ...fit, initialEpoch: epoch, epochs: whole });
  const first = whole * stepsPerEpoch;
  const begun = epoch === whole ? step : 0;
  if (at.step - 1 > begun) {
    // An epoch that ends before the step; its batches are those of the epoch that was.
    const count = at.step - 1;
    const part = changedBatches(batches, { batch: (index) => batches.batch(first + index - whole * count) });
    await model
      .fit(part, { ...signalOf(fit), initialEpoch: whole, epochs: at.epoch, stepsPerEpoch: count })
      .catch(unlessBroken);
  }
  if (fit.signal?.aborted) return null;
  return brokenLayer(broken, first + at.step - 1);
}

const signalOf = ({ signal }: Pick<FitOptions, 'signal'>): Pick<FitOptions, 'signal'> => (signal ? { signal } : {});

/** The last update may have left weights that are no numbers, which the end of an epoch tells: they are looked at next. */
function unlessBroken(error: unknown): void {
  if (!(error instanceof NotANumberError)) throw error;
}

const isFinite = (values: Float32Array): boolean => firstNotFinite(values) < 0;

async function brokenLayer({ model, device, batches }: BrokenTraining, index: number): Promise<BrokenLayer | null> {
  const weights = Object.entries(await model.getWeights());
  const pictures = await renderBatch(device, batches, index);
  const names = namesOfValues(model);
  const values = device.scope(() => {
    const x = tensor(device, pictures, [pictures.length / sizeOf(model.inputShape), ...model.inputShape]);
    const given = model.values(x, { of: names, training: true, logits: true });
    return names.map((name) => given[name]);
  });
  try {
    for (const [place, { layer }] of model.nodes.entries()) {
      const own = weights.filter(([name]) => name.startsWith(`${layer.name}.`));
      if (!own.every(([, { data }]) => isFinite(data))) return { layer: layer.name, what: 'weights' };
      if (!isFinite(await values[place].read())) return { layer: layer.name, what: 'values' };
    }
    return null;
  } finally {
    for (const value of new Set(values)) value.destroy();
  }
}

/** What `model.values` calls what each node gives: by its layer, and of layers that are used several times by the use. */
function namesOfValues({ nodes }: Model): string[] {
  const uses = nodes.map(({ layer }) => layer.name);
  return uses.map((name, at) => {
    const isShared = uses.indexOf(name) !== uses.lastIndexOf(name);
    return isShared ? `${name}:${uses.slice(0, at).filter((other) => other === name).length}` : name;
  });
}
