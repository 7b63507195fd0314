/** `beltnet train --find-lr`: rates that rise from step to step, the loss at each, and the rate to begin with. Leaves no run. */
import { UsageError } from '../../src/errors.js';
import {
  findLearningRate,
  recipeOf,
  trainingFlows,
  type Device,
  type RecipeOptions,
  type Splits,
} from '../../src/index.node.js';
import { loadAndReport, openCache } from '../terminal/data.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { count, type Output, showProgress } from '../terminal/output.js';
import { plot } from '../terminal/plot.js';
import type { Start } from '../terminal/start-of-training.js';
import type { TrainOptions } from '../terminal/training-flags.js';

interface Asked {
  readonly directory: string;
  readonly options: TrainOptions;
  readonly splits: Splits;
  readonly start: Start;
  readonly recipe: RecipeOptions;
  readonly device: Device;
  readonly output: Output;
}

/** @returns the exit code */
export async function findLearningRateCommand(asked: Asked): Promise<number> {
  const { directory, options, splits, start, recipe, device, output } = asked;
  const { plan } = start;
  const cache = openCache(options, [directory]);
  const loading = { ...plan.preparation.picture, onBad: options.onBad, workers: options.workers, cache };
  const training = await loadAndReport(splits.training, loading, output);
  const { training: batches, info } = await trainingFlows(plan, training, null, options.batch);
  const { result, stopCode } = await stopInOrder('Stopping after this step.', async (signal) => {
    await start.begin(training, device, cache, signal);
    return findLearningRate(
      {
        ...{ model: plan.model, batches, device, loss: plan.recipe.loss },
        optimizer: (learningRate) => recipeOf(info.classNames.length, { ...recipe, learningRate }).optimizer,
      },
      { signal, onProgress: (done, steps) => showProgress(() => `Rates ${done}/${steps}`) },
    ).catch((error: unknown) => {
      if (error === signal.reason) return null;
      throw error;
    });
  });
  if (result === null) return stopCode ?? 130;
  const { suggested, tried } = result;
  output.emit({ event: 'learningRate', suggested, tried });
  if (tried.length < 2)
    throw new UsageError(
      `--find-lr: expects a network that bears a step with a rate of 1e-6, got a loss that is no number`,
    );
  const least = tried.reduce((best, { smoothed }, at) => (smoothed < tried[best].smoothed ? at : best), 0);
  output.say(`Loss, smoothed, over ${count(tried.length, 'step')} with rising rates:`);
  const ends = [tried[0], tried[tried.length - 1]].map(({ learningRate }) => learningRate.toExponential(0));
  for (const line of plot(
    tried.map(({ smoothed }) => smoothed),
    { marked: least, ends: [ends[0], ends[1]] },
  ))
    output.say(line);
  output.say();
  output.say(
    suggested === null
      ? 'The loss fell at no rate, so there is nothing to suggest; look at the pictures and labels with `beltnet audit`.'
      : `Least at ${tried[least].learningRate.toPrecision(2)}; a tenth of it is a rate to begin with: --lr ${suggested.toPrecision(1)}`,
  );
  return 0;
}
