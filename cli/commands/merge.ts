/** `beltnet merge`: shards become what one process would have told. */
import { UsageError } from '../../src/errors.js';
import { openShards } from '../../src/index.node.js';
import { defineCommand, toggle, type Options } from '../terminal/command.js';
import type { ShardFile } from '../../src/index.node.js';
import { formFlags } from './predict.js';

const flags = { ...formFlags, strict: toggle('of audit: exit code 11 when there is a problem or a warning') };

/** By the command whose shards they are; what each needs is loaded when it is asked for. */
const merges: Readonly<
  Record<string, (shards: readonly ShardFile[], options: Options<typeof flags>) => Promise<number>>
> = {
  predict: async (...given) => (await import('./predict.js')).mergePredictions(...given),
  evaluate: async (...given) => (await import('./evaluate.js')).mergeEvaluation(...given),
  audit: async (...given) => (await import('./audit.js')).mergeAudit(...given),
  decode: async (...given) => (await import('./decode.js')).mergeDecoded(...given),
};

export const command = defineCommand({
  operands: { '<shards...>': 'folders with shards, or their files (shard-0-of-8.jsonl …)' },
  flags,
  notes:
    'Shards are joined when all are there, each once, and all of one piece of work: the same command, options, model, files and kind of\n' +
    'device. Output and exit code are those of one process. --csv and --exit-code are for shards of predict.',
  examples: ['beltnet merge shards/ --csv > predictions.csv'],
  async run(paths, options) {
    const shards = await openShards(paths);
    const { command: name } = shards[0].head;
    const merge = merges[name];
    if (!Object.hasOwn(merges, name))
      throw new UsageError(`${shards[0].name}: expects shards of ${Object.keys(merges).join(', ')}, got ${name}`);
    if (name !== 'predict' && (options.csv || options.exitCode))
      throw new UsageError(`merge: --csv and --exit-code are for shards of predict, got shards of ${name}`);
    if (name !== 'audit' && options.strict)
      throw new UsageError(`merge: --strict is for shards of audit, got shards of ${name}`);
    return merge(shards, options);
  },
});
