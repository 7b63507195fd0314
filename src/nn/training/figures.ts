/** Figures of many steps as one. */
import type { BatchMetrics } from './steps.js';

/** Size-weighted means over samples. */
export interface SetMetrics {
  readonly loss: number;
  readonly accuracy: number;
}

/** Sums of figures as JSON: what a running mean goes on from. */
export interface RunningSums {
  readonly loss: number;
  readonly correct: number;
  readonly samples: number;
}

export class RunningMean {
  #loss: number;
  #correct: number;
  samples: number;

  constructor({ loss, correct, samples }: RunningSums = { loss: 0, correct: 0, samples: 0 }) {
    this.#loss = loss;
    this.#correct = correct;
    this.samples = samples;
  }

  add({ loss, correct, samples }: BatchMetrics): void {
    this.#loss += loss * samples;
    this.#correct += correct;
    this.samples += samples;
  }

  get sums(): RunningSums {
    return { loss: this.#loss, correct: this.#correct, samples: this.samples };
  }

  get metrics(): SetMetrics {
    return { loss: this.#loss / this.samples, accuracy: this.#correct / this.samples };
  }
}
