/** What `compile` expects of an optimizer: it works on all parameters at once, as one arena. */
import type { Tensor } from '../tensor/tensor.js';

export interface Optimizer {
  readonly name: string;
  /** Its settings, for the run's configuration. */
  readonly config: Readonly<Record<string, number | string>>;
  /** Makes the state for an arena of parameters [n] and their gradients [n]. */
  bind(parameters: Tensor, gradients: Tensor): BoundOptimizer;
}

export interface BoundOptimizer {
  /** Puts what changes with each step (learning rate, corrections) on the device; `step` counts from 1. Not recorded. */
  prepare(step: number): void;
  /** Queues the update; part of the recorded step. */
  apply(): void;
  destroy(): void;
}
