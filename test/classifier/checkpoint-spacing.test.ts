/** Checkpoints take 2 % of a training's time, however quick its steps are and however long a checkpoint takes; by a clock of our own. */
import { expect, test } from 'vitest';
import { CheckpointSpacing } from '../../src/classifier/checkpoint-spacing.js';

interface Training {
  /** Milliseconds. */
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly checkpoint: number;
  readonly asked?: number;
}

/** An hour of steps: the part of it that checkpoints take but for the first, and the milliseconds from one to the next. */
function anHour({ step, stepsPerEpoch, checkpoint, asked }: Training): { part: number; gaps: number[] } {
  const spacing = new CheckpointSpacing(asked, 0);
  const starts: number[] = [];
  let now = 0;
  for (let done = 1; now < 3_600_000; done++) {
    now += step;
    if (!spacing.isDue(done % stepsPerEpoch === 0 ? 'epoch' : 'step', now)) continue;
    starts.push(now);
    spacing.saved(now, now + checkpoint);
    now += checkpoint;
  }
  return { part: ((starts.length - 1) * checkpoint) / now, gaps: starts.slice(1).map((start, n) => start - starts[n]) };
}

test.each<Training>([
  { step: 5, stepsPerEpoch: 10, checkpoint: 200 },
  { step: 5, stepsPerEpoch: 100_000, checkpoint: 200 },
  { step: 3000, stepsPerEpoch: 100, checkpoint: 5000 },
  { step: 20, stepsPerEpoch: 50, checkpoint: 190, asked: 1000 },
  { step: 20, stepsPerEpoch: 50, checkpoint: 190, asked: 1 },
])('%o', (training) => {
  const { part, gaps } = anHour(training);
  expect(part).toBeLessThanOrEqual(0.02);
  expect(gaps.length).toBeGreaterThan(10); // and there are some
});

test('what is asked for holds where it takes less; by default each epoch and every ten seconds', () => {
  const every = (training: Training) => new Set(anHour(training).gaps.map((gap) => Math.round(gap / 100)));
  expect(every({ step: 100, stepsPerEpoch: 1000, checkpoint: 10, asked: 60_000 })).toEqual(new Set([600]));
  expect(every({ step: 100, stepsPerEpoch: 30, checkpoint: 1 })).toEqual(new Set([30]));
  expect(every({ step: 100, stepsPerEpoch: 1e9, checkpoint: 1 })).toEqual(new Set([100]));
});

test('0: after every step, whatever it takes', () => {
  expect(anHour({ step: 100, stepsPerEpoch: 30, checkpoint: 100, asked: 0 }).gaps[7]).toBe(200);
});
