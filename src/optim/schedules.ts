/** Learning rates that change while training, with Keras' names and formulas. Steps count from 1; formulas from 0, as Keras'. */
import { expectArray } from '../expect.js';
import { cos, pow } from '../tensor/exact-math.js';
import { UsageError } from '../errors.js';
import { checkNames, preview } from '../options.js';

/** What a schedule remembers from epoch to epoch, as JSON; most remember nothing. */
export type ScheduleState = Readonly<Record<string, number>>;

/** Functions of their arguments alone: whoever trains keeps the state. */
export interface Schedule {
  readonly name: string;
  /** Its settings, for the run's configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The state in which a training begins. */
  readonly initial: ScheduleState;
  /** The rate of step 1, 2, … */
  at(step: number, state: ScheduleState): number;
  /** The state after an epoch of this loss. */
  observe(state: ScheduleState, loss: number): ScheduleState;
}

/** @throws UsageError unless all values are positive numbers */
function positive(schedule: string, options: Readonly<Record<string, number>>): void {
  for (const [option, value] of Object.entries(options)) {
    if (typeof value !== 'number' || !(value > 0 && value < Infinity))
      throw new UsageError(`${schedule}: ${option} expects a positive number, got ${preview(value)}`);
  }
}

const formula = (name: string, config: Schedule['config'], rate: (step: number) => number): Schedule => ({
  name,
  config,
  initial: {},
  at: (step) => rate(step - 1),
  observe: (state) => state,
});

/** The same rate for ever: what a plain number means. */
export const constant = (learningRate: number): Schedule => formula('constant', { learningRate }, () => learningRate);

/** Keras' PiecewiseConstantDecay: `values[i]` up to and including step `boundaries[i]` (from 0), the last value after. */
export function piecewiseConstantDecay(options: {
  boundaries: readonly number[];
  values: readonly number[];
}): Schedule {
  checkNames('piecewiseConstantDecay', options, { boundaries: true, values: true });
  const { boundaries, values } = options;
  expectArray(boundaries, 'piecewiseConstantDecay: boundaries');
  expectArray(values, 'piecewiseConstantDecay: values');
  if (values.length !== boundaries.length + 1)
    throw new UsageError(
      `piecewiseConstantDecay: expects one value more than boundaries, got ${values.length} and ${boundaries.length}`,
    );
  if (boundaries.some((boundary, i) => i > 0 && !(boundary > boundaries[i - 1])))
    throw new UsageError(`piecewiseConstantDecay: boundaries expects rising steps, got ${boundaries.join(', ')}`);
  values.forEach((value, i) => positive('piecewiseConstantDecay', { [`values[${i}]`]: value }));
  return formula('piecewiseConstantDecay', options, (step) => {
    const index = boundaries.findIndex((boundary) => step <= boundary);
    return values[index < 0 ? boundaries.length : index];
  });
}

/** rate · decayRate^(step / decaySteps); with `staircase` the exponent is rounded down, which is step decay. */
export function exponentialDecay(options: {
  initialLearningRate: number;
  decaySteps: number;
  decayRate: number;
  staircase?: boolean;
}): Schedule {
  checkNames('exponentialDecay', options, {
    initialLearningRate: true,
    decaySteps: true,
    decayRate: true,
    staircase: true,
  });
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  positive('exponentialDecay', { initialLearningRate, decaySteps, decayRate });
  return formula('exponentialDecay', options, (step) => {
    const times = step / decaySteps;
    return initialLearningRate * pow(decayRate, staircase ? Math.floor(times) : times);
  });
}

/**
 * Half a cosine from the initial rate down to alpha times it over decaySteps (Loshchilov and Hutter, arXiv:1608.03983);
 * with `warmupTarget` first a straight line from the initial rate to the target over warmupSteps, then down from there.
 */
export function cosineDecay(options: {
  initialLearningRate: number;
  decaySteps: number;
  alpha?: number;
  warmupTarget?: number;
  warmupSteps?: number;
}): Schedule {
  checkNames('cosineDecay', options, {
    initialLearningRate: true,
    decaySteps: true,
    alpha: true,
    warmupTarget: true,
    warmupSteps: true,
  });
  const { initialLearningRate, decaySteps, alpha = 0, warmupTarget, warmupSteps = 0 } = options;
  positive('cosineDecay', { decaySteps, ...(warmupTarget === undefined ? { initialLearningRate } : { warmupTarget }) });
  if (!(initialLearningRate >= 0))
    throw new UsageError(
      `cosineDecay: initialLearningRate expects a number of at least 0, got ${preview(initialLearningRate)}`,
    );
  if (!(alpha >= 0 && alpha <= 1))
    throw new UsageError(`cosineDecay: alpha expects a number from 0 to 1, got ${preview(alpha)}`);
  const warming = warmupTarget === undefined ? 0 : warmupSteps;
  const top = warmupTarget ?? initialLearningRate;
  return formula('cosineDecay', options, (step) => {
    if (step < warming) return initialLearningRate + ((top - initialLearningRate) * step) / warming;
    const part = Math.min((step - warming) / decaySteps, 1);
    return top * (alpha + ((1 - alpha) * (1 + cos(Math.PI * part))) / 2);
  });
}

/**
 * Keras' ReduceLROnPlateau: times `factor` when the loss of an epoch (that of validation, if there is one) has not fallen
 * by minDelta for `patience` epochs; then none for `cooldown` epochs.
 */
export function reduceOnPlateau(
  options: {
    learningRate?: number;
    factor?: number;
    patience?: number;
    minDelta?: number;
    cooldown?: number;
    minLearningRate?: number;
  } = {},
): Schedule {
  checkNames('reduceOnPlateau', options, {
    learningRate: true,
    factor: true,
    patience: true,
    minDelta: true,
    cooldown: true,
    minLearningRate: true,
  });
  const { learningRate = 1e-3, factor = 0.1, patience = 10, minDelta = 1e-4 } = options;
  const { cooldown = 0, minLearningRate = 0 } = options;
  positive('reduceOnPlateau', { learningRate, factor, patience });
  if (factor >= 1) throw new UsageError(`reduceOnPlateau: factor expects a number below 1, got ${preview(factor)}`);
  return {
    name: 'reduceOnPlateau',
    config: { learningRate, factor, patience, minDelta, cooldown, minLearningRate },
    initial: { rate: learningRate, waited: 0, cooling: 0 },
    at: (_, { rate }) => rate,
    observe(state, loss) {
      const { rate, best = Infinity } = state; // JSON knows no infinity: at first there is no best
      const cooling = Math.max(0, state['cooling'] - 1);
      const waited = state['cooling'] > 0 ? 0 : state['waited'];
      if (loss < best - minDelta) return { rate, best: loss, waited: 0, cooling };
      if (cooling > 0) return { ...state, waited, cooling };
      if (waited + 1 < patience || rate <= minLearningRate) return { ...state, waited: waited + 1, cooling };
      return { ...state, rate: Math.max(rate * factor, minLearningRate), waited: 0, cooling: cooldown };
    },
  };
}

/**
 * A straight line up to the schedule's first rate over so many steps, and then the schedule (Goyal et al., arXiv:1706.02677).
 * @throws UsageError unless steps is a whole number from 0
 */
export function warmUp(schedule: Schedule, options: { steps: number }): Schedule {
  if (typeof (schedule as Partial<Schedule> | null)?.at !== 'function')
    throw new UsageError(`warmUp: expects a schedule, got ${typeof schedule}`);
  checkNames('warmUp', options, { steps: true });
  const { steps } = options;
  if (!(Number.isInteger(steps) && steps >= 0))
    throw new UsageError(`warmUp: steps expects a whole number from 0, got ${preview(steps)}`);
  return {
    name: schedule.name,
    config: { ...schedule.config, warmUpSteps: steps },
    initial: schedule.initial,
    at: (step, state) =>
      step <= steps ? (schedule.at(1, state) * step) / (steps + 1) : schedule.at(step - steps, state),
    observe: (state, loss) => schedule.observe(state, loss),
  };
}
