/** `beltnet predict`: what a model makes of pictures. One result a picture, sorted by path; bad files are named, never dropped. */
import { DataFlow, loadPictures, type Dataset, type LoadedPicture, type ModelInfo } from '../src/index.node.js';
import { withDevice, type DeviceOptions } from './device.js';
import { classProbabilities, compileModel, judge, openModel, type OpenedModel, type Verdict } from './model-file.js';
import { note, Output, printable, showProgress, table } from './terminal.js';

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
  const pictures = await loadPictures(paths, {
    size: opened.size,
    interpolation: opened.info.preprocessing.interpolation,
    ...(options.workers !== undefined && { workers: options.workers }),
    onProgress: (done, total) => showProgress(() => `Loading pictures ${done}/${total}`),
  });
  const predictions = await predictPictures(opened, pictures, options);
  print(predictions, options);
  const bad = predictions.filter((prediction) => 'error' in prediction).length;
  return bad === 0 ? 0 : BAD_PICTURES;
}

async function predictPictures(
  opened: OpenedModel,
  pictures: readonly LoadedPicture[],
  options: PredictOptions,
): Promise<Prediction[]> {
  const { model, info, size } = opened;
  const dataset = unlabelled(pictures, info, size);
  if (dataset.files.length === 0) return pictures.filter((picture) => 'error' in picture);
  return withDevice(options, async (device) => {
    compileModel(opened, device);
    const { rescale } = info.preprocessing;
    const flow = new DataFlow(dataset, { shuffle: false, batchSize: options.batch, rescale });
    const probabilities = classProbabilities(opened, await model.predict(flow));
    let next = 0;
    return pictures.map((picture) =>
      'error' in picture ? picture : { file: picture.file, ...judge(probabilities[next++], info) },
    );
  });
}

/** The pictures that could be read, in one piece; nobody asks for their labels. */
function unlabelled(
  loaded: readonly LoadedPicture[],
  info: ModelInfo,
  { width, height }: OpenedModel['size'],
): Dataset {
  const good = loaded.filter((picture) => 'picture' in picture);
  const length = width * height * 3;
  const pictures = new Uint8Array(good.length * length);
  for (const [index, { picture }] of good.entries()) pictures.set(picture.data, index * length);
  return {
    ...{ name: 'pictures to predict', pictures, labels: new Uint8Array(good.length), classNames: info.classNames },
    ...{ pictureShape: [height, width, 3], files: good.map(({ file }) => file), skipped: [] },
  };
}

function print(predictions: readonly Prediction[], { json, csv }: PredictOptions): void {
  if (json) {
    const output = new Output({ json });
    for (const prediction of predictions) output.emit(asJson(prediction));
  } else if (csv) {
    process.stdout.write(
      `${['file', 'class', 'probability', 'alert', 'error'].join(',')}\n${predictions.map(csvLine).join('')}`,
    );
  } else {
    const rows = predictions.flatMap((one) =>
      'error' in one
        ? []
        : [[one.file, one.className, one.probability.toFixed(4), one.alert ? 'ALERT' : '-'].map(printable)],
    );
    const output = new Output();
    if (rows.length > 0)
      for (const line of table([['file', 'class', 'probability', 'alert'], ...rows])) output.say(line);
    for (const one of predictions) if ('error' in one) note(`beltnet: ${one.error}`);
  }
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

/** RFC 4180: what would break the line apart goes in quotes, quotes are doubled. */
function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
