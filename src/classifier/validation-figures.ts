/** What an epoch's model says of the validation pictures, as figures: of the scores that `fit` has computed already. */
import type { Dataset } from '../data/dataset.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { figuresOf } from './alarm-figures.js';
import type { EpochRecord } from './epoch-record.js';
import { balancedAccuracy } from './figures/confusion.js';
import { classProbabilities, judge } from './verdict.js';

type JudgedFigures = Required<Pick<EpochRecord, 'balancedAccuracy' | 'alertPictures' | 'missedAlerts'>> &
  Pick<EpochRecord, 'rocAuc'>;

export class ValidationFigures {
  readonly #dataset: Dataset;
  readonly #info: ModelInfo;
  /** By picture; none of those that this epoch did not look at. */
  readonly #probabilities: (readonly number[] | undefined)[];

  constructor(dataset: Dataset, info: ModelInfo) {
    this.#dataset = dataset;
    this.#info = info;
    this.#probabilities = Array.from({ length: dataset.labels.length });
  }

  /** @param scores what the model gives for the pictures `indices`: [n, units] */
  add(indices: Uint32Array, scores: Float32Array): void {
    for (const [n, row] of classProbabilities(scores, scores.length / indices.length).entries())
      this.#probabilities[indices[n]] = row;
  }

  /** The figures of an epoch, and nothing is left for the next. */
  take(): JudgedFigures {
    const { labels, files } = this.#dataset;
    const judged = [...this.#probabilities.keys()].filter((index) => this.#probabilities[index]);
    const verdicts = judged.map((index) =>
      judge({ probabilities: this.#probabilities[index] as readonly number[], unlike: null }, this.#info, files[index]),
    );
    this.#probabilities.fill(undefined);
    const { classes, alert } = figuresOf(
      judged.map((index) => labels[index]),
      verdicts,
      this.#info,
    );
    return {
      balancedAccuracy: balancedAccuracy(Object.values(classes).map(({ takenFor }) => Object.values(takenFor))),
      ...(alert.rocAuc !== null && { rocAuc: alert.rocAuc }),
      alertPictures: alert.pictures,
      missedAlerts: alert.missed,
    };
  }
}
