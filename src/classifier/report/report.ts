/** The report of a run: everything that its files and its pictures say, in one file that asks nobody for anything. */
import { BeltnetError, UsageError } from '../../errors.js';
import { expectObject, expectText, received } from '../../expect.js';
import type { AugmentationOptions } from '../../data/augmentation.js';
import { DataFlow } from '../../data/batches.js';
import type { Picture } from '../../data/pictures/picture.js';
import { prepareNamed, type Size } from '../../data/pictures/resize.js';
import { renderBatch } from '../../nn/training/batch-source.js';
import { sizeOf } from '../../tensor/shape.js';
import { expectClassifier, type Classifier } from '../classifier.js';
import { bestEpoch, epochsIn } from '../epoch-record.js';
import { evidenceOf } from '../evidence.js';
import { precisionRecallCurve, rocCurve } from '../figures/curves.js';
import { calibrationBins } from '../figures/probability-scores.js';
import { manifestLines, type PictureUse } from '../picture-manifest.js';
import type { PredictionRow } from '../predictions-table.js';
import type { Verdict } from '../verdict.js';
import { predictionsOf, type PredictedPicture, type Predictions } from './predictions.js';
import type { ReportData, ReportedRun, ReportedSet } from './report-data.js';
import { HEAT_SIDE, imageUrl, reportedPictures, type ReadPicture, type ShownPicture } from './report-pictures.js';
import { auditOf, jsonIn, settingsOf, type Json } from './run-facts.js';

/** Where a run's files and its pictures come from. */
export interface ReportSource {
  readonly name: string;
  /** A file of the run; null where there is none. */
  readonly text: (file: string) => Promise<string | null>;
  /** predictions.csv; null where there is none. */
  readonly predictions: () => Promise<readonly PredictionRow[] | null>;
  /** Has its pictures judged, where it has none. */
  readonly predictAgain: (classifier: Classifier) => Promise<Predictions>;
  readonly picture: ReadPicture;
  /** The runs beside it, itself among them. */
  readonly runs: () => Promise<ReportedRun[]>;
}

/** Pictures that a report carries: wrong ones, those of each cell of the confusion matrix, and those in doubt. */
const MOST_MISTAKES = 1000;
const EACH_CELL = 20;
const IN_DOUBT = 40;

/** What there is without the model: also while the training goes on. */
export async function bareReport(source: ReportSource, config: Json): Promise<ReportData> {
  const epochs = epochsIn((await source.text('events.jsonl')) ?? '');
  const settings = settingsOf(config);
  return {
    ...{ name: source.name, made: new Date().toISOString() },
    version: settings.find(([name]) => name === 'Version')?.[1] ?? '',
    ...{ live: null, classNames: [], alert: null, epochs, bestEpoch: bestEpoch(epochs)?.epoch ?? null },
    ...{ sets: [], heatSide: HEAT_SIDE, augmented: null, layers: [], audit: auditOf(await source.text('audit.json')) },
    ...{ card: await source.text('card.md'), settings, runs: await source.runs(), notes: [] },
  };
}

/**
 * A run's report.
 * @param classifier of its best model
 */
export async function reportFrom(
  source: ReportSource,
  classifier: Classifier,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<ReportData> {
  expectObject(source, 'reportFrom: source');
  expectClassifier(classifier, 'reportFrom: classifier');
  const config = (jsonIn(await source.text('config.json')) ?? {}) as Json;
  const bare = await bareReport(source, config);
  const notes = [...bare.notes];
  const { info, model } = classifier;
  let predictions = predictionsOf(source.name, await source.predictions(), info);
  if (predictions === null) {
    notes.push('The run has no predictions.csv: its pictures were judged anew.');
    predictions = await source.predictAgain(classifier);
  }
  const sets: ReportedSet[] = [];
  for (const [use, pictures] of predictions)
    sets.push(await reportedSet(use, pictures, source.picture, classifier, onProgress));
  const decision = info.sections?.['decision']?.value as { reason?: string } | undefined;
  return {
    ...bare,
    classNames: info.classNames,
    alert: { ...info.alert, reason: typeof decision?.reason === 'string' ? decision.reason : null },
    sets,
    augmented: await augmentedBatch(source, config, classifier),
    layers: model.nodes.map(({ layer, inputShapes, shape }) => ({
      ...{ name: layer.name, kind: layer.kind, shape: shape.join(' × ') },
      parameters: layer.parameters(inputShapes[0]).reduce((sum, each) => sum + sizeOf(each.shape), 0),
    })),
    notes,
  };
}

const rounded = (value: number): number => Number(value.toPrecision(5));

async function reportedSet(
  use: PictureUse,
  all: readonly PredictedPicture[],
  read: ReadPicture,
  classifier: Classifier,
  onProgress: (done: number, total: number) => void,
): Promise<ReportedSet> {
  const { classNames, alert } = classifier.info;
  const judged = all.filter((one): one is PredictedPicture & { verdict: Verdict } => one.verdict !== null);
  const files = judged.map(({ file }) => file);
  const labels = judged.map(({ label }) => label);
  const verdicts = judged.map(({ verdict }) => verdict);
  const taken = verdicts.map((verdict) => classNames.indexOf(verdict.class));
  const probabilities = verdicts.map((verdict) => classNames.map((name) => verdict.probabilities[name]));
  const evidence = evidenceOf({ labels, verdicts, files, pixels: files }, classifier.info);
  const alertLabel = classNames.indexOf(alert.className);
  const isAlert = labels.map((label) => Number(label === alertLabel));
  const scores = probabilities.map((row) => row[alertLabel]);
  const both = isAlert.includes(0) && isAlert.includes(1);
  const { shown, leftOut } = shownPictures(files, labels, verdicts, classNames);
  const pictures = await reportedPictures(classifier, read, shown, onProgress);
  const none = { reason: 'no picture has a verdict' };
  return {
    ...{ use, files, labels, taken, alerts: verdicts.map((verdict) => (verdict.alert ? 1 : 0)) },
    probabilities: probabilities.map((row) => row.map(rounded)),
    unlike: verdicts.some(({ unlike }) => unlike !== undefined)
      ? verdicts.map(({ unlike = 0 }) => rounded(unlike))
      : null,
    unjudged: all.flatMap(({ file, verdict }) => (verdict === null ? [file] : [])),
    figures: {
      accuracy: evidence?.accuracy ?? none,
      missRate: evidence?.missRate ?? none,
      falseAlarmRate: evidence?.falseAlarmRate ?? none,
      rocAuc: evidence?.rocAuc ?? none,
      averagePrecision: evidence?.averagePrecision ?? none,
      balancedAccuracy: evidence?.balancedAccuracy ?? 0,
      expectedCalibrationError: evidence?.expectedCalibrationError ?? 0,
      distinctPictures: evidence?.distinctPictures ?? 0,
    },
    roc: both
      ? thinned(rocCurve(isAlert, scores).map((p) => [rounded(p.falsePositiveRate), rounded(p.truePositiveRate)]))
      : [],
    precisionRecall: both
      ? thinned(precisionRecallCurve(isAlert, scores).map((p) => [rounded(p.recall), rounded(p.precision)]))
      : [],
    reliability: labels.length > 0 ? calibrationBins(labels, probabilities).filter(({ count }) => count > 0) : [],
    pictures,
    leftOut: { mistakes: leftOut, unreadable: shown.length - Object.keys(pictures).length },
  };
}

/** At most 400 points of a curve, the first and the last among them. */
function thinned(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const step = Math.max(1, points.length / 400);
  return points.filter((_, at) => at === points.length - 1 || Math.floor(at / step) !== Math.floor((at - 1) / step));
}

/** Which pictures are carried: the worst mistakes, some of each cell, the least sure, and the most unlike the training's. */
function shownPictures(
  files: readonly string[],
  labels: readonly number[],
  verdicts: readonly Verdict[],
  classNames: readonly string[],
): { shown: ShownPicture[]; leftOut: number } {
  const places = [...labels.keys()];
  const ownProbability = (n: number): number => verdicts[n].probabilities[classNames[labels[n]]];
  const wrong = places
    .filter((n) => verdicts[n].class !== classNames[labels[n]])
    .toSorted((a, b) => ownProbability(a) - ownProbability(b));
  const inCell = new Map<string, number>();
  const ofCells = places.filter((n) => {
    const cell = `${labels[n]} ${verdicts[n].class}`;
    inCell.set(cell, (inCell.get(cell) ?? 0) + 1);
    return (inCell.get(cell) ?? 0) <= EACH_CELL;
  });
  const unsure = places.toSorted((a, b) => verdicts[a].probability - verdicts[b].probability).slice(0, IN_DOUBT);
  const unlike = places
    .filter((n) => verdicts[n].unlike !== undefined)
    .toSorted((a, b) => (verdicts[b].unlike ?? 0) - (verdicts[a].unlike ?? 0))
    .slice(0, IN_DOUBT);
  const chosen = [...new Set([...wrong.slice(0, MOST_MISTAKES), ...ofCells, ...unsure, ...unlike])];
  const shown = chosen.map((place) => ({ place, file: files[place], taken: verdicts[place].class }));
  return { shown, leftOut: Math.max(0, wrong.length - MOST_MISTAKES) };
}

const AUGMENTED = 16;

/** Some pictures of the training as its steps saw them; null where they are no longer there, or nothing changed them. */
async function augmentedBatch(
  source: ReportSource,
  config: Json,
  { preparation, device, name }: Classifier,
): Promise<ReportData['augmented']> {
  const augmentation = config['augmentation'] as AugmentationOptions | undefined;
  if (!augmentation) return null;
  try {
    const listed = manifestLines((await source.text('pictures.jsonl')) ?? '').filter(({ set }) => set === 'training');
    const step = listed.length / AUGMENTED;
    const chosen = listed.filter((_, at) => Math.floor(at / step) !== Math.floor((at - 1) / step)).slice(0, AUGMENTED);
    if (chosen.length === 0) return null;
    const { exif = false, size } = preparation.picture;
    const length = size.width * size.height * 3;
    const bytes = new Uint8Array(chosen.length * length);
    for (const [n, { file }] of chosen.entries())
      bytes.set(prepareNamed(await source.picture(file, exif), file, preparation.picture).data, n * length);
    const set = { name, pictures: bytes, pictureShape: [size.height, size.width, 3] as const };
    const flow = new DataFlow(set, { batchSize: chosen.length, shuffle: false, augmentation });
    const image = imageUrl(sideBySide(await renderBatch(device, flow, 0), chosen.length, size), 85);
    return { image, words: `${chosen.length} pictures of the training as its steps saw them` };
  } catch (error) {
    if (error instanceof BeltnetError) return null;
    throw error;
  }
}

/** Pictures of equal size in rows of eight, a line of grey between them. */
function sideBySide(values: Float32Array, count: number, { width, height }: Size): Picture {
  const columns = Math.min(8, count);
  const all = { width: columns * (width + 2) - 2, height: Math.ceil(count / columns) * (height + 2) - 2 };
  const data = new Uint8Array(all.width * all.height * 3).fill(128);
  for (let n = 0; n < count; n++)
    for (let row = 0; row < height; row++) {
      const from = values.subarray((n * height + row) * width * 3, (n * height + row + 1) * width * 3);
      const at = (Math.floor(n / columns) * (height + 2) + row) * all.width + (n % columns) * (width + 2);
      data.set(
        Uint8Array.from(from, (value) => Math.min(Math.max(Math.round(value), 0), 255)),
        3 * at,
      );
    }
  return { ...all, data };
}

function jsonOf(data: object): string {
  try {
    return JSON.stringify(data);
  } catch (error) {
    throw new UsageError(`report: expects what reportOf gives, got ${(error as Error).message}`); // a BigInt, a circle
  }
}

/**
 * The report as one HTML file. What pictures and classes are called is text in it, whatever it is.
 * @param template report.html, as it is built
 */
export function fillReport(template: string, data: ReportData): string {
  expectText(template, 'report: template');
  expectObject(data, 'report: data');
  if (!Array.isArray(data.sets) || !Array.isArray(data.epochs))
    throw new UsageError(`report: expects what reportOf gives, got ${received(data)}`);
  return fillPage(template, data);
}

/** Puts data into a page's place for them: whatever they say is text in it. */
export function fillPage(template: string, data: object): string {
  const json = jsonOf(data).replace(
    /[<\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return template.replace('"DATA"', () => json);
}
