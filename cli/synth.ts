/** `beltnet synth`: pictures of a belt to practise on. */
import { synthesize } from '../src/index.node.js';
import type { PictureSize } from './options.js';
import { count, Output, quoted, showProgress } from './terminal.js';

export interface SynthOptions {
  readonly count: number;
  readonly size: PictureSize;
  readonly seed: number;
}

/** @returns the exit code */
export async function synth(directory: string, options: SynthOptions): Promise<number> {
  await synthesize(directory, {
    ...{ count: options.count, seed: options.seed, ...options.size },
    onProgress: (done: number, total: number) => showProgress(() => `Making pictures ${done}/${total}`),
  });
  const output = new Output();
  output.say(
    `${count(options.count, 'picture')} of a belt are in ${directory}: class 'ok' is well filled, 'gap' has a gap.`,
  );
  output.say(`Train on them:  beltnet train ${quoted(directory)} --epochs 10 --alert-class gap`);
  return 0;
}
