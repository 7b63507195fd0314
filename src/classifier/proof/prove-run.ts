/** What a run leaves behind for those who did not see it: the card of its model, and the record of what was done. On a disk and in a page. */
import { classCounts, eachPicture, expectDataset, type Dataset } from '../../data/dataset.js';
import type { AuditReport } from '../../data/audit/report.js';
import { DataError } from '../../errors.js';
import { expectArray, expectText, objectWith } from '../../expect.js';
import { expectInfo, type ModelInfo } from '../../formats/beltnet/info.js';
import { decodeModel } from '../../formats/beltnet/model.js';
import { sha256Anywhere, sha256OfStream } from '../../formats/content-hash.js';
import type { JudgedSet } from '../evaluation.js';
import { evidenceOf } from '../evidence.js';
import type { PictureUse } from '../picture-manifest.js';
import { pixelHashes } from '../pixel-hash.js';
import { runFiles, type RunFiles } from '../run.js';
import type { JudgedSets, SetsOfRun } from '../run-predictions.js';
import { KNOWN_SECTIONS, temperatureOf } from '../tuning.js';
import { cardMarkdown, type CardChoice, type CardFigures, type CardSet, type ModelCard } from './card.js';
import type { ChainTools, RecordHead } from './chain.js';
import { digestOfModel, type ModelDigest } from './digests.js';
import { addToRecord, checkAppendable, type RecordEvent, type Signer } from './record.js';

/** Who does something to a run. */
export interface Author {
  /** Versions and platform. */
  readonly by: { readonly beltnet: string; readonly node: string; readonly platform: string };
  /** Signs the entry in the record. */
  readonly signer: Signer | null;
}

/** How things are hashed here, and what computes. */
export interface ProofTools extends ChainTools {
  /** SHA-256 of a set's pixels as the model sees them, picture behind picture. */
  readonly pixelsDigest: (dataset: Dataset) => Promise<string>;
  /** SHA-256 of the program's kernels and of what runs them. */
  readonly kernelsDigest: () => string;
}

/** Where there is no crypto but JavaScript's: in a page. @param kernels SHA-256 of those that it was built with */
export const toolsAnywhere = (kernels: string): ProofTools => ({
  hash: sha256Anywhere,
  isSignedBy: null,
  pixelsDigest: (dataset) => sha256OfStream(eachPicture(dataset)),
  kernelsDigest: () => kernels,
});

export interface FinishedTraining extends Author {
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

async function cardSet(dataset: Dataset, { pixelsDigest }: ProofTools): Promise<CardSet> {
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

const MODELS = [runFiles.best, runFiles.last];

async function modelsOf(files: RunFiles, { hash }: ProofTools): Promise<Record<string, ModelDigest>> {
  const digests: Record<string, ModelDigest> = {};
  for (const name of MODELS) {
    const bytes = await files.read(name);
    if (bytes) digests[name] = digestOfModel(bytes, files.path(name), hash);
  }
  return digests;
}

async function bestModel(files: RunFiles, { hash }: ProofTools) {
  const bytes = await files.read(runFiles.best);
  const path = files.path(runFiles.best);
  if (!bytes) throw new DataError(`${path}: expected the model of a run, got none`);
  return {
    ...decodeModel(bytes, path, { knownSections: KNOWN_SECTIONS, hash }),
    weights: digestOfModel(bytes, path, hash).weights,
  };
}

/** One of a run's files; null where there is none. @throws DataError for what is no JSON */
async function readJson(files: RunFiles, name: string): Promise<unknown> {
  const bytes = await files.read(name);
  if (!bytes) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new DataError(`${files.path(name)}: expected JSON, got ${(error as Error).message}`);
  }
}

const CARD = 'card.json';

/** The card of a run; null where it has none. @throws DataError */
export async function cardOf(files: RunFiles): Promise<ModelCard | null> {
  const card = (await readJson(files, CARD)) as ModelCard | null;
  if (card !== null && card.format !== 'beltnet-card')
    throw new DataError(`${files.path(CARD)}: expected the card of a model, got something else`);
  return card;
}

async function writeCard(files: RunFiles, card: ModelCard): Promise<void> {
  await files.write(CARD, `${JSON.stringify(card, null, 2)}\n`);
  await files.write('card.md', cardMarkdown(card));
}

const GOOD_ONLY =
  'It was shown good pictures only: what is unusual raises the alarm, whether it is a defect or not, and a defect that is not unusual does not';

async function warningsOf(files: RunFiles, figures: CardFigures, { sections }: ModelInfo): Promise<string[]> {
  const audit = (await readJson(files, runFiles.audit)) as AuditReport | null;
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

/** Writes the card of a run's best model, and what was done into its record. */
export async function recordTraining(
  files: RunFiles,
  training: FinishedTraining,
  tools: ProofTools,
): Promise<RecordHead> {
  const { sets, judged, command, epochs, bestEpoch, choices, by, signer, event = 'train' } = training;
  const config = ((await readJson(files, runFiles.config)) ?? {}) as Record<string, unknown>;
  const options = config['options'] as Record<string, unknown>;
  const { model, info, weights } = await bestModel(files, tools);
  const set = judgingSet(judged);
  const figures = await cardFigures(set, judged[set] as JudgedSet, sets[set] as Dataset, info);
  const cardSets: Partial<Record<PictureUse, CardSet>> = {};
  for (const [name, dataset] of Object.entries(sets))
    if (dataset) cardSets[name as PictureUse] = await cardSet(dataset, tools);
  const { directory = '', layout = '' } = config['data'] as { directory?: string; layout?: string };
  const [height, width] = model.inputShape;
  const card: ModelCard = {
    format: 'beltnet-card',
    version: 1,
    model: {
      ...{ file: runFiles.best, weights, parameters: model.countParameters(), layers: model.layers.length },
      ...{ input: { width, height }, classes: info.classNames },
      base: (config['base'] as ModelCard['model']['base'] | undefined) ?? null,
    },
    alert: alertOf(info),
    data: {
      ...{ directory, layout, sets: cardSets },
      skipped: Object.values(sets).reduce((sum, dataset) => sum + (dataset?.skipped.length ?? 0), 0),
    },
    training: {
      ...{ command, epochs, bestEpoch, started: config['started'] as string, seed: options['seed'] as number },
      ...{
        device: (config['device'] as { name: string }).name,
        reproducible: options['reproducible'] === true,
      },
    },
    software: { ...by, kernels: tools.kernelsDigest() },
    ...{ figures, choices, parity: null, warnings: await warningsOf(files, figures, info) },
  };
  await writeCard(files, card);
  const facts = {
    ...{ command, epochs, bestEpoch, options },
    ...{ data: card.data, kernels: card.software.kernels, models: await modelsOf(files, tools) },
  };
  return addToRecord(files, { event, by, facts }, tools, signer);
}

/**
 * Does something with a run's model, has the card say what the model file says now, and writes it into the record.
 *
 * @param work gives what the record keeps of it
 * @throws DataError for a record that does not hold; nothing is done then
 */
export async function recordChange(
  files: RunFiles,
  event: Exclude<RecordEvent, 'train' | 'repair'>,
  { by, signer }: Author,
  work: () => Promise<object>,
  tools: ProofTools,
): Promise<void> {
  await checkAppendable(files, tools);
  const facts = await work();
  const card = await cardOf(files);
  const { parity = card?.parity ?? null } = facts as { parity?: ModelCard['parity'] };
  if (card) await writeCard(files, { ...card, alert: alertOf((await bestModel(files, tools)).info), parity });
  await addToRecord(files, { event, by, facts: { ...facts, models: await modelsOf(files, tools) } }, tools, signer);
}
