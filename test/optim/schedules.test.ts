/** Schedules against PyTorch 2.13's; its counting of patience is one off Keras', which ours follows. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { scheduleOf } from '../../src/classifier/recipe.js';
import {
  constant,
  cosineDecay,
  exponentialDecay,
  piecewiseConstantDecay,
  reduceOnPlateau,
  type Schedule,
  warmUp,
} from '../../src/optim/schedules.js';

const rates = (schedule: Schedule, steps: number): number[] =>
  Array.from({ length: steps }, (_, i) => schedule.at(i + 1, schedule.initial));
/** Largest difference of the two lists; NaN when one is longer. */
const difference = (got: readonly number[], expected: readonly number[]): number =>
  got.length === expected.length ? Math.max(...got.map((rate, i) => Math.abs(rate - expected[i]))) : Number.NaN;

describe('schedules', () => {
  test('constant', () => expect(rates(constant(0.5), 3)).toEqual([0.5, 0.5, 0.5]));

  // StepLR(step_size=3, gamma=0.5)
  test('step decay', () =>
    expect(
      difference(
        rates(exponentialDecay({ initialLearningRate: 0.1, decaySteps: 3, decayRate: 0.5, staircase: true }), 10),
        [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125],
      ),
    ).toBeLessThan(1e-12));

  // ExponentialLR(gamma=0.9)
  test('exponential decay', () =>
    expect(
      difference(
        rates(exponentialDecay({ initialLearningRate: 0.1, decaySteps: 1, decayRate: 0.9 }), 8),
        [0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969],
      ),
    ).toBeLessThan(1e-12));

  // MultiStepLR(milestones=[3, 6], gamma=0.1)
  test('piecewise constant', () =>
    expect(
      difference(
        rates(piecewiseConstantDecay({ boundaries: [2, 5], values: [0.1, 0.01, 0.001] }), 9),
        [0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001],
      ),
    ).toBeLessThan(1e-12));

  // SequentialLR([LinearLR(start_factor=0.1, total_iters=4), CosineAnnealingLR(T_max=6, eta_min=0.01)], [4])
  test('cosine with warm-up', () =>
    expect(
      difference(
        rates(
          cosineDecay({ initialLearningRate: 0.01, warmupTarget: 0.1, warmupSteps: 4, decaySteps: 6, alpha: 0.1 }),
          11,
        ),
        [0.01, 0.0325, 0.055, 0.0775, 0.1, 0.09397114317029975, 0.0775, 0.055, 0.0325, 0.01602885682970026, 0.01],
      ),
    ).toBeLessThan(1e-12));

  // ReduceLROnPlateau(factor=0.5, patience=1, threshold=1e-4, threshold_mode='abs')
  test('reduce on plateau', () => {
    const schedule = reduceOnPlateau({ learningRate: 0.1, factor: 0.5, patience: 2 });
    let state = schedule.initial;
    const losses = [1, 0.9, 0.9, 0.89995, 0.91, 0.8, 0.85, 0.85, 0.85, 0.85, 0.85, 0.85];
    expect(
      difference(
        losses.map((loss, i) => {
          const rate = schedule.at(i + 1, state);
          state = schedule.observe(state, loss);
          return rate;
        }),
        [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125],
      ),
    ).toBeLessThan(1e-12);
  });

  test('reduce on plateau waits for its cooldown, and stops at the smallest rate', () => {
    const schedule = reduceOnPlateau({
      ...{ learningRate: 1, factor: 0.5, patience: 1, cooldown: 2, minLearningRate: 0.4 },
    });
    let state = schedule.initial;
    const after = [1, 1, 1, 1, 1, 1].map((loss) => {
      state = JSON.parse(JSON.stringify(schedule.observe(state, loss))); // as a file brings it back
      return schedule.at(1, state);
    });
    expect(after).toEqual([1, 0.5, 0.5, 0.4, 0.4, 0.4]);
  });

  test('refuse what cannot be meant', () => {
    expect(() => exponentialDecay({ initialLearningRate: 0, decaySteps: 1, decayRate: 0.9 })).toThrow(
      'exponentialDecay: initialLearningRate expects a positive number, got 0',
    );
    expect(() => piecewiseConstantDecay({ boundaries: [1], values: [1] })).toThrow('one value more than boundaries');
    expect(() => reduceOnPlateau({ factor: 1 })).toThrow('factor expects a number below 1, got 1');
  });
});

describe('a warm-up', () => {
  // LinearLR(start_factor=1/5, total_iters=4) is 0.2, 0.4, 0.6, 0.8 of the rate, and then the rate.
  test('rises in a line to the first rate, and then the schedule begins', () => {
    const warmed = warmUp(exponentialDecay({ initialLearningRate: 1, decaySteps: 1, decayRate: 0.5 }), { steps: 4 });
    expect(difference(rates(warmed, 7), [0.2, 0.4, 0.6, 0.8, 1, 0.5, 0.25])).toBeLessThan(1e-12);
  });

  test('a plateau counts in it as ever', () => {
    const warmed = warmUp(reduceOnPlateau({ learningRate: 1, patience: 1 }), { steps: 2 });
    const after = warmed.observe(warmed.observe(warmed.initial, 1), 2);
    expect(warmed.at(3, after)).toBeCloseTo(0.1, 12);
  });
});

describe('schedules by name', () => {
  const of = (name: Parameters<typeof scheduleOf>[0], warmup = 0): number[] => {
    const schedule = scheduleOf(name, { learningRate: 1, epochs: 4, stepsPerEpoch: 2, warmup });
    return rates(typeof schedule === 'number' ? constant(schedule) : schedule, 9);
  };

  test('end with the last step, or never', () => {
    expect(of('constant')).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1]);
    expect(of('plateau')).toEqual(of('constant'));
    // CosineAnnealingLR(T_max=8)
    const cosine = [1, 0.96194, 0.853553, 0.691342, 0.5, 0.308658, 0.146447, 0.03806, 0];
    expect(difference(of('cosine'), cosine)).toBeLessThan(1e-6);
    expect(of('step')).toEqual([1, 1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]);
    expect(of('exponential')[8]).toBeCloseTo(0.01, 12);
  });

  test('a warm-up takes its part of the epochs, and is refused where it would take all', () => {
    expect(difference(of('cosine', 1).slice(0, 3), [1 / 3, 2 / 3, 1])).toBeLessThan(1e-12);
    expect(of('cosine', 1)[8]).toBeCloseTo(0, 12);
    expect(() => of('cosine', 4)).toThrow(UsageError);
  });
});
