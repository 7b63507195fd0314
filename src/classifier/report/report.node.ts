/** The report of a run: everything that its folder and its pictures say, in one file that asks nobody for anything. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BeltnetError, UsageError } from '../../errors.js';
import { expectObject, received } from '../../expect.js';
import type { AugmentationOptions } from '../../data/augmentation.js';
import { DataFlow } from '../../data/batches.js';
import type { Picture } from '../../data/pictures/picture.js';
import type { Size } from '../../data/pictures/resize.js';
import { loadPictures } from '../../data/store/stream-pictures.node.js';
import { renderBatch } from '../../nn/training/batch-source.js';
import { sizeOf } from '../../tensor/shape.js';
import { loadClassifier, type NodeClassifier } from '../classifier.node.js';
import type { OpenClassifierOptions } from '../classifier.js';
import { bestEpoch } from '../epoch-record.js';
import { evidenceOf } from '../evidence.js';
import { precisionRecallCurve, rocCurve } from '../figures/curves.js';
import { calibrationBins } from '../figures/probability-scores.js';
import type { PictureUse } from '../picture-manifest.js';
import type { Verdict } from '../verdict.js';
import { predictAgain, predictionsOf, type PredictedPicture } from './predictions.node.js';
import { readEpochs } from '../run.node.js';
import { auditOf, configOf, readJson, readText, runsBeside, settingsOf } from './read-run.node.js';
import type { ReportData, ReportedSet } from './report-data.node.js';
import { HEAT_SIDE, imageUrl, reportedPictures, type ShownPicture } from './report-pictures.node.js';

export interface ReportOptions extends Pick<OpenClassifierOptions, 'device' | 'threads'> {
  readonly onProgress?: (done: number, total: number) => void;
}

/** Pictures that a report carries: wrong ones, those of each cell of the confusion matrix, and those in doubt. */
const MOST_MISTAKES = 1000;
const EACH_CELL = 20;
const IN_DOUBT = 40;

/** What is there while a training goes on: its epochs and settings. */
export async function liveReportOf(directory: string, epochs: number): Promise<ReportData> {
  const config = await configOf(directory);
  return { ...(await bareReport(directory, config)), live: { epochs } };
}

/**
 * A run's report. Its pictures are read where they were.
 * @throws UsageError for a folder that is no run; ModelFileError; NoDeviceError
 */
export async function reportOf(directory: string, options: ReportOptions = {}): Promise<ReportData> {
  expectObject(options, 'report: options');
  const { onProgress = () => {}, ...opening } = options;
  const config = await configOf(directory);
  const bare = await bareReport(directory, config);
  const classifier = await loadClassifier(directory, opening);
  try {
    const notes = [...bare.notes];
    const { info, model } = classifier;
    let predictions = await predictionsOf(directory, info);
    if (predictions === null) {
      notes.push('The run has no predictions.csv: its pictures were judged anew.');
      predictions = await predictAgain(directory, classifier);
    }
    const sets: ReportedSet[] = [];
    for (const [use, pictures] of predictions) sets.push(await reportedSet(use, pictures, classifier, onProgress));
    const decision = info.sections?.['decision']?.value as { reason?: string } | undefined;
    return {
      ...bare,
      classNames: info.classNames,
      alert: { ...info.alert, reason: typeof decision?.reason === 'string' ? decision.reason : null },
      sets,
      augmented: await augmentedBatch(directory, config, classifier),
      layers: model.nodes.map(({ layer, inputShapes, shape }) => ({
        ...{ name: layer.name, kind: layer.kind, shape: shape.join(' × ') },
        parameters: layer.parameters(inputShapes[0]).reduce((sum, each) => sum + sizeOf(each.shape), 0),
      })),
      notes,
    };
  } finally {
    await classifier.destroy();
  }
}

async function bareReport(directory: string, config: Readonly<Record<string, unknown>>): Promise<ReportData> {
  const epochs = await readEpochs(directory);
  const settings = settingsOf(config);
  return {
    ...{ name: basename(join(directory, '.')), made: new Date().toISOString() },
    version: settings.find(([name]) => name === 'Version')?.[1] ?? '',
    ...{ live: null, classNames: [], alert: null, epochs, bestEpoch: bestEpoch(epochs)?.epoch ?? null },
    ...{ sets: [], heatSide: HEAT_SIDE, augmented: null, layers: [], audit: await auditOf(directory) },
    ...{ card: await readJson(directory, 'card.json'), settings, runs: await runsBeside(directory), notes: [] },
  };
}

const rounded = (value: number): number => Number(value.toPrecision(5));

async function reportedSet(
  use: PictureUse,
  all: readonly PredictedPicture[],
  classifier: NodeClassifier,
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
  const pictures = await reportedPictures(classifier, shown, onProgress);
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
  directory: string,
  config: Readonly<Record<string, unknown>>,
  { preparation, device, name }: NodeClassifier,
): Promise<ReportData['augmented']> {
  const augmentation = config['augmentation'] as AugmentationOptions | undefined;
  const lines = ((await readText(directory, 'pictures.jsonl')) ?? '')
    .split('\n')
    .filter((line) => line.includes('"training"'));
  if (!augmentation || lines.length === 0) return null;
  const step = lines.length / AUGMENTED;
  const chosen = lines.filter((_, at) => Math.floor(at / step) !== Math.floor((at - 1) / step)).slice(0, AUGMENTED);
  try {
    const files = chosen.map((line) => (JSON.parse(line) as { file: string }).file);
    const loaded = (await loadPictures(files, preparation.picture)).flatMap((one) =>
      'picture' in one ? [one.picture] : [],
    );
    if (loaded.length === 0) return null;
    const { width, height } = preparation.picture.size;
    const bytes = new Uint8Array(Buffer.concat(loaded.map(({ data }) => data)));
    const set = { name, pictures: bytes, pictureShape: [height, width, 3] as const };
    const flow = new DataFlow(set, { batchSize: loaded.length, shuffle: false, augmentation });
    const values = await renderBatch(device, flow, 0);
    const image = imageUrl(sideBySide(values, loaded.length, { width, height }), 85);
    return { image, words: `${loaded.length} pictures of the training as its steps saw them` };
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

/** The page lies elsewhere seen from dist/ than from src/; scripts/build.mjs makes it. */
const template = new URL(
  import.meta.url.endsWith('.js') ? '../../../report/report.html' : '../../../dist/report/report.html',
  import.meta.url,
);

/** The content policy of the page, as it stands in it: its own script may run, and nothing else. */
export const reportPolicy = (): string =>
  /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(readFileSync(template, 'utf8'))?.[1] ??
  "default-src 'none'";

function jsonOf(data: ReportData): string {
  try {
    return JSON.stringify(data);
  } catch (error) {
    throw new UsageError(`report: expects what reportOf gives, got ${(error as Error).message}`); // a BigInt, a circle
  }
}

/** The report as one HTML file. What pictures and classes are called is text in it, whatever it is. */
export function reportHtml(data: ReportData): string {
  expectObject(data, 'report: data');
  if (!Array.isArray(data.sets) || !Array.isArray(data.epochs))
    throw new UsageError(`report: expects what reportOf gives, got ${received(data)}`);
  const json = jsonOf(data).replace(
    /[<\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return readFileSync(template, 'utf8').replace('"DATA"', () => json);
}
