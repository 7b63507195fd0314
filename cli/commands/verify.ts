/** `beltnet verify`: whether a run is what its record says, computed anew. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { DataError, UsageError } from '../../src/errors.js';
import {
  cardFigures,
  hasRecord,
  isRun,
  judgeSets,
  loadModel,
  modelDigest,
  notProven,
  KNOWN_SECTIONS,
  pictureManifest,
  predictionsTable,
  preparationOf,
  readCard,
  readConfig,
  readPictures,
  readPublicKey,
  readRecord,
  trainedModels,
  verifyFigures,
  verifyFiles,
  verifyModelFile,
  verifyPictures,
  verifyPredictions,
  verifyRecord,
  verifyRetrained,
  type CheckedRecord,
  type Dataset,
  type PictureUse,
  type Checked,
  type RecordHead,
} from '../../src/index.node.js';
import { defineCommand, flag, toggle, type Options } from '../terminal/command.js';
import { cacheFlags, deviceFlags, workersFlag } from '../terminal/common-flags.js';
import { loadAndReport, openCache, openTrainingSplits, type Fold } from '../terminal/data.js';
import { withDevice } from '../terminal/device.js';
import { filePath, folder } from '../terminal/options.js';
import { count, note, Output } from '../terminal/output.js';
import { ownOptions } from '../terminal/resume.js';
import type { TrainOptions } from '../terminal/training-flags.js';
import { foldOfRun } from './train-in-steps.js';
import { trainOnce } from './train.js';

/** The exit code when something differs. */
const DIFFERS = 12;

const headOf =
  (name: string) =>
  (given: string): RecordHead => {
    const [, entries, hash] = /^(\d{1,9}):([0-9a-f]{64})$/.exec(given) ?? [];
    if (hash === undefined)
      throw new UsageError(`${name}: expected a head as verify prints it, COUNT:HASH, got '${given}'`);
    return { count: Number(entries), hash };
  };

const flags = {
  trust: flag('<file>', 'public key (KEY.pub) by which every entry of the record must be signed', filePath),
  head: flag('<count:hash>', 'head of the record that was kept elsewhere: the record must go on from it', headOf),
  data: flag('<dir>', 'where the pictures are now (default: where they were)', folder),
  recordOnly: toggle('look at the record and the files of the run only, not at pictures, predictions and figures', {
    conflicts: 'retrain',
  }),
  retrain: toggle('train again, with the same options, in a temporary folder, and compare the weights'),
  threads: deviceFlags.threads,
  workers: workersFlag,
  ...cacheFlags,
  json: toggle('one JSON object on stdout'),
};

export const command = defineCommand({
  operands: { '<run>': 'the folder of a run, or a model file in one' },
  flags,
  notes:
    'Looks at the chain of the record, the hashes of the files, each picture and its label, and computes predictions and figures again.\n' +
    'The exit code is 12 when something differs, and all that differs is named.',
  examples: ['beltnet verify runs/run-1', 'beltnet verify runs/run-1 --trust night-shift.pub --retrain'],
  async run([given], options) {
    const trust = {
      ...(options.trust !== undefined && { trusted: readPublicKey(options.trust) }),
      ...(options.head && { head: options.head }),
    };
    const run = isRun(given) ? given : dirname(given);
    const record = hasRecord(run) ? await readRecord(run) : null;
    if (!record)
      throw new DataError(
        `${given}: expected a run with a record (record.jsonl), or a model in one, got none; a training that ended writes it`,
      );
    const output = new Output(options);
    const all: Checked[] = [];
    const add = (checked: Checked): void => {
      all.push(checked);
      const { what, seen, differences } = checked;
      const lines =
        differences.length === 0
          ? [`ok       ${what}: ${seen}`]
          : differences.map((each) => `DIFFERS  ${what}: ${each}`);
      for (const line of lines.slice(0, MOST_LINES)) output.say(line);
      if (lines.length > MOST_LINES)
        output.say(`DIFFERS  ${what}: and ${lines.length - MOST_LINES} more; --json has all`);
    };

    output.say(`Run: ${run}`);
    for (const { number, time, event, key } of record.entries)
      output.say(`  ${number}. ${event} at ${time}${key === undefined ? '' : `, signed by ${key}`}`);
    output.say();
    add(verifyRecord(record, trust));
    const isWhole = given === run;
    if (!isWhole) add(await verifyModelFile(run, given, record));
    else {
      add(await verifyFiles(run, record));
      if (!options.recordOnly) await computeAgain(run, record, options, add);
    }

    const { head } = record;
    const open = notProven(record, trust);
    if (options.recordOnly || !isWhole) open.push('pictures and figures, which were not looked at');
    if (isWhole && !options.retrain) open.push('that the training gives these weights: --retrain does it again');
    const differences = all.flatMap(({ what, differences: found }) =>
      found.map((each) => ({ what, difference: each })),
    );
    output.emit({ run, head, checked: all.map(({ what, seen }) => ({ what, seen })), differences, notProven: open });
    output.say();
    output.say(`Head: ${head.count}:${head.hash}`);
    for (const line of open) output.say(`Not proven: ${line}`);
    if (differences.length > 0) note(`beltnet: ${given}: ${count(differences.length, 'difference')}`);
    return differences.length > 0 ? DIFFERS : 0;
  },
});

/** Of one kind of difference. */
const MOST_LINES = 20;

/** Pictures, predictions, figures, and the training if asked for. @throws DataError for pictures that are not there */
async function computeAgain(
  run: string,
  record: CheckedRecord,
  options: Options<typeof flags>,
  add: (checked: Checked) => void,
): Promise<void> {
  const config = (await readConfig(run)) ?? {};
  const card = await readCard(run);
  const before = await readPictures(run);
  if (!card || before === null)
    throw new DataError(
      `${run}: expected the card and the pictures.jsonl of a finished run, got none; --record-only does without`,
    );
  const trained = ownOptions(config, run) as unknown as TrainOptions;
  const { directory: own } = config['data'] as { directory: string };
  const directory = options.data ?? own;
  const splits = await openTrainingSplits(directory, trained, foldOfRun(config));
  const { model, info } = await loadModel(join(run, card.model.file), { knownSections: KNOWN_SECTIONS });
  const name = join(run, card.model.file);
  const [height, width] = model.inputShape;
  const { picture } = preparationOf(info, { width, height });
  const loading = {
    ...picture,
    onBad: trained.onBad,
    workers: options.workers,
    cache: openCache(options, [directory]),
  };
  const quiet = new Output({ silent: true });
  const sets: Partial<Record<PictureUse, Dataset>> = {};
  for (const use of ['training', 'validation', 'test'] as const) {
    const files = before.includes(`{"set":"${use}"`) ? splits[use] : null; // the run's sets, as it wrote them down
    if (files) sets[use] = await loadAndReport(files, loading, quiet);
  }
  const text = await pictureManifest(sets);
  add(verifyPictures({ text: before, root: own }, { text, root: directory }));

  // As the model was when it was trained: what was chosen since is in the record.
  const { calibration: _, ...sections } = info.sections ?? {};
  const asTrained = { ...info, alert: { ...info.alert, threshold: card.figures.alert.threshold }, sections };
  const { reproducible, epochs } = card.training;
  const exact = reproducible && (epochs !== null || trained.goodOnly); // a head on a base was judged by the features that were kept
  const device = (config['device'] as { kind: 'cpu' | 'webgpu' }).kind;
  await withDevice({ device, threads: options.threads, reproducible }, async (opened) => {
    const judged = await judgeSets({ name, model, info: asTrained }, opened, sets);
    const predictions = readFileSync(join(run, 'predictions.csv'), 'utf8');
    const hasPixels = /^[^\n]*,pixels,/.test(predictions); // those of older versions have not
    const again = predictionsTable(judged, asTrained, hasPixels ? text : null);
    add(verifyPredictions({ text: predictions, root: own }, { text: again, root: directory }, exact));
    const { set } = card.figures;
    const [ofSet, dataset] = [judged[set], sets[set]];
    if (ofSet && dataset) add(verifyFigures(card.figures, await cardFigures(set, ofSet, dataset, asTrained), exact));
  });
  if (options.retrain) add(await retrain(run, record, trained, directory, foldOfRun(config)));
}

/** Trains again. @throws DataError for a training that did not come to its end */
async function retrain(
  run: string,
  record: CheckedRecord,
  trained: TrainOptions,
  directory: string,
  fold: Fold | null,
): Promise<Checked> {
  const before = trainedModels(record);
  if (!before)
    throw new DataError(`${run}: expected a training in its record, got none; without it there is nothing to compare`);
  const temporary = mkdtempSync(join(tmpdir(), 'beltnet-retrain-'));
  try {
    const again = {
      ...trained,
      out: temporary,
      name: 'again',
      resume: undefined,
      resumeOrStart: false,
      live: false,
      key: undefined,
    };
    await trainOnce(directory, again, [], new Output({ silent: true }), fold);
    const now = Object.fromEntries(
      await Promise.all(
        Object.keys(before).map(
          async (name) => [basename(name), await modelDigest(join(temporary, 'again', name))] as const,
        ),
      ),
    );
    return verifyRetrained(before, now);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
