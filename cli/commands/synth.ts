/** `beltnet synth`: pictures of a belt to practise on. */
import { synthesize } from '../../src/index.node.js';
import { stopInOrder } from '../terminal/interrupt.js';
import type { PictureSize } from '../terminal/options.js';
import { count, Output, quoted, showProgress } from '../terminal/output.js';

export interface SynthOptions {
  readonly count: number;
  readonly size: PictureSize;
  readonly seed: number;
}

/** @returns the exit code */
export async function synth(directory: string, options: SynthOptions): Promise<number> {
  const { result, stopCode } = await stopInOrder(
    'Stopping; the unfinished pictures are taken away.',
    async (signal) => {
      try {
        return await synthesize(directory, {
          ...{ count: options.count, seed: options.seed, ...options.size },
          onProgress: (done, total) => showProgress(() => `Making pictures ${done}/${total}`),
          signal,
        });
      } catch (error) {
        if (signal.aborted) return null;
        throw error;
      }
    },
  );
  if (!result) return stopCode ?? 1;
  const { training, test } = result;
  const output = new Output();
  output.say(
    `${count(options.count, 'picture')} of a belt, well filled (ok) or with a gap (gap), are in ${directory}:`,
  );
  output.say(
    `training_set/ has ${training.ok} ok and ${training.gap} gap, test_set/ ${test.ok} ok and ${test.gap} gap.`,
  );
  output.say(`Train on them:  beltnet train ${quoted(directory)} --epochs 10 --alert-class gap`);
  return 0;
}
