/** Schedules against PyTorch 2.13's; its counting of patience is one off Keras', which ours follows. */
import { describe, expect, test } from 'vitest';
import {
  constant,
  cosineDecay,
  exponentialDecay,
  piecewiseConstantDecay,
  reduceOnPlateau,
  type Schedule,
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
