/** Trial, proof, and files in and out: what the page can ask of models. */
import type {
  Evaluation,
  ExportFormat,
  Interval,
  PictureUse,
  ThresholdChoice,
  ThresholdCriterion,
  Verdict,
} from '../../../src/index.js';
import type { NamedBlob, PictureId, ProjectState } from './protocol-projects.js';

/** A file, a frame, or a picture of the project. */
export type TriedPicture = Blob | ImageData | ImageBitmap | VideoFrame | { readonly picture: PictureId };

export interface Trial {
  /** What the model of the run is; null while there is none. */
  model(): Promise<ModelState | null>;
  /** What the model says about a picture. Frames are closed. */
  classify(picture: TriedPicture): Promise<Judged>;
  /** What speaks for the class that was taken (Grad-CAM), over the picture. */
  heatMap(picture: TriedPicture, className?: string): Promise<Explained>;
  /** What the model says of the pictures that judge it: of a test, else those that were held back, else of all. */
  evaluation(): Promise<Evaluated>;
  /** The threshold of the smallest expected cost, or of another criterion, on pictures that did not train the model; nothing is changed. */
  chooseThreshold(criterion: ThresholdCriterion): Promise<ThresholdChoice>;
  /** Chooses by a criterion, and puts the threshold into the model with its reason, as `beltnet threshold --write` does. */
  decide(criterion: ThresholdCriterion): Promise<ModelState>;
  /** Puts a threshold into the model, with its reason. */
  setThreshold(threshold: number, reason?: string): Promise<ModelState>;
  /** Fits a temperature on the validation pictures, after which probabilities mean what they say. */
  calibrate(): Promise<ModelState>;
}

export interface ModelState {
  readonly run: string;
  readonly classNames: readonly string[];
  readonly size: { readonly width: number; readonly height: number };
  readonly alert: { readonly className: string; readonly threshold: number; readonly reason: string | null };
  readonly calibrated: boolean;
  /** Whether it tells pictures unlike those of its training. */
  readonly tellsUnknown: boolean;
  readonly parameters: number;
  readonly weightsHash: string;
}

export interface Judged extends Verdict {
  readonly milliseconds: number;
}

export interface Explained {
  readonly className: string;
  /** Picture and heat in one, in the size of the picture (longest side at most 512). */
  readonly overlay: ImageBitmap;
  readonly side: number;
  /** [side, side], from 0 to 255: what speaks for the class. */
  readonly heat: Uint8Array;
}

export interface Evaluated {
  readonly use: PictureUse;
  readonly classNames: readonly string[];
  /** [label][taken] */
  readonly confusion: readonly (readonly number[])[];
  readonly figures: Pick<Evaluation, 'accuracy' | 'classes' | 'alert' | 'pictures'>;
  readonly balancedAccuracy: number;
  /** 95 % intervals, where they can be had. */
  readonly intervals: {
    readonly accuracy: Interval | null;
    readonly missRate: Interval | null;
    readonly falseAlarmRate: Interval | null;
  };
  /** Whether so few different pictures say nothing about others. */
  readonly isNoEvidence: boolean;
  readonly unknown: number | null;
  readonly pictures: readonly EvaluatedPicture[];
  readonly unjudged: readonly { readonly file: string; readonly reason: string }[];
}

export interface EvaluatedPicture {
  /** Null for a picture that the project no longer has. */
  readonly id: PictureId | null;
  readonly file: string;
  readonly label: string;
  readonly class: string;
  readonly probability: number;
  /** Of the alert's class. */
  readonly alarm: number;
  readonly alert: boolean;
  readonly unknown: boolean;
}

// --- prove

export interface Proof {
  /** Every operation on this device against float64 and finite differences; each as an event `check`. */
  gradcheck(): Promise<{
    readonly device: string;
    readonly passed: boolean;
    readonly checks: readonly CheckedOperation[];
  }>;
  /**
   * Compares with the predictions.csv of the command line (of `train`, or of `predict --csv`), picture by picture.
   * @param pictures the pictures.jsonl of that run: for tables of older versions, which have no hashes of the pixels
   */
  compare(table: Blob, pictures?: Blob): Promise<Compared>;
  /** Of the model of the run. */
  weightsHash(): Promise<string>;
  /** Trains the run's options again, reproducibly, and forgets the model: its weights' hash is that of the command line's. */
  trainAgain(): Promise<TrainedAgain>;
  stop(): Promise<void>;
}

export interface CheckedOperation {
  readonly name: string;
  readonly passed: boolean;
  /** The largest error, as a part of what is tolerated. */
  readonly error: number;
  readonly tolerance: number;
}

export interface Compared {
  readonly tolerance: number;
  /** Whether no probability differs by more than that, and no pixels differ. */
  readonly passed: boolean;
  readonly worstDifference: number;
  readonly classNames: readonly string[];
  readonly pictures: readonly ComparedPicture[];
  /** Rows of the table without a picture here, and pictures without a row. */
  readonly onlyThere: readonly string[];
  readonly onlyHere: readonly string[];
}

export interface ComparedPicture {
  readonly id: PictureId;
  readonly file: string;
  /** Of each class; NaN where the table does not tell it. */
  readonly here: readonly number[];
  readonly there: readonly number[];
  readonly difference: number;
  /** Hash of the pixels as the model sees them, as in a run's pictures.jsonl; `there` is null where the table has none. */
  readonly pixelsHere: string;
  readonly pixelsThere: string | null;
}

export interface TrainedAgain {
  readonly weightsHash: string;
  /** Whether the run itself was reproducible, and its hash the same; null where it was not reproducible. */
  readonly equal: boolean | null;
  /** The line that gives the same hash on the saved project. */
  readonly command: string;
}

// --- in and out

export interface Files {
  /** The model of the run: `safetensors` is beltnet's own file. */
  exportModel(format: ModelFormat): Promise<NamedBlob>;
  /** A model file of beltnet, Keras (.keras, .h5) or ONNX, as a run of its own. */
  importModel(file: Blob, name: string): Promise<ProjectState>;
  /** The run's folder as a zip, as the command line leaves it. */
  exportRun(): Promise<NamedBlob>;
  /** A run's folder from a zip. */
  importRun(zip: Blob, name?: string): Promise<ProjectState>;
  /** predictions.csv of the run. */
  exportPredictions(): Promise<NamedBlob>;
  /** The report as one HTML file, the same as `beltnet report` writes. */
  report(): Promise<NamedBlob>;
}

export type ModelFormat = 'safetensors' | ExportFormat;
