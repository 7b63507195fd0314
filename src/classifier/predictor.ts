/** What a model says about batches of pictures, before anybody judges: probabilities, and how unlike its training they are. */
import { UsageError } from '../errors.js';
import type { Batches } from '../nn/training/batches.js';
import { input } from '../nn/input.js';
import { Concatenate } from '../nn/layers/merging.js';
import { Model } from '../nn/model.js';
import { applyNodes, takeWeights } from '../nn/reuse.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { NotANumberError } from '../errors.js';
import type { Device } from '../tensor/device.js';
import { guardOf } from './base/guard.js';
import { unlikeOf, type UnlikeOfLayer } from './base/unlike-section.js';
import { unlikeness } from './base/unlike.js';
import { faultLimitsOf, type FaultLimits } from './picture-faults.js';
import { classProbabilities, type Prediction } from './verdict.js';
import { watchFaults } from './watched-batches.js';

export class Predictor {
  readonly #model: Model;
  readonly #units: number;
  readonly #unlike: UnlikeOfLayer | null;
  readonly #limits: FaultLimits | null;
  readonly #ownsModel: boolean;

  private constructor(
    model: Model,
    units: number,
    unlike: UnlikeOfLayer | null,
    limits: FaultLimits | null,
    ownsModel: boolean,
  ) {
    this.#model = model;
    this.#units = units;
    this.#unlike = unlike;
    this.#limits = limits;
    this.#ownsModel = ownsModel;
  }

  /**
   * @param model compiled
   * @param name of the model, for messages
   * @throws ModelFileError when what the file says of unknown pictures does not fit the model
   */
  static async of(model: Model, info: ModelInfo, device: Device, name: string): Promise<Predictor> {
    const guard = guardOf(info, model, name);
    const unlike = unlikeOf(info, model, guard, name);
    const limits = faultLimitsOf(info, name);
    if (unlike === null) return new Predictor(model, model.units, null, limits, false);
    const both = unlike.layer === null ? await withGuard(model, guard) : await withValue(model, unlike.layer);
    both.compile({ device, loss: 'meanSquaredError' }); // nothing is trained
    return new Predictor(both, model.units, unlike, limits, true);
  }

  async predict(batches: Batches): Promise<Prediction[]> {
    const all: Prediction[] = [];
    await this.each(batches, (index, prediction) => (all[index] = prediction));
    return all;
  }

  /** The same of any number of pictures, none of which is kept. @param onEach takes each picture's as soon as it is there */
  async each(batches: Batches, onEach: (index: number, prediction: Prediction) => void): Promise<void> {
    const watched = this.#limits && watchFaults(batches, this.#limits);
    await this.#model.predict(watched?.batches ?? batches, {
      onScores: (indices, scores) => {
        for (const [n, index] of indices.entries()) {
          const said = this.#read(scores.subarray(n * this.#model.units, (n + 1) * this.#model.units));
          onEach(index, { ...said, ...(watched && { faults: watched.takeFaults(index) }) });
        }
      },
    });
  }

  /**
   * The same of labelled pictures, with their mean loss, in one pass.
   * @returns as loss null where a picture's scores are no numbers, or where it is not computed beside how unlike pictures are
   */
  async judge(batches: Batches): Promise<{ predictions: Prediction[]; loss: number | null }> {
    if (this.#unlike) return { predictions: await this.predict(batches), loss: null };
    const predictions: Prediction[] = [];
    const onScores = (indices: Uint32Array, scores: Float32Array): void => {
      for (const [n, index] of indices.entries())
        predictions[index] = this.#read(scores.subarray(n * this.#units, (n + 1) * this.#units));
    };
    try {
      const { loss } = await this.#model.evaluate(batches, { onScores });
      return { predictions, loss };
    } catch (error) {
      if (!(error instanceof NotANumberError)) throw error;
      return { predictions: await this.predict(batches), loss: null }; // which pictures have no verdict is told one by one
    }
  }

  #read(row: Float32Array): Prediction {
    const [probabilities] = classProbabilities(row.subarray(0, this.#units), this.#units);
    return { probabilities, unlike: this.#unlike && unlikeness(this.#unlike, row.subarray(this.#units)) };
  }

  destroy(): void {
    if (this.#ownsModel) this.#model.destroy();
  }
}

/** A model that gives its scores and behind them the values of one of its layers: both in one pass. */
async function withValue(model: Model, layer: string): Promise<Model> {
  const inputs = input({ shape: model.inputShape });
  const values = applyNodes(model.nodes, inputs);
  const wanted = values[model.nodes.findLastIndex((node) => node.layer.name === layer) + 1];
  const outputs = new Concatenate().apply([values[values.length - 1], wanted]);
  const both = new Model({ inputs, outputs, seed: model.seed });
  await takeWeights(both, model);
  return both;
}

/** A model that gives its scores and behind them what its guard gives of the same pictures. */
async function withGuard(model: Model, guard: Model | null): Promise<Model> {
  if (guard === null) throw new UsageError('guard: expects one beside the model, got none');
  const inputs = input({ shape: model.inputShape });
  const [scores, values] = [model, guard].map(({ nodes }) => applyNodes(nodes, inputs)[nodes.length]);
  const both = new Model({ inputs, outputs: new Concatenate().apply([scores, values]), seed: model.seed });
  await takeWeights(both, model, await guard.getWeights());
  return both;
}
