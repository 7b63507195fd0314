/** `beltnet search`: many trainings with values of a space, of which the best are trained longer, by any number of processes. */
import { createHash } from 'node:crypto';
import { join, relative, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { DataError, DiskError, NotANumberError, UsageError } from '../../src/errors.js';
import {
  hasReached,
  isRun,
  isTaken,
  leaveRun,
  noteFailedTrial,
  openSearch,
  openSplits,
  parseSpace,
  readTrial,
  readWholeFile,
  rungsOf,
  searchMethods,
  searchResult,
  trialName,
  trialsOfRung,
  trialValues,
  writeFileAtomically,
  type FileList,
  type Rung,
  type Search,
  type SearchResult,
  type Shard,
  type TrialEpochs,
  type TrialValue,
} from '../../src/index.node.js';
import { choice, defineCommand, flag, type Options } from '../terminal/command.js';
import { positive, probability } from '../terminal/common-flags.js';
import { filePath } from '../terminal/options.js';
import { count, note, Output, quietly, quoted, showProgress } from '../terminal/output.js';
import { free, plain, resumeOptions } from '../terminal/resume.js';
import { sayResult } from '../terminal/search-result.js';
import { shardFlag } from '../terminal/shards.js';
import { checkedStart } from '../terminal/start-of-training.js';
import { trainingFlags, type TrainOptions } from '../terminal/training-flags.js';
import { trainInSteps } from './train-in-steps.js';

/** Of the options of a training, those of which a search has its own, or that are for a training by itself. */
const {
  shard: _shard,
  split: _split,
  validateOnTest: _validateOnTest,
  earlyStopping: _earlyStopping,
  findLr: _findLr,
  versions: _versions,
  goodOnly: _goodOnly,
  way: _way,
  goodClass: _goodClass,
  falseAlarms: _falseAlarms,
  resume: _resume,
  resumeOrStart: _resumeOrStart,
  live: _live,
  profileKernels: _profileKernels,
  repeats: _repeats,
  folds: _folds,
  config: _config,
  dryRun: _dryRun,
  ...ofTrials
} = trainingFlags;

/** What of them is the same in all trials: who trains on what, and for how long. */
const FIXED = new Set<string>([
  ...[
    'groupBy',
    'holdBack',
    'epochs',
    'seed',
    'alertClass',
    'device',
    'threads',
    'workers',
    'out',
    'name',
    'quiet',
    'json',
  ],
  ...['checkpointSeconds', 'cache', 'cacheLimit', 'onBad', 'kernels', 'key', 'reproducible', 'tensorboard', 'force'],
]);

const flags = {
  space: flag(
    '<file>',
    'JSON: options of the training, each with its values: {"lr": {"from": 1e-4, "to": 1e-2, "scale": "log"}, "batch": [16, 32]}',
    filePath,
    {
      required: true,
    },
  ),
  trials: flag('<n>', 'trainings to begin', positive, { default: 16 }),
  method: choice('<name>', 'how values are drawn: evenly spread (Sobol), or at random', searchMethods),
  halving: flag(
    '<n>',
    'of the trials the best nth go on for n times as many epochs, and so on; 1: all are trained to the end',
    positive,
    {
      default: 3,
    },
  ),
  keep: flag(
    '<fraction>',
    'part of the pictures kept to judge the winner, where the data has none for a test',
    probability,
    {
      default: 0.2,
    },
  ),
  ...ofTrials,
  shard: shardFlag('begin with the trials of this share; what others have not begun is done all the same'),
};

export const command = defineCommand({
  operands: { '<dir>': 'the pictures, as for train; those of test/ or test_set/ judge, and choose nothing' },
  flags,
  groups: { Search: ['space', 'trials', 'method', 'halving', 'keep', 'shard', 'out', 'name'] },
  notes:
    'Each trial is an ordinary run in OUT/NAME, by default runs/search-…, where the same command line goes on with what is there. More processes\n' +
    'with the same command line, on this machine or on others with the same disk, share the work: values follow from seed and number of a trial, and\n' +
    'who is chosen from figures alone, so that the winner is the same to the bit. "beltnet report" makes a page of it (docs/scale.md).',
  examples: [
    'beltnet search belt --space space.json --trials 64 --epochs 27',
    'beltnet search belt --space space.json --trials 64 --shard auto --threads 1',
  ],
  async run([given], options, names) {
    const output = new Output(options);
    const refuse = (message: string): Error => new UsageError(message);
    const bytes = await readWholeFile(options.space, { what: 'a space to search', mostBytes: 2 ** 20, refuse });
    const space = parseSpace(Buffer.from(bytes).toString('utf8'), options.space);
    for (const { name } of space)
      if (!mayDiffer(name)) {
        const here = name.replace(/^--/, '').replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
        throw new UsageError(
          `${options.space}: expects options of the training that may differ, such as lr, batch, optimizer, zoom, got '${name}'` +
            (mayDiffer(here) ? `, which is called '${here}' here` : ''),
        );
      }
    const { trials, method, seed, epochs, halving } = options;
    const search: Search = {
      ...{ directory: given, space, trials, method, seed, epochs, halving },
      options: decisive(options),
    };
    const name = options.name ?? `search-${hashOf(search)}`;
    const directory = join(options.out, name);
    const searcher = new Searcher(directory, search, options, names);
    searcher.check();
    await openSearch(directory, search);
    const pictures = await picturesOf(given, directory, options);
    output.emit({ event: 'start', search: directory, trials, rungs: searcher.rungs });
    output.say(`Search: ${directory}`);
    output.say(`Pictures: ${pictures}`);
    const code = await searcher.run(pictures, output);
    if (code !== 0) return code;
    const result = await searchResult(directory);
    await writeFileAtomically(join(directory, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
    tell(result, directory, output);
    return 0;
  },
});

type SearchOptions = Options<typeof flags>;

const mayDiffer = (name: string): boolean => Object.hasOwn(ofTrials, name) && !FIXED.has(name);

/** Options that decide what the trials come to. */
function decisive(options: SearchOptions): Record<string, unknown> {
  const own = new Set(['space', 'trials', 'method', 'halving', 'shard', 'seed', 'epochs']);
  const kept = Object.entries(plain(options)).filter(([name]) => !own.has(name) && !free.has(name));
  return Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const hashOf = (search: Search): string =>
  createHash('sha256').update(JSON.stringify(search)).digest('hex').slice(0, 8);

/**
 * The pictures with some that judge: as they are where there are such, else a manifest of them that keeps some apart.
 * @throws DataError where nothing would choose
 */
async function picturesOf(given: string, directory: string, options: SearchOptions): Promise<string> {
  const { seed, groupBy, keep } = options;
  const { test, validation } = await openSplits(given, { seed, groupBy, holdBack: options.holdBack ?? 'auto' });
  if (test) {
    if (!validation)
      throw new DataError(`${given}: expects pictures that choose, got none; --hold-back 0.2 keeps some`);
    return given;
  }
  if (keep === 0) throw new UsageError('--keep: expects a part of the pictures that judges the winner, got 0');
  const divided = await openSplits(given, { seed, split: keep, groupBy });
  const line =
    (part: string) =>
    (list: FileList | null): string =>
      (list?.files ?? [])
        .map(({ path, label, group }) =>
          JSON.stringify({
            path: relative(directory, resolve(path)).replaceAll('\\', '/'),
            label: divided.training.classNames[label],
            ...(group !== undefined && { group }),
            split: part,
          }),
        )
        .join('\n');
  if (divided.training.array)
    throw new DataError(
      `${given}: expects pictures in files, or a practice set that has a part for a test, got neither`,
    );
  const path = join(directory, 'pictures.jsonl');
  const text = `${line('train')(divided.training)}\n${line('test')(divided.validation)}\n`;
  await writeFileAtomically(path, text); // the same bytes, whichever process writes them
  return path;
}

const SECONDS_BETWEEN_LOOKS = 0.3;

/** One of the processes that search together. */
class Searcher {
  readonly rungs: readonly Rung[];
  readonly #directory: string;
  readonly #search: Search;
  readonly #options: SearchOptions;
  readonly #given: readonly string[];

  constructor(directory: string, search: Search, options: SearchOptions, given: readonly string[]) {
    this.#directory = directory;
    this.#search = search;
    this.#options = options;
    this.#given = given;
    this.rungs = rungsOf(search.trials, search.epochs, search.halving);
  }

  /** Looks at the values of all trials before the first is begun. @throws UsageError */
  check(): void {
    for (let index = 0; index < this.#search.trials; index++) this.#optionsOf(index);
  }

  /** @returns the exit code: that of a trial which was stopped */
  async run(pictures: string, output: Output): Promise<number> {
    for (const [place, rung] of this.rungs.entries()) {
      const trials = await trialsOfRung(this.#directory, this.#search, place);
      const code = await this.#finish(place, rung, trials, pictures, output);
      if (code !== 0) return code;
      const reached = await Promise.all(trials.map(({ index }) => readTrial(this.#directory, index)));
      if (reached.every(({ epochs }) => epochs === null))
        throw new NotANumberError(
          `${this.#directory}: expects trials whose numbers stay finite, got none; try smaller rates`,
        );
      output.emit({ event: 'rung', epochs: rung.epochs, trials: trials.map(({ index }) => index) });
      output.say(
        `Rung ${place + 1} of ${this.rungs.length}: ${count(trials.length, 'trial')} with ${count(rung.epochs, 'epoch')}`,
      );
    }
    return 0;
  }

  /** Trains, or waits for others to train, what has not reached a rung. */
  async #finish(
    place: number,
    rung: Rung,
    trials: readonly TrialEpochs[],
    pictures: string,
    output: Output,
  ): Promise<number> {
    const isLast = place === this.rungs.length - 1;
    const order = inOrderOf(trials, this.#options.shard);
    for (;;) {
      const waiting: number[] = [];
      let took: number | null = null;
      for (const { index } of order) {
        if (await hasReached(this.#directory, await readTrial(this.#directory, index), rung, isLast)) continue;
        waiting.push(index);
        if (isTaken(this.#directory, index)) continue;
        took = index;
        break;
      }
      if (took !== null) {
        const code = await this.#train(took, rung.epochs, pictures, output);
        if (code !== 0) return code;
        continue;
      }
      if (waiting.length === 0) return 0;
      showProgress(() => `Waiting for ${waiting.map(trialName).join(', ')}`);
      await wait(SECONDS_BETWEEN_LOOKS * 1000);
    }
  }

  /** @returns the exit code, 0 also where another process was quicker */
  async #train(index: number, until: number, pictures: string, output: Output): Promise<number> {
    const run = join(this.#directory, trialName(index));
    const { options, given } = this.#optionsOf(index);
    const begins = !isRun(run);
    const silent = new Output({ silent: true });
    try {
      const resumed = begins ? null : await resumeOptions(pictures, { ...options, name: undefined, resume: run }, []);
      const own = resumed ? { ...resumed.options, ...hereOnly(options) } : options;
      const code = await quietly(() => trainInSteps(pictures, own, given, resumed, silent, null, null, until));
      if (code !== 0) return code;
    } catch (error) {
      if (error instanceof NotANumberError) await noteFailedTrial(this.#directory, index, error.message);
      else if (error instanceof DiskError && (isTaken(this.#directory, index) || begins === isRun(run))) {
        return 0; // another process was quicker
      } else throw named(error, index);
    } finally {
      leaveRun(run);
    }
    const { epochs } = await readTrial(this.#directory, index);
    const last = epochs?.at(-1);
    output.emit({ event: 'trial', trial: index, epochs: last?.epoch ?? 0, failed: epochs === null });
    output.say(
      `${trialName(index)}: ${epochs === null ? 'its numbers overflowed' : `epoch ${last?.epoch ?? 0}, validation ${last?.balancedAccuracy?.toFixed(4) ?? ''}`}`,
    );
    return 0;
  }

  /** The options of a trial's training. @throws UsageError for values that its flags refuse */
  #optionsOf(index: number): { options: TrainOptions; given: readonly string[] } {
    const values = trialValues(this.#search.space, { ...this.#search, index });
    try {
      const parsed = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, parsedAs(name, value)]));
      const all = [...this.#given.filter((name) => Object.hasOwn(ofTrials, name)), ...Object.keys(values)];
      const options = checkedStart({ ...NOTHING_ELSE, ...trainOptions(this.#options), ...parsed } as TrainOptions, all);
      if (options.base !== undefined && options.fineTune === undefined)
        throw new UsageError('--base: expects --fine-tune beside it: a head on a base has no epochs to search over');
      return {
        options: { ...options, out: this.#directory, name: trialName(index), quiet: false, json: false },
        given: all,
      };
    } catch (error) {
      throw named(error, index, JSON.stringify(values));
    }
  }
}

/** What a training by itself has, and a trial not. */
const NOTHING_ELSE = {
  ...{
    validateOnTest: false,
    findLr: false,
    goodOnly: false,
    resumeOrStart: false,
    live: false,
    profileKernels: false,
  },
  ...{ dryRun: false, falseAlarms: 0.01 },
};

function trainOptions(options: SearchOptions): object {
  return Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(ofTrials, name)));
}

/** What may differ from process to process. */
const hereOnly = ({ threads, workers, cache, cacheLimit }: TrainOptions) => ({
  ...{ cache, cacheLimit },
  ...(threads !== undefined && { threads }),
  ...(workers !== undefined && { workers }),
});

/** A value as its flag reads it from the command line. */
function parsedAs(name: string, value: TrialValue): unknown {
  const { argument, parser } = ofTrials[name as keyof typeof ofTrials] as {
    readonly argument?: string;
    readonly parser?: (option: string) => (text: string) => unknown;
  };
  const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (argument !== undefined && parser) return parser(option)(String(value));
  if (typeof value === 'boolean') return value;
  throw new UsageError(`${option}: expects true or false, got ${JSON.stringify(value)}`);
}

function named(error: unknown, index: number, values?: string): unknown {
  if (error instanceof UsageError)
    return new UsageError(`${trialName(index)}${values === undefined ? '' : ` (${values})`}: ${error.message}`, {
      cause: error,
    });
  return error;
}

/** Those of the shard first. */
function inOrderOf(trials: readonly TrialEpochs[], shard: Shard | undefined): TrialEpochs[] {
  if (!shard) return [...trials];
  const isOwn = (place: number): boolean => place % shard.of === shard.index;
  return [...trials.filter((_, place) => isOwn(place)), ...trials.filter((_, place) => !isOwn(place))];
}

function tell(result: SearchResult, directory: string, output: Output): void {
  output.emit({ event: 'end', ...result });
  sayResult(result, output);
  const { winner } = result;
  output.say(`Table: ${join(directory, 'result.json')}`);
  output.say(`Page:  beltnet report ${quoted(directory)}`);
  if (winner !== null) output.say(`Use it:  beltnet predict ${quoted(join(directory, trialName(winner)))} PICTURE...`);
  const failed = result.trials.filter((trial) => trial.failed).length;
  if (failed > 0) note(`note: the numbers of ${count(failed, 'trial')} overflowed: they count as the last`);
}
