/** `beltnet predict`: what a model makes of pictures. One result a picture, sorted by path; bad files are named, never dropped. */
import { DataFlow, streamPictures, type Dataset, type PictureStream } from '../../src/index.node.js';
import { withDevice, type DeviceOptions } from '../terminal/device.js';
import {
  classProbabilities,
  compileModel,
  judge,
  openModel,
  type OpenedModel,
  type Verdict,
} from '../terminal/model-file.js';
import { note, Output, printable, showProgress, table } from '../terminal/output.js';

export interface PredictOptions extends DeviceOptions {
  readonly batch: number;
  readonly workers?: number;
  readonly json?: boolean;
  readonly csv?: boolean;
}

type Prediction = ({ readonly file: string } & Verdict) | { readonly file: string; readonly error: string };

/** The exit code of a DataError. */
const BAD_PICTURES = 3;

/** @returns the exit code: that of bad data if one picture could not be used, though all others were predicted */
export async function predict(modelPath: string, paths: readonly string[], options: PredictOptions): Promise<number> {
  const opened = await openModel(modelPath);
  const { info, size } = opened;
  const stream = await streamPictures(paths, {
    size,
    interpolation: info.preprocessing.interpolation,
    exif: info.preprocessing.exif ?? false,
    ...(info.preprocessing.region && { region: info.preprocessing.region }),
    ...(options.workers !== undefined && { workers: options.workers }),
  });
  const printer = printerFor(options);
  let bad = 0;
  const take = (indices: Uint32Array, scores: Float32Array): void => {
    const probabilities = classProbabilities(opened, scores);
    for (const [i, index] of indices.entries()) {
      const file = stream.files[index];
      const error = stream.errorOf(index);
      if (error !== null) bad++;
      printer.print(error === null ? { file, ...judge(probabilities[i], info) } : { file, error });
    }
    const done = indices[indices.length - 1] + 1;
    if (!options.json && !options.csv) showProgress(() => `Predicting ${done}/${stream.files.length}`);
  };
  try {
    await withDevice(options, async (device) => {
      compileModel(opened, device);
      await opened.model.predict(flowOf(stream, opened, options.batch), { onScores: take });
    });
  } finally {
    await stream.close();
  }
  printer.end();
  return bad === 0 ? 0 : BAD_PICTURES;
}

/** Nobody asks for the labels of pictures to predict. */
function flowOf({ files, pictures }: PictureStream, { info, size }: OpenedModel, batchSize: number): DataFlow {
  const dataset: Dataset = {
    ...{ name: 'pictures to predict', pictures, labels: new Uint8Array(files.length), classNames: info.classNames },
    ...{ pictureShape: [size.height, size.width, 3], files, skipped: [] },
  };
  const { rescale, normalization = {} } = info.preprocessing;
  return new DataFlow(dataset, { shuffle: false, batchSize, rescale, normalization });
}

interface Printer {
  print(prediction: Prediction): void;
  end(): void;
}

/** Programs get each line as soon as it is known; the table for people waits for the widths of its columns. */
function printerFor({ json, csv }: PredictOptions): Printer {
  const output = new Output({ json });
  if (json) return { print: (prediction) => output.emit(asJson(prediction)), end: () => {} };
  if (csv) {
    process.stdout.write(`${['file', 'class', 'probability', 'alert', 'error'].join(',')}\n`);
    return { print: (prediction) => void process.stdout.write(csvLine(prediction)), end: () => {} };
  }
  const rows = [['file', 'class', 'probability', 'alert']];
  const errors: string[] = [];
  return {
    print(one) {
      if ('error' in one) errors.push(one.error);
      else rows.push([one.file, one.className, one.probability.toFixed(4), one.alert ? 'ALERT' : '-'].map(printable));
    },
    end() {
      if (rows.length > 1) for (const line of table(rows)) output.say(line);
      for (const error of errors) note(`beltnet: ${error}`);
    },
  };
}

function asJson(prediction: Prediction): object {
  if ('error' in prediction) return prediction;
  const { className, ...rest } = prediction;
  return {
    file: rest.file,
    class: className,
    probability: rest.probability,
    probabilities: rest.probabilities,
    alert: rest.alert,
  };
}

function csvLine(prediction: Prediction): string {
  const cells =
    'error' in prediction
      ? [prediction.file, '', '', '', prediction.error]
      : [prediction.file, prediction.className, prediction.probability, prediction.alert, ''];
  return `${cells.map((cell) => csvCell(String(cell))).join(',')}\n`;
}

/**
 * RFC 4180: what would break the line apart goes in quotes, quotes are doubled. Names may hold anything: control characters are
 * written as on the terminal, and what a spreadsheet would take for a formula begins with an apostrophe. JSON has them as they are.
 */
function csvCell(text: string): string {
  const plain = printable(text);
  const safe = /^[=+\-@]/.test(plain) ? `'${plain}` : plain;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
