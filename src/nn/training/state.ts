/** Where a training stands, as one value that goes out of a model and into another: resuming is built on it. */
import { type Check, expectObject, expectText, objectWith } from '../../expect.js';
import { NotANumberError, UsageError } from '../../errors.js';
import type { BoundOptimizer, Optimizer } from '../../optim/optimizer.js';
import type { ScheduleState } from '../../optim/schedules.js';
import { checkFinite, checkWeights, type NamedWeights, type ParameterArena } from '../parameters.js';
import { RunningMean, type RunningSums } from './figures.js';
import type { Steps } from './steps.js';

/** The part that is JSON. Random numbers are drawn by counter, so that counters are their whole state. */
export interface TrainingPosition {
  readonly seed: number;
  /** Updates done: optimizers and schedules count by them. */
  readonly updates: number;
  /** Batches trained on: dropout draws by them. */
  readonly draws: number;
  /** Epochs done. */
  readonly epoch: number;
  /** Steps done in the epoch after those … */
  readonly step: number;
  /** … and the sums of their figures. */
  readonly sums: RunningSums;
  /** Samples whose gradients wait for their update: see `accumulate`. */
  readonly gathered: number;
  readonly optimizer: { readonly name: string; readonly schedule: string; readonly state: ScheduleState };
}

/**
 * All that a training goes on from, bit for bit: its position, and arrays by name: `weights.conv2d.kernel` (and running statistics),
 * `optimizer.0.conv2d.kernel` for each slot, `gathered.conv2d.kernel` in the midst of an accumulation.
 */
export interface TrainingState {
  readonly position: TrainingPosition;
  readonly arrays: NamedWeights;
}

/** The counters of a compiled model. */
export interface Counters {
  updates: number;
  draws: number;
  epoch: number;
  /** Steps of the epoch that were queued on the device … */
  step: number;
  /** … how many of them have told their figures, and the sums of those. */
  told: number;
  running: RunningMean;
}

export const newCounters = (): Counters => ({
  updates: 0,
  draws: 0,
  epoch: 0,
  step: 0,
  told: 0,
  running: new RunningMean(),
});

/** What of a compiled model the state is made of. */
export interface StateOwner {
  readonly arena: ParameterArena;
  readonly bound: BoundOptimizer;
  readonly optimizer: Optimizer;
  readonly steps: Steps;
  readonly counters: Counters;
}

const prefixed = (prefix: string, arrays: NamedWeights): NamedWeights =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [prefix + name, array]));

/** @throws NotANumberError when the training is broken: such a state is nothing to go back to */
export async function readState(owner: StateOwner, seed: number): Promise<TrainingState> {
  const { arena, bound, optimizer, steps, counters } = owner;
  const { updates, draws, epoch, step, told } = counters;
  const { sums } = counters.running;
  const { schedule } = bound;
  const { gathered } = steps;
  // All is asked for before anything is waited for, so that it belongs to one moment while a training runs on.
  const [weights, untold, gatheredSums, ...slots] = await Promise.all([
    arena.read(),
    steps.lastMetrics(step - told),
    gathered?.sums.read(),
    ...bound.slots.map((slot) => slot.read()),
  ]);
  const running = new RunningMean(sums);
  for (const figures of untold) running.add(figures);
  const arrays: NamedWeights = {
    ...prefixed('weights.', weights),
    ...Object.assign({}, ...slots.map((slot, index) => prefixed(`optimizer.${index}.`, arena.split(slot)))),
    ...(gatheredSums && prefixed('gathered.', arena.split(gatheredSums))),
  };
  checkFinite(arrays, (message) => {
    throw new NotANumberError(`trainingState: ${message}; go back to an earlier state, with a smaller learning rate`);
  });
  return {
    position: {
      seed,
      updates,
      draws,
      epoch,
      step,
      sums: running.sums,
      gathered: gathered?.samples ?? 0,
      optimizer: { name: optimizer.name, schedule: schedule.name, state: schedule.state },
    },
    arrays,
  };
}

/**
 * Puts a state in place of the owner's.
 * @throws UsageError for the state of another optimizer; ShapeError for that of another network
 */
/** @throws UsageError unless it has the parts of a state */
export const expectState: Check = objectWith({
  arrays: expectObject,
  position: objectWith({ optimizer: objectWith({ name: expectText, schedule: expectText, state: expectObject }) }),
});

export function writeState(owner: StateOwner, { position, arrays }: TrainingState): void {
  const { arena, bound, optimizer, steps, counters } = owner;
  const { name, schedule, state } = position.optimizer;
  if (name !== optimizer.name || schedule !== bound.schedule.name)
    throw new UsageError(
      `restoreTrainingState: expects a training by ${optimizer.name} with the learning rate '${bound.schedule.name}', got one by ${name} ` +
        `with '${schedule}'; compile() with that, or take the weights alone by setWeights()`,
    );
  const part = (prefix: string): NamedWeights =>
    Object.fromEntries(
      Object.entries(arrays).flatMap(([key, array]) =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), array]] : [],
      ),
    );
  const weights = part('weights.');
  checkWeights(arena.parameters, weights);
  const slots = bound.slots.map((_, index) => part(`optimizer.${index}.`));
  for (const slot of slots) checkWeights(arena.trained, slot);
  const sums = position.gathered > 0 ? part('gathered.') : null;
  if (sums) checkWeights(arena.trained, sums);
  // Nothing was changed until here.
  arena.write(weights);
  for (const [index, slot] of bound.slots.entries()) slot.write(arena.join(slots[index]));
  steps.restoreGathered(sums && { samples: position.gathered, sums: arena.join(sums) });
  bound.schedule = { name: schedule, state };
  const { updates, draws, epoch, step } = position;
  Object.assign(counters, { updates, draws, epoch, step, told: step, running: new RunningMean(position.sums) });
}
