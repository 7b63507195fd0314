/** `beltnet predict`: what a model makes of pictures. One result a picture, sorted by path; bad files are named, never dropped. */
import { UsageError } from '../../src/errors.js';
import {
  csvLine,
  listPictures,
  loadClassifier,
  type FileClassification,
  type Shard,
  type ShardFile,
} from '../../src/index.node.js';
import { defineCommand, flag, toggle, type Options } from '../terminal/command.js';
import { batchFlag, deviceFlags, probability, workersFlag } from '../terminal/common-flags.js';
import { withDevice } from '../terminal/device.js';
import { filePath } from '../terminal/options.js';
import { count, fittingTable, note, Output, printable, showProgress } from '../terminal/output.js';
import {
  deviceOfWork,
  ErrorOfShard,
  keptError,
  linesOf,
  runShard,
  shardFlags,
  shardOf,
  type KeptError,
  workOfModel,
} from '../terminal/shards.js';
import { readPaths, readStandardInput } from '../terminal/standard-input.js';

/** Under --exit-code, when an alert is raised or a picture is unknown: more than 7 (no verdict) and 3 (pictures that cannot be used). */
const ALERT = 10;

/** How predictions are told, and what the exit code says of them. */
export const formFlags = {
  exitCode: toggle('exit code 10 when an alert is raised or a picture is unknown'),
  json: toggle(
    'one JSON object a picture: file, class, probability, probabilities, alert, unlike, unknown, inTraining, pixels, faults; or file, error',
    { conflicts: 'csv' },
  ),
  csv: toggle('comma-separated: file, class, probability, alert, error, unlike, unknown, inTraining, faults, pixels'),
};

const flags = {
  filesFrom: flag('<file>', 'also the paths in this file, one a line; - for standard input', filePath),
  batch: batchFlag,
  ...deviceFlags,
  workers: workersFlag,
  threshold: flag('<p>', "raise the alert from this probability on, in place of the model's own", probability),
  ...formFlags,
  ...shardFlags,
};

export const command = defineCommand({
  operands: {
    '<model>': 'model.safetensors, or the folder of a run',
    '[paths...]':
      'pictures, folders (with all pictures in them), patterns with *, manifests and practice sets; or - for one picture on standard input',
  },
  flags,
  notes:
    "A model that was trained on a base tells pictures that are unlike the training's: they are unknown, and the verdict on them is a guess.\n" +
    'Pictures that trained the model are marked where its run tells: what is said of them is no evidence.\n' +
    "Faults are what is wrong with a picture whatever is in it (black, dark, overexposed, blurred, covered), by the training's pictures.\n" +
    'A picture that cannot be used is named with the reason, the others are classified; the exit code is 3 then, or 7 when a\n' +
    'picture has no verdict since its scores are NaN; under --exit-code 10 outranks both.\n' +
    'With --shard only a share of the pictures is classified and kept in --out; "beltnet merge" tells of all, with these exit codes (docs/scale.md).',
  examples: [
    'beltnet predict runs/first new/ "more/*.jpg" --json',
    'camera | beltnet predict runs/first - --exit-code',
    'find new -name "*.jpg" -print0 | beltnet predict runs/first --files-from - --csv',
  ],
  async run([model, ...given], options) {
    const { json, csv, workers: threads, batch: batchSize, threshold, filesFrom } = options;
    const isOne = given.includes('-');
    if (isOne && (given.length > 1 || filesFrom !== undefined))
      throw new UsageError('-: expects nothing beside the picture on standard input, got other paths');
    if (given.length === 0 && filesFrom === undefined)
      throw new UsageError('predict: expects pictures, or --files-from with their paths, got none');
    const paths = filesFrom === undefined ? given : [...given, ...(await readPaths(filesFrom))];
    const shard = shardOf(options, { '-': isOne, '--csv': options.csv, '--exit-code': options.exitCode });
    if (shard) return predictShard(shard, model, paths, options);
    const bytes = isOne ? await readStandardInput('picture') : null;
    const teller = new Teller(options);
    let done = 0;
    const take = (result: FileClassification, total: number): void => {
      teller.tell(result);
      done++;
      if (!json && !csv) showProgress(() => `Predicting ${done}/${total}`);
    };
    await withDevice(options, async (device) => {
      const opening = { device, batchSize, ...(threshold !== undefined && { threshold }) };
      const classifier = await loadClassifier(model, opening);
      if (bytes) take(await classifier.classifyBytes(bytes, 'standard input'), 1);
      else
        await classifier.classifyPaths(paths, { ...(threads !== undefined && { workers: threads }), onResult: take });
    });
    return teller.end();
  },
});

/** A picture's line in a shard: its result, or why there is none. */
type ShardLine = Exclude<FileClassification, { error: unknown }> | ({ readonly file: string } & KeptError);

async function predictShard(
  shard: { shard: Shard; out: string },
  model: string,
  paths: readonly string[],
  options: Options<typeof flags>,
): Promise<number> {
  const { workers, batch: batchSize, threshold } = options;
  return withDevice(options, async (device, facts) => {
    const opening = { device, batchSize, ...(threshold !== undefined && { threshold }) };
    const classifier = await loadClassifier(model, opening);
    return runShard(shard, options, await listPictures(paths), {
      command: 'predict',
      work: {
        ...(await workOfModel(classifier.name)),
        ...{ threshold: threshold ?? null, batch: batchSize, device: deviceOfWork(facts) },
      },
      step: batchSize,
      run: (items, add, onInput) =>
        classifier.classifyItems(items, {
          ...(workers !== undefined && { workers }),
          onInput,
          onResult: (one) => add('error' in one ? { file: one.file, ...keptError(one.error) } : one),
        }),
    });
  });
}

/** Tells of merged shards what one process would have told. @returns the exit code */
export async function mergePredictions(
  shards: readonly ShardFile[],
  options: Options<typeof formFlags>,
): Promise<number> {
  const teller = new Teller(options);
  for await (const line of linesOf<ShardLine>(shards))
    teller.tell('error' in line ? { file: line.file, error: new ErrorOfShard(line) } : line);
  return teller.end();
}

/** Tells results one by one, and what they amount to. */
class Teller {
  readonly #printer: Printer;
  readonly #minds: boolean;
  #exitCode = 0;
  #done = 0;
  #trained = 0;

  constructor(options: Options<typeof formFlags>) {
    this.#printer = printerFor(options);
    this.#minds = options.exitCode;
  }

  tell(result: FileClassification): void {
    if ('error' in result) this.#exitCode = Math.max(this.#exitCode, result.error.exitCode);
    else if (this.#minds && (result.alert || result.unknown)) this.#exitCode = ALERT;
    this.#printer.print(result);
    this.#done++;
    if (result.inTraining) this.#trained++;
  }

  /** @returns the exit code */
  end(): number {
    this.#printer.end();
    const [trained, done] = [this.#trained, this.#done];
    if (trained > 0)
      note(
        `warning: ${trained} of ${count(done, 'picture')} ${trained === 1 ? 'was' : 'were'} in training: what is said of them is not evidence`,
      );
    return this.#exitCode;
  }
}

interface Printer {
  print(result: FileClassification): void;
  end(): void;
}

/** Programs get each line as soon as it is known; the table for people waits for the widths of its columns. */
function printerFor({ json, csv }: { readonly json: boolean; readonly csv: boolean }): Printer {
  const output = new Output({ json });
  if (json) {
    const print = (result: FileClassification): void =>
      output.emit('error' in result ? { file: result.file, error: result.error.message } : result);
    return { print, end: () => {} };
  }
  if (csv) {
    process.stdout.write(csvLine(CSV_COLUMNS));
    return { print: (result) => void process.stdout.write(csvRow(result)), end: () => {} };
  }
  const rows = [['file', 'class', 'probability', 'alert', '', '', '']];
  const errors: string[] = [];
  return {
    print(one) {
      if ('error' in one) errors.push(one.error.message);
      else {
        if (one.unlike !== undefined) rows[0][4] = 'unlike'; // a column for models that can tell
        const unlike = one.unlike === undefined ? '' : `${one.unlike.toFixed(2)}${one.unknown ? ' UNKNOWN' : ''}`;
        const faults = one.faults?.join(', ') ?? '';
        if (faults !== '') rows[0][6] = 'faults';
        const verdict = [one.file, one.class, one.probability.toFixed(4), one.alert ? 'ALERT' : '-'];
        rows.push([...verdict, unlike, one.inTraining ? 'in training' : '', faults].map(printable));
      }
    },
    end() {
      if (rows.length > 1) for (const line of fittingTable(rows)) output.say(line);
      for (const error of errors) note(`beltnet: ${error}`);
    },
  };
}

/** Of a CSV, `pixels` the hash of what the model saw, by which the page tells whether it sees the same. */
const CSV_COLUMNS = [
  'file',
  'class',
  'probability',
  'alert',
  'error',
  'unlike',
  'unknown',
  'inTraining',
  'faults',
  'pixels',
] as const;

function csvRow(result: FileClassification): string {
  const cells =
    'error' in result
      ? [result.file, '', '', '', result.error.message, '', '', '', '', '']
      : [
          ...[result.file, result.class, result.probability, result.alert, ''],
          ...[result.unlike ?? '', result.unknown ?? '', result.inTraining ?? '', result.faults?.join(' ') ?? ''],
          result.pixels ?? '',
        ];
  return csvLine(cells.map((cell) => (typeof cell === 'string' ? printable(cell) : cell)));
}
