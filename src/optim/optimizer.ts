/** What `compile` expects of an optimizer: it works on all parameters at once, as one arena; its state goes in and out. */
import { received } from '../expect.js';
import { preview } from '../options.js';
import { UsageError } from '../errors.js';
import { clipInPlace } from '../kernels/update/scale-in-place.js';
import { sumOfSquaresKernel } from '../kernels/reduce/sum-of-squares.js';
import { launch, zeros, type Tensor } from '../tensor/tensor.js';
import { constant, type Schedule, type ScheduleState } from './schedules.js';

export interface Optimizer {
  readonly name: string;
  /** Its settings, for the run's configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Makes the state for an arena of parameters [n] and their gradients [n]. */
  bind(parameters: Tensor, gradients: Tensor): BoundOptimizer;
}

export interface BoundOptimizer {
  /** Puts what changes with each step (learning rate, corrections) on the device; `step` counts from 1. Not recorded. */
  prepare(step: number): void;
  /** Queues the update; part of the recorded step. */
  apply(): void;
  /** Tells a schedule that looks at it the loss of an epoch, that of validation if there is one. */
  observe(loss: number): void;
  /** The rate of a step, counted from 1. */
  learningRate(step: number): number;
  /** What it remembers of each parameter, each [n], 0 at first. */
  readonly slots: readonly Tensor[];
  /** What its schedule remembers. */
  schedule: { readonly name: string; readonly state: ScheduleState };
  destroy(): void;
}

/** Options that every optimizer takes. */
export interface OptimizerOptions {
  /** A positive number, or a schedule. */
  learningRate?: number | Schedule;
  /** Scales all gradients down when their common norm exceeds this (Keras' `global_clipnorm`). */
  globalClipNorm?: number;
}

/** Tensors of a bound optimizer. */
export interface OptimizerTensors {
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  /** State of the parameters' size, 0 at first. */
  readonly slots: readonly Tensor[];
  /** What `stepValues` gave for this step. */
  readonly step: readonly Tensor[];
}

export interface OptimizerDefinition {
  readonly name: string;
  readonly options: OptimizerOptions;
  /** The other settings. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly slots: number;
  /** Numbers that the update reads, a list for each tensor; `step` counts from 1. */
  readonly stepValues: (step: number, learningRate: number) => readonly (readonly number[])[];
  /** Queues the launches. */
  readonly update: (tensors: OptimizerTensors) => void;
}

/** @throws UsageError for a learning rate or a clipping norm that is not a positive number */
export function defineOptimizer({ name, options, config, slots, stepValues, update }: OptimizerDefinition): Optimizer {
  const { learningRate = 1e-3, globalClipNorm } = options;
  for (const [option, value] of Object.entries({ learningRate, globalClipNorm })) {
    if (typeof value === 'number' && !(value > 0 && value < Infinity))
      throw new UsageError(`${name}: ${option} expects a positive number, got ${preview(value)}`);
  }
  if (typeof learningRate !== 'number' && typeof (learningRate as Partial<Schedule> | null)?.at !== 'function')
    throw new UsageError(`${name}: learningRate expects a number or a schedule, got ${received(learningRate)}`);
  const schedule = typeof learningRate === 'number' ? constant(learningRate) : learningRate;
  return {
    name,
    config: {
      learningRate: typeof learningRate === 'number' ? learningRate : { name: schedule.name, ...schedule.config },
      ...config,
      ...(globalClipNorm !== undefined && { globalClipNorm }),
    },
    bind(parameters, gradients) {
      const { device, shape, size } = parameters;
      const state = Array.from({ length: slots }, () => zeros(device, shape));
      const step = stepValues(1, 1).map(({ length }) => zeros(device, [length]));
      const written = step.map(() => '');
      const squares = globalClipNorm === undefined ? null : zeros(device, []);
      return {
        slots: state,
        schedule: { name: schedule.name, state: schedule.initial },
        learningRate(count) {
          return schedule.at(count, this.schedule.state);
        },
        prepare(count) {
          stepValues(count, this.learningRate(count)).forEach((values, index) => {
            const key = values.join();
            if (written[index] === key) return; // a constant needs no write, and a write ends what is queued
            written[index] = key;
            step[index].write(Float32Array.from(values));
          });
        },
        apply() {
          if (squares && globalClipNorm !== undefined) {
            launch(sumOfSquaresKernel, [gradients], { scale: 1 }, [squares]);
            launch(clipInPlace, [squares], { size, limit: globalClipNorm }, [gradients]);
          }
          update({ parameters, gradients, slots: state, step });
        },
        observe(loss) {
          this.schedule = { name: schedule.name, state: schedule.observe(this.schedule.state, loss) };
        },
        destroy() {
          for (const item of [...state, ...step, squares]) item?.destroy();
        },
      };
    },
  };
}

/** @throws UsageError unless 0 ≤ value < 1 */
export function checkFraction(optimizer: string, options: Readonly<Record<string, number>>): void {
  for (const [option, value] of Object.entries(options)) {
    if (typeof value !== 'number' || !(value >= 0 && value < 1))
      throw new UsageError(`${optimizer}: ${option} expects a number from 0 up to 1, got ${preview(value)}`);
  }
}

/** @throws UsageError unless value > 0 */
export function checkPositive(optimizer: string, options: Readonly<Record<string, number>>): void {
  for (const [option, value] of Object.entries(options)) {
    if (typeof value !== 'number' || !(value > 0 && value < Infinity))
      throw new UsageError(`${optimizer}: ${option} expects a positive number, got ${preview(value)}`);
  }
}
