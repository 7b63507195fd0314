/**
 * Whether a model says the same wherever it runs: the same pictures on every device at hand, in its ONNX file, and in a page, all
 * against the plain kernels in float64.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { decode } from '../../data/pictures/decode.js';
import { readPictureBytes } from '../../data/pictures/read-picture.node.js';
import type { Size } from '../../data/pictures/resize.js';
import { withSlashes } from '../../data/sources/folder.node.js';
import { loadPictures } from '../../data/store/stream-pictures.node.js';
import { DataError, UsageError } from '../../errors.js';
import { expectFunction, expectPath, objectWith, perhaps } from '../../expect.js';
import { readWholeFile } from '../../files.node.js';
import { changeModelFile, MODEL_FILE } from '../../formats/beltnet/model.node.js';
import { listAdapters } from '../../tensor/open-device.node.js';
import type { DeviceName } from '../../tensor/open-device.js';
import { ReferenceDevice } from '../../tensor/reference/reference-device.js';
import { loadClassifier, openModelFile, type NodeClassifier } from '../classifier.node.js';
import { withTemperature } from '../figures/temperature.js';
import { exportModel } from '../export-model.js';
import { PARITY_TOLERANCE, withVerdicts } from '../stored-verdicts.js';
import { KNOWN_SECTIONS, temperatureOf } from '../tuning.js';
import { classProbabilities } from '../verdict.js';
import type { CardParity } from './card.js';

export interface ParityOptions {
  /** Whether an ONNX file is compared, where onnxruntime-web is installed. Default false. */
  readonly onnx?: boolean;
  /** An ONNX file that was made of the model. Default: a new one, not written anywhere. */
  readonly onnxFile?: string | undefined;
  /** A table that a page or `predict --csv` wrote: file, class, probability, or p(CLASS). */
  readonly table?: string | undefined;
  /** Whether the model file keeps some of the pictures with their verdicts, if all ways agree. Default false. */
  readonly store?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/** One way of computing, and how far it is from the reference. */
export type ParityWay = CardParity['ways'][number];

export interface Parity extends CardParity {
  readonly model: string;
  /** Of the pictures as the model sees them. */
  readonly size: Size;
  /** SHA-256 of the pixels as the model sees them: of each picture, and of all. */
  readonly pixels: readonly { readonly file: string; readonly sha256: string }[];
  readonly allPixels: string;
  /** Pictures that could not be read, and ways that could not be tried, and why. */
  readonly notes: readonly string[];
}

const expectOptions = objectWith({
  ...{ onnxFile: perhaps(expectPath), table: perhaps(expectPath), onProgress: perhaps(expectFunction) },
});

interface Sample {
  readonly file: string;
  readonly data: Uint8Array;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Where there is no number the difference is the largest that probabilities can have. */
const largest = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, Number.isNaN(value) ? 1 : value), 0);

function wayOf(way: string, got: readonly number[], expected: readonly number[]): ParityWay {
  const worstDifference =
    got.length === expected.length ? largest(got.map((value, n) => Math.abs(value - expected[n]))) : 1;
  return { way, worstDifference, passed: worstDifference <= PARITY_TOLERANCE };
}

/**
 * Compares all ways to compute what a model says of the pictures of a folder.
 * @throws DataError for a folder without pictures that can be read, or a table or an ONNX file that does not fit; UsageError where
 * onnxruntime-web is needed and not installed
 */
export async function compareEverywhere(
  given: string,
  directory: string,
  options: ParityOptions = {},
): Promise<Parity> {
  expectPath(given, 'compareEverywhere: model');
  expectPath(directory, 'compareEverywhere: directory');
  expectOptions(options, 'compareEverywhere: options');
  const reference = await loadClassifier(given, { device: new ReferenceDevice() });
  const { name, preparation } = reference;
  const loaded = await loadPictures([directory], {
    ...preparation.picture,
    ...(options.onProgress && { onProgress: options.onProgress }),
  });
  const notes = loaded.flatMap((each) => ('error' in each ? [`skipped: ${each.error}`] : []));
  const samples = loaded.flatMap((each): Sample[] =>
    'picture' in each ? [{ file: each.file, data: each.picture.data }] : [],
  );
  if (samples.length === 0) throw new DataError(`${directory}: expected pictures that can be read, got none`);
  const pictures = new Uint8Array(Buffer.concat(samples.map(({ data }) => data)));
  const rows = (await reference.predict(pictures)).map(({ probabilities }) => probabilities);
  const expected = rows.flat();
  // Files and tables have the probabilities of a calibrated model as people see them.
  const temperature = temperatureOf(reference.info, name);
  const calibrated = rows.map((row) => withTemperature(row, temperature));

  // What may be refused comes first.
  const runtime = options.onnx || options.onnxFile !== undefined ? await loadOnnxruntime() : null;
  if (!runtime && options.onnxFile !== undefined) throw new UsageError(`parity: ${NO_RUNTIME}`);
  const table = options.table === undefined ? [] : [await inTable(options.table, reference, samples, calibrated)];
  const ways: ParityWay[] = [];
  const devices: DeviceName[] = (await listAdapters()).length > 0 ? ['cpu', 'webgpu'] : ['cpu'];
  for (const device of devices) ways.push(await onDevice(given, { device }, pictures, expected));
  ways.push(await onDevice(given, { device: 'cpu', relaxedSimd: false }, pictures, expected));
  if (runtime) ways.push(await inOnnx(runtime, reference, samples, options.onnxFile, calibrated.flat()));
  else if (options.onnx) notes.push(`note: ${NO_RUNTIME}`);
  ways.push(...table);
  const passed = ways.every((each) => each.passed);
  if (options.store && passed) await storeVerdicts(reference, samples, rows);
  await reference.destroy();
  return {
    ...{ model: name, size: preparation.picture.size },
    ...{
      passed,
      pictures: samples.length,
      tolerance: PARITY_TOLERANCE,
      ways,
      notes,
    },
    pixels: samples.map(({ file, data }) => ({ file, sha256: sha256(data) })),
    allPixels: sha256(pictures),
  };
}

/** Spread over the folder, so that every class is likely to be among them. */
const STORED = 16;

async function storeVerdicts(
  { name, preparation: { picture } }: NodeClassifier,
  samples: readonly Sample[],
  rows: readonly (readonly number[])[],
): Promise<void> {
  const count = Math.min(STORED, samples.length);
  const chosen = Array.from({ length: count }, (_, n) => Math.floor((n * samples.length) / count));
  const pictures = new Uint8Array(Buffer.concat(chosen.map((at) => samples[at].data)));
  const probabilities = Float32Array.from(chosen.flatMap((at) => rows[at]));
  const { height, width } = picture.size;
  await changeModelFile(name, name, (info) => withVerdicts(info, { pictures, probabilities }, height, width), {
    knownSections: KNOWN_SECTIONS,
  });
}

async function onDevice(
  given: string,
  options: { readonly device: DeviceName; readonly relaxedSimd?: boolean },
  pictures: Uint8Array,
  expected: readonly number[],
): Promise<ParityWay> {
  const classifier = await loadClassifier(given, options);
  const { name } = classifier.device.description;
  const got = (await classifier.predict(pictures)).flatMap(({ probabilities }) => probabilities);
  await classifier.destroy();
  return wayOf(name, got, expected);
}

/** What of onnxruntime-web is used here. */
interface Onnxruntime {
  readonly env: { readonly wasm: { numThreads?: number } };
  readonly InferenceSession: {
    create(bytes: Uint8Array): Promise<{
      readonly inputNames: readonly string[];
      readonly outputNames: readonly string[];
      run(feeds: Record<string, unknown>): Promise<Record<string, { readonly data: unknown }>>;
      release(): Promise<void>;
    }>;
  };
  readonly Tensor: new (type: 'uint8', data: Uint8Array, shape: readonly number[]) => unknown;
}

const NO_RUNTIME =
  'expected onnxruntime-web, which runs the ONNX file, got none, so that the export is not compared; "npm install onnxruntime-web" brings it';

/** Null where it is not installed. */
async function loadOnnxruntime(): Promise<Onnxruntime | null> {
  const library = 'onnxruntime-web'; // a name in a variable: who compiles against beltnet need not have it
  try {
    return (await import(library)) as Onnxruntime;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return null;
    throw error;
  }
}

/** As `beltnet export` makes it. */
async function newExport(name: string): Promise<Uint8Array> {
  const { model, info } = await openModelFile(name, { knownSections: KNOWN_SECTIONS });
  return exportModel(model, info, 'onnx', { withPreprocessing: true, name });
}

/** Picture by picture, as a program would that has nothing but the file: nearest is done in the graph, other filters before it. */
async function inOnnx(
  runtime: Onnxruntime,
  { model, name, preparation }: NodeClassifier,
  samples: readonly Sample[],
  file: string | undefined,
  expected: readonly number[],
): Promise<ParityWay> {
  runtime.env.wasm.numThreads = 1;
  const bytes = file === undefined ? await newExport(name) : await readWholeFile(file, MODEL_FILE);
  const session = await runtime.InferenceSession.create(bytes).catch((error: unknown) => {
    throw new DataError(`${file ?? name}: expected an ONNX file, but onnxruntime says: ${(error as Error).message}`);
  });
  const [input] = session.inputNames;
  if (input !== 'pictures')
    throw new DataError(
      `${file}: expected an ONNX file that takes pictures, got one that takes '${input}'; export it --with-preprocessing`,
    );
  const { size, interpolation, exif = false } = preparation.picture;
  const got: number[] = [];
  for (const sample of samples) {
    const picture =
      interpolation === 'nearest'
        ? decode(readPictureBytes(sample.file), sample.file, { exif })
        : { ...size, data: sample.data };
    const tensor = new runtime.Tensor('uint8', picture.data, [1, picture.height, picture.width, 3]);
    const results = await session.run({ [input]: tensor });
    got.push(...classProbabilities(results[session.outputNames[0]].data as Float32Array, model.units)[0]);
  }
  await session.release();
  return wayOf(`onnxruntime-web, ${file ?? 'a new export'}`, got, expected);
}

/** A table of another program, whose files are matched by their names. */
async function inTable(
  path: string,
  { info }: NodeClassifier,
  samples: readonly Sample[],
  expected: readonly (readonly number[])[],
): Promise<ParityWay> {
  const kind = {
    what: 'a table of predictions',
    mostBytes: 2 ** 28,
    refuse: (message: string) => new DataError(message),
  };
  const { default: Papa } = await import('papaparse');
  const { data, meta } = Papa.parse<Record<string, string>>(
    Buffer.from(await readWholeFile(path, kind)).toString('utf8'),
    {
      header: true,
      skipEmptyLines: true,
    },
  );
  const columns = meta.fields ?? [];
  const { classNames } = info;
  const hasAll = classNames.every((name) => columns.includes(`p(${name})`));
  if (!columns.includes('file') || !(hasAll || (columns.includes('class') && columns.includes('probability'))))
    throw new DataError(
      `${path}: expected a table with the columns file, class and probability (or p(CLASS) of every class), got ${columns.join(', ').slice(0, 120)}`,
    );
  const differences = samples.map(({ file }, n) => {
    const row = rowOf(data, file, path);
    if (hasAll)
      return largest(classNames.map((name, k) => Math.abs(Number(row[`p(${name})`] || NaN) - expected[n][k])));
    const label = classNames.indexOf(row['class']);
    return label < 0 ? NaN : Math.abs(Number(row['probability'] || NaN) - expected[n][label]);
  });
  const worstDifference = largest(differences);
  return { way: `the table ${basename(path)}`, worstDifference, passed: worstDifference <= PARITY_TOLERANCE };
}

/**
 * The line of a picture: of the same name, and where there are several, in a folder of the same name. Other programs know other paths.
 * @throws DataError unless there is one
 */
function rowOf(rows: readonly Record<string, string>[], file: string, table: string): Record<string, string> {
  const end = (given: string, parts: number): string => withSlashes(given).split('/').slice(-parts).join('/');
  const named = rows.filter((row) => end(row['file'], 1) === end(file, 1));
  const found = named.length > 1 ? named.filter((row) => end(row['file'], 2) === end(file, 2)) : named;
  if (found.length === 1) return found[0];
  throw new DataError(
    `${table}: expected one line for ${end(file, 2)}, got ${found.length === 0 ? 'none' : found.length}; predict the same pictures there`,
  );
}
