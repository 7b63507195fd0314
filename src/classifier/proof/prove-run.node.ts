/** What a run leaves behind for those who did not see it: the card of its model, and the record of what was done. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { classCounts, expectDataset, type Dataset } from '../../data/dataset.js';
import type { AuditReport } from '../../data/audit/report.js';
import { DataError } from '../../errors.js';
import { expectArray, expectFunction, expectObject, expectPath, expectText, objectWith, orNull } from '../../expect.js';
import { readWholeFile, takeRunDirectory, writeFileAtomically } from '../../files.node.js';
import { loadModel } from '../../formats/beltnet/model.node.js';
import { expectInfo, type ModelInfo } from '../../formats/beltnet/info.js';
import { leaveFolder } from '../../lock.node.js';
import type { JudgedSet } from '../evaluation.js';
import { evidenceOf } from '../evidence.js';
import type { PictureUse } from '../picture-manifest.js';
import { pixelHashes } from '../pixel-hash.js';
import { isRun, readConfig } from '../run.node.js';
import type { JudgedSets, SetsOfRun } from '../run-predictions.js';
import { KNOWN_SECTIONS, temperatureOf } from '../tuning.js';
import { cardMarkdown, type CardChoice, type CardFigures, type CardSet, type ModelCard } from './card.js';
import { kernelsDigest, modelDigest, pixelsDigest, type ModelDigest } from './digests.node.js';
import { expectKey, type SigningKey } from './keys.node.js';
import { appendToRecord, checkAppendable, RECORD, type RecordEvent, type RecordHead } from './record.node.js';

/** Who does something to a run. */
export interface Author {
  /** Versions and platform. */
  readonly by: { readonly beltnet: string; readonly node: string; readonly platform: string };
  /** Signs the entry in the record. */
  readonly key: SigningKey | null;
}

export interface FinishedTraining extends Author {
  readonly run: string;
  readonly event?: Extract<RecordEvent, 'train' | 'fine-tune'>;
  readonly sets: SetsOfRun;
  /** What the best model says of them. */
  readonly judged: JudgedSets;
  /** The command line. */
  readonly command: string;
  /** Null for a training without epochs. */
  readonly epochs: number | null;
  readonly bestEpoch: number | null;
  readonly choices: readonly CardChoice[];
}

/** Those that judge a model best: of a test, else of the validation, else all there are. */
export const judgingSet = (sets: JudgedSets): PictureUse =>
  (['test', 'validation', 'training'] as const).find((name) => sets[name]) ?? 'training';

/** The card's figures, of what a model said of a set. */
export async function cardFigures(
  set: PictureUse,
  judged: JudgedSet,
  dataset: Dataset,
  info: ModelInfo,
): Promise<CardFigures> {
  expectText(set, 'cardFigures: set');
  objectWith({ judged: objectWith({ indices: expectArray }), unjudged: expectArray })(judged, 'cardFigures: judged');
  expectDataset(dataset, 'cardFigures: dataset');
  expectInfo(info, 'cardFigures');
  const { accuracy, classes, alert, pictures, unjudged, unknown, judged: of } = judged;
  const hashes = await pixelHashes(dataset);
  const evidence = evidenceOf({ ...of, pixels: of.indices.map((n) => hashes[n]) }, info);
  const { mistakes = [], ...rest } = evidence ?? {};
  return {
    set,
    pictures,
    accuracy,
    classes,
    alert,
    evidence: evidence && (rest as CardFigures['evidence']),
    ...{
      mistakes: mistakes.length,
      unjudged: unjudged.length,
    },
    ...(unknown !== undefined && { unknown }),
  };
}

async function cardSet(dataset: Dataset): Promise<CardSet> {
  const counts = classCounts(dataset);
  return {
    pictures: dataset.labels.length,
    classes: Object.fromEntries(dataset.classNames.map((name, label) => [name, counts[label]])),
    pixels: await pixelsDigest(dataset),
  };
}

/** What a model file says of its alarm, and why. */
function alertOf(info: ModelInfo): ModelCard['alert'] {
  const decision = Object(info.sections?.['decision']?.value) as Partial<
    Record<'reason' | 'data' | 'cannotKnow', unknown>
  >;
  const { reason, data, cannotKnow } = decision;
  return {
    class: info.alert.className,
    threshold: info.alert.threshold,
    reason: typeof reason === 'string' ? reason : null,
    chosenOn: typeof data === 'string' ? data : null,
    cannotKnow: Array.isArray(cannotKnow) ? cannotKnow.map(String) : [],
    temperature: temperatureOf(info),
  };
}

const MODELS = ['best.safetensors', 'last.safetensors'] as const;

async function modelsOf(run: string): Promise<Record<string, ModelDigest>> {
  const digests: Record<string, ModelDigest> = {};
  for (const name of MODELS) if (existsSync(join(run, name))) digests[name] = await modelDigest(join(run, name));
  return digests;
}

const modelInfo = (file: string) => loadModel(file, { knownSections: KNOWN_SECTIONS });

async function readJson(path: string): Promise<unknown> {
  const kind = { what: 'a file of a run', mostBytes: 2 ** 26, refuse: (message: string) => new DataError(message) };
  try {
    return JSON.parse(Buffer.from(await readWholeFile(path, kind)).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw new DataError(`${path}: expected JSON, got ${error.message}`);
    throw error;
  }
}

/** The card of a run; null where it has none. @throws DataError */
export async function readCard(run: string): Promise<ModelCard | null> {
  expectPath(run, 'readCard: run');
  const path = join(run, 'card.json');
  if (!existsSync(path)) return null;
  const card = (await readJson(path)) as ModelCard | null;
  if (card?.format !== 'beltnet-card') throw new DataError(`${path}: expected the card of a model, got something else`);
  return card;
}

/** Writes card.json and card.md. */
export async function writeCard(run: string, card: ModelCard): Promise<void> {
  await writeFileAtomically(join(run, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
  await writeFileAtomically(join(run, 'card.md'), cardMarkdown(card));
}

const GOOD_ONLY =
  'It was shown good pictures only: what is unusual raises the alarm, whether it is a defect or not, and a defect that is not unusual does not';

async function warningsOf(run: string, figures: CardFigures, { sections }: ModelInfo): Promise<string[]> {
  const audit = existsSync(join(run, 'audit.json')) ? ((await readJson(join(run, 'audit.json'))) as AuditReport) : null;
  const findings = (audit?.findings ?? []).filter(({ severity }) => severity !== 'note');
  const never = Object.entries(figures.classes).filter(
    ([name, { pictures }]) =>
      pictures > 0 && Object.values(figures.classes).every(({ takenFor }) => takenFor[name] === 0),
  );
  return [
    ...findings.map(({ message }) => message),
    ...never.map(([name]) => `No picture is ever taken for '${name}': the model has not learned that class`),
    ...(sections?.['good-only'] ? [GOOD_ONLY] : []),
    ...(figures.set === 'training' ? ['No pictures were kept to judge it: nobody knows how good it is'] : []),
  ];
}

const expectTraining = objectWith({
  ...{ run: expectPath, sets: expectObject, judged: expectObject, command: expectText, choices: expectArray },
  ...{ by: expectObject, key: orNull(expectKey) },
});

/** Writes the card of a run's best model, and what was done into its record. */
export async function proveTraining(training: FinishedTraining): Promise<RecordHead> {
  expectTraining(training, 'proveTraining: training');
  const { run, sets, judged, command, epochs, bestEpoch, choices, by, key, event = 'train' } = training;
  const best = join(run, 'best.safetensors');
  const config = (await readConfig(run)) ?? {};
  const options = config['options'] as Record<string, unknown>;
  const { model, info } = await modelInfo(best);
  const digest = await modelDigest(best);
  const set = judgingSet(judged);
  const figures = await cardFigures(set, judged[set] as JudgedSet, sets[set] as Dataset, info);
  const cardSets: Partial<Record<PictureUse, CardSet>> = {};
  for (const [name, dataset] of Object.entries(sets))
    if (dataset) cardSets[name as PictureUse] = await cardSet(dataset);
  const { directory = '', layout = '' } = config['data'] as { directory?: string; layout?: string };
  const [height, width] = model.inputShape;
  const card: ModelCard = {
    format: 'beltnet-card',
    version: 1,
    model: {
      ...{
        file: basename(best),
        weights: digest.weights,
        parameters: model.countParameters(),
        layers: model.layers.length,
      },
      ...{
        input: {
          width,
          height,
        },
        classes: info.classNames,
      },
      base: (config['base'] as ModelCard['model']['base'] | undefined) ?? null,
    },
    alert: alertOf(info),
    data: {
      ...{
        directory,
        layout,
        sets: cardSets,
      },
      skipped: Object.values(sets).reduce((sum, dataset) => sum + (dataset?.skipped.length ?? 0), 0),
    },
    training: {
      ...{
        command,
        epochs,
        bestEpoch,
        started: config['started'] as string,
        seed: options['seed'] as number,
      },
      device: (
        config['device'] as {
          name: string;
        }
      ).name,
      reproducible: options['reproducible'] === true,
    },
    software: {
      ...by,
      kernels: kernelsDigest(),
    },
    ...{
      figures,
      choices,
      parity: null,
      warnings: await warningsOf(run, figures, info),
    },
  };
  await writeCard(run, card);
  const facts = {
    command,
    epochs,
    bestEpoch,
    options,
    data: card.data,
    kernels: card.software.kernels,
    models: await modelsOf(run),
  };
  return appendToRecord(run, { event, by, facts }, key);
}

/** The run in whose folder a model file is, if that has a record; else null. */
export const runOfModel = (modelFile: string): string | null => {
  expectPath(modelFile, 'runOfModel: modelFile');
  const folder = dirname(modelFile);
  return isRun(folder) && existsSync(join(folder, RECORD)) ? folder : null;
};

/**
 * Does something with a run's model, has the card say what the model file says now, and writes it into the record.
 *
 * @param work gives what the record keeps of it
 * @throws DiskError while another process is at work in the run, DataError for a record that does not hold; nothing is done then
 */
export async function proveChange(
  run: string,
  event: Exclude<RecordEvent, 'train' | 'repair'>,
  author: Author,
  work: () => Promise<object>,
): Promise<void> {
  expectObject(author, 'proveChange: author');
  const { by, key } = author;
  expectPath(run, 'proveChange: run');
  expectText(event, 'proveChange: event');
  expectObject(by, 'proveChange: by');
  orNull(expectKey)(key, 'proveChange: key');
  expectFunction(work, 'proveChange: work');
  takeRunDirectory(run);
  try {
    await checkAppendable(run);
    const facts = await work();
    const best = join(run, MODELS[0]);
    const card = await readCard(run);
    const { parity = card?.parity ?? null } = facts as { parity?: ModelCard['parity'] };
    if (card) await writeCard(run, { ...card, alert: alertOf((await modelInfo(best)).info), parity });
    await appendToRecord(run, { event, by, facts: { ...facts, models: await modelsOf(run) } }, key);
  } finally {
    leaveFolder(run);
  }
}
