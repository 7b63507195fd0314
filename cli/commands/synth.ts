/** `beltnet synth`: pictures of a belt to practise on. */
import { synthesize } from '../../src/index.node.js';
import { defineCommand, flag } from '../terminal/command.js';
import { seedFlag } from '../terminal/common-flags.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { pictureSize, wholeNumber } from '../terminal/options.js';
import { count, Output, quoted, showProgress } from '../terminal/output.js';

const MOST_PICTURES = 200_000;

export const command = defineCommand({
  operands: { '<dir>': 'new folder for training_set/ and test_set/' },
  flags: {
    count: flag('<n>', 'pictures in all', (name) => wholeNumber(name, 4, MOST_PICTURES), { default: 800 }),
    size: flag('<WxH>', 'width and height of each', pictureSize, {
      default: { width: 320, height: 240 },
      written: '320x240',
    }),
    seed: seedFlag('same seed, same pictures'),
  },
  examples: ['beltnet synth belt --count 800 --size 320x240 --seed 0'],
  async run([directory], options) {
    const { result, stopCode } = await stopInOrder(
      'Stopping; the unfinished pictures are taken away.',
      async (signal) => {
        try {
          return await synthesize(directory, {
            count: options.count,
            seed: options.seed,
            ...options.size,
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
  },
});
