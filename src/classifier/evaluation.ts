/** A model measured on labelled pictures. */
import { inTurns } from '../turns.js';
import { expectModel } from '../formats/finite-weights.js';
import { expectDevice } from '../tensor/device.js';
import {
  type Check,
  expectArray,
  expectCount,
  expectList,
  expectObject,
  expectText,
  listOf,
  objectWith,
} from '../expect.js';
import { NotANumberError } from '../errors.js';
import { DataFlow } from '../data/batches.js';
import { expectDataset, type Dataset } from '../data/dataset.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { figuresOf, type Figures } from './alarm-figures.js';
import type { Classifier } from './classifier.js';
import { evidenceStepwise, type Evidence, type JudgedPictures } from './evidence.js';
import { logLoss } from './figures/probability-scores.js';
import { pixelHashes } from './pixel-hash.js';
import { pictureFaults, type PictureFault } from './picture-faults.js';
import { preparationOf } from './preparation.js';
import { Predictor } from './predictor.js';
import { judge, type Prediction, type Verdict } from './verdict.js';

export interface EvaluationOptions {
  /** Pictures a step. Default 32. */
  readonly batchSize?: number;
  /** Defects that spoil the pictures, from 0 (none, the default) to 1. */
  readonly difficulty?: number;
  /** Decides those defects. Default 0. */
  readonly seed?: number;
  /** What each picture belongs to, for the intervals; by default copies of a picture are one group. */
  readonly groups?: readonly string[] | undefined;
  /** Equal for copies of a picture, [N]; by default computed. */
  readonly pixels?: readonly number[] | undefined;
}

/** A compiled model, and where it is. */
type PlacedOnDevice = Pick<Classifier, 'model' | 'info' | 'device' | 'name'>;

const expectPlaced: Check = (value, what) => {
  expectObject(value, what);
  const { model, info, device } = value as PlacedOnDevice;
  expectModel(model, what);
  expectInfo(info, what);
  expectDevice(device, `${what}, device`);
};

/** All figures but the loss are of the pictures that have a verdict. */
export interface Evaluation extends Figures {
  readonly pictures: number;
  /** Mean loss of the network, before any temperature; null when a picture has no verdict, since the mean is no number then. */
  readonly loss: number | null;
  /** Pictures whose scores are no numbers. */
  readonly unjudged: readonly { readonly file: string; readonly label: string; readonly error: NotANumberError }[];
  /** Null when no picture has a verdict. */
  readonly evidence: Evidence | null;
  /** Whose pictures these are, and what was said of each. */
  readonly judged: JudgedPictures;
  /** Pictures unlike what the model was trained on, for models that can tell. */
  readonly unknown?: number;
  /** Pictures with each fault that there is, for models that can tell. */
  readonly faults?: Readonly<Partial<Record<PictureFault, number>>>;
}

/** @param dataset prepared by the classifier's own preparation, with its classes in their order */
export async function evaluateClassifier(
  placed: PlacedOnDevice,
  dataset: Dataset,
  options: EvaluationOptions = {},
): Promise<Evaluation> {
  expectPlaced(placed, 'the model to be judged');
  expectDataset(dataset, 'the pictures to judge by');
  expectObject(options, 'the options of an evaluation');
  const { model, info, device, name } = placed;
  const predictor = await Predictor.of(model, info, device, name);
  const flow = flowOver(dataset, info, options);
  const { predictions, loss: given } = await predictor.judge(flow).finally(() => predictor.destroy());
  const { judged, ...figures } = judgePredictions(predictions, dataset, info);
  const rows = predictions.map(({ probabilities }) => probabilities);
  const loss = figures.unjudged.length === 0 ? (given ?? logLoss(dataset.labels, rows)) : null;
  const { groups, pixels: hashes = await pixelHashes(dataset) } = options;
  const pictures = {
    ...judged,
    pixels: judged.indices.map((n) => hashes[n]),
    groups: groups && judged.indices.map((n) => groups[n]),
  };
  return { ...figures, loss, evidence: await inTurns(evidenceStepwise(pictures, info)), judged: pictures };
}

/** The pictures in their order, as they are but for the defects that are asked for. */
function flowOver(dataset: Dataset, info: ModelInfo, options: EvaluationOptions): DataFlow {
  const { batchSize = 32, difficulty = 0, seed = 0 } = options;
  const [height, width] = dataset.pictureShape;
  const { values } = preparationOf(info, { width, height });
  return new DataFlow(dataset, { batchSize, shuffle: false, seed, difficulty, ...values });
}

/** Verdicts on a set, and what they amount to. */
export type JudgedSet = Omit<Evaluation, 'loss' | 'evidence' | 'judged'> & {
  readonly judged: Pick<JudgedPictures, 'labels' | 'verdicts' | 'files'> & {
    /** Of the pictures with a verdict, in the set. */
    readonly indices: readonly number[];
  };
};

/** A compiled model's verdicts on labelled pictures, as figures. */
export async function judgeSet(
  placed: PlacedOnDevice,
  dataset: Dataset,
  options: EvaluationOptions = {},
): Promise<JudgedSet> {
  expectPlaced(placed, 'the model to be judged');
  expectDataset(dataset, 'the pictures to judge by');
  expectObject(options, 'the options of an evaluation');
  const { model, info, device, name } = placed;
  const predictor = await Predictor.of(model, info, device, name);
  const predictions = await predictor.predict(flowOver(dataset, info, options)).finally(() => predictor.destroy());
  return judgePredictions(predictions, dataset, info);
}

/** What was said of labelled pictures, [N], as figures. */
export function judgePredictions(
  predictions: readonly Prediction[],
  dataset: Pick<Dataset, 'labels' | 'files'>,
  info: ModelInfo,
): JudgedSet {
  expectArray(predictions, 'judgePredictions: predictions');
  objectWith({ labels: expectList, files: expectArray })(dataset, 'judgePredictions: dataset');
  expectInfo(info, 'judgePredictions');
  return judgedSetOf(
    predictions.map((prediction, n) => verdictOn(prediction, info, dataset.files[n])),
    dataset,
    info,
  );
}

/** A verdict, or why there is none. */
function verdictOn(prediction: Prediction, info: ModelInfo, file: string): Verdict | NotANumberError {
  try {
    return judge(prediction, info, file);
  } catch (error) {
    if (error instanceof NotANumberError) return error;
    throw error;
  }
}

function judgedSetOf(
  all: readonly (Verdict | NotANumberError)[],
  dataset: Pick<Dataset, 'files'> & { readonly labels: ArrayLike<number> },
  info: ModelInfo,
): JudgedSet {
  const verdicts: Verdict[] = [];
  const labels: number[] = [];
  const indices: number[] = [];
  const unjudged: { file: string; label: string; error: NotANumberError }[] = [];
  for (const [n, verdict] of all.entries()) {
    if (verdict instanceof NotANumberError) {
      unjudged.push({ file: dataset.files[n], label: info.classNames[dataset.labels[n]], error: verdict });
      continue;
    }
    verdicts.push(verdict);
    labels.push(dataset.labels[n]);
    indices.push(n);
  }
  const judged = { labels, verdicts, indices, files: indices.map((n) => dataset.files[n]) };
  const unknown = verdicts.filter((verdict) => verdict.unknown).length;
  const canTell = verdicts.some((verdict) => verdict.unknown !== undefined);
  const figures = figuresOf(labels, verdicts, info);
  return {
    pictures: verdicts.length,
    ...figures,
    unjudged,
    judged,
    ...(canTell && { unknown }),
    ...faultsAmong(verdicts),
  };
}

/** What a share of an evaluation says of one picture. */
export interface EvaluationLine {
  readonly file: string;
  /** The class's index. */
  readonly label: number;
  /** See `pixelHashes`. */
  readonly pixels: number;
  readonly group?: string | undefined;
  /** Whether it trained the model, where that is known. */
  readonly trained?: boolean | undefined;
  /** As the network gives them, before any temperature; where there is a verdict. */
  readonly probabilities?: readonly number[] | undefined;
  readonly verdict: Verdict | { readonly error: string };
}

/** What the model says of some of the pictures that are to be judged, for `evaluationOf`. */
export async function evaluateShare(
  placed: PlacedOnDevice,
  dataset: Dataset,
  options: Pick<EvaluationOptions, 'batchSize' | 'groups'> & {
    /** Where that is known, of each picture whether it trained the model. */
    readonly trained?: ((pixels: number) => boolean) | undefined;
  },
): Promise<EvaluationLine[]> {
  expectPlaced(placed, 'the model to be judged');
  expectDataset(dataset, 'the pictures to judge by');
  expectObject(options, 'the options of an evaluation');
  const { model, info, device, name } = placed;
  const { groups, trained } = options;
  const pixels = await pixelHashes(dataset);
  const predictor = await Predictor.of(model, info, device, name);
  const { predictions } = await predictor.judge(flowOver(dataset, info, options)).finally(() => predictor.destroy());
  return predictions.map((prediction, n) => {
    const verdict = verdictOn(prediction, info, dataset.files[n]);
    const has = !(verdict instanceof NotANumberError);
    return {
      file: dataset.files[n],
      label: dataset.labels[n],
      pixels: pixels[n],
      ...(groups && { group: groups[n] }),
      ...(trained && { trained: trained(pixels[n]) }),
      ...(has && { probabilities: prediction.probabilities }),
      verdict: has ? verdict : { error: verdict.message },
    };
  });
}

/**
 * The figures of pictures that several processes have judged, as `evaluateClassifier` gives them of all; the loss is that of the
 * probabilities, which is the network's to the precision of float32.
 */
export async function evaluationOf(lines: readonly EvaluationLine[], info: ModelInfo): Promise<Evaluation> {
  expectArray(lines, 'evaluationOf: lines');
  listOf(objectWith({ file: expectText, label: expectCount, verdict: expectObject }))(lines, 'evaluationOf: lines');
  expectInfo(info, 'evaluationOf');
  const labels = lines.map(({ label }) => label);
  const { judged, ...figures } = judgedSetOf(
    lines.map(({ verdict }) => ('error' in verdict ? new NotANumberError(verdict.error) : verdict)),
    { labels, files: lines.map(({ file }) => file) },
    info,
  );
  const rows = lines.flatMap(({ probabilities }) => (probabilities ? [probabilities] : []));
  const pictures = {
    ...judged,
    pixels: judged.indices.map((n) => lines[n].pixels),
    groups: lines.some(({ group }) => group !== undefined)
      ? judged.indices.map((n) => lines[n].group ?? lines[n].file)
      : undefined,
  };
  const loss = figures.unjudged.length === 0 && lines.length > 0 ? logLoss(labels, rows) : null;
  return { ...figures, loss, evidence: await inTurns(evidenceStepwise(pictures, info)), judged: pictures };
}

/** The class that all pictures were taken for, where there are others among them; else null: such a model has learned nothing. */
export function onlyClass(figures: Pick<Figures, 'classes'>): string | null {
  objectWith({ classes: expectObject })(figures, 'onlyClass: figures');
  const { classes } = figures;
  for (const one of Object.values(classes)) objectWith({ takenFor: expectObject })(one, 'onlyClass: a class');
  const all = Object.values(classes);
  const present = all.filter(({ pictures }) => pictures > 0).length;
  const predicted = Object.keys(classes).filter((name) => all.some(({ takenFor }) => takenFor[name] > 0));
  return present > 1 && predicted.length === 1 ? predicted[0] : null;
}

function faultsAmong(verdicts: readonly Verdict[]): Pick<Evaluation, 'faults'> {
  if (verdicts.every(({ faults }) => faults === undefined)) return {};
  const counted = pictureFaults.map(
    (fault) => [fault, verdicts.filter(({ faults = [] }) => faults.includes(fault)).length] as const,
  );
  return { faults: Object.fromEntries(counted.filter(([, count]) => count > 0)) };
}
