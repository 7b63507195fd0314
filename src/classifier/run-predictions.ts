/** What a run's best model says of the run's own pictures, picture by picture: a table that stays with the run. */
import { expectArray, expectFunction, expectText, expectObject, listOf, objectWith, orNull } from '../expect.js';
import type { Dataset } from '../data/dataset.js';
import { expectDevice, type Device } from '../tensor/device.js';
import { expectInfo, type ModelInfo } from '../formats/beltnet/info.js';
import { expectModel } from '../formats/finite-weights.js';
import { placeModel, type NamedModel } from './classifier.js';
import { ModelFileError } from '../errors.js';
import { decodeModel } from '../formats/beltnet/model.js';
import { csvLine } from './csv.js';
import { judgeSet, type JudgedSet } from './evaluation.js';
import { manifestLines, type PictureUse } from './picture-manifest.js';
import type { Run } from './run.js';
import { KNOWN_SECTIONS } from './tuning.js';

export type SetsOfRun = Readonly<Partial<Record<PictureUse, Dataset | null>>>;

export type JudgedSets = Readonly<Partial<Record<PictureUse, JudgedSet>>>;

const expectRun = objectWith({ path: expectFunction, read: expectFunction, writePredictions: expectFunction });

/**
 * Judges the run's pictures by its best model and writes predictions.csv: as the network says them, before any temperature.
 *
 * @returns what became of each set that is there
 */
export async function judgeRun(
  run: Run,
  device: Device,
  sets: SetsOfRun,
  options: { readonly batchSize?: number } = {},
): Promise<JudgedSets> {
  expectRun(run, 'judgeRun: run');
  expectDevice(device, 'judgeRun: device');
  expectObject(sets, 'judgeRun: sets');
  expectObject(options, 'judgeRun: options');
  const { info: tuned, ...named } = await bestModelOf(run);
  const { calibration: _, ...sections } = tuned.sections ?? {};
  const info = { ...tuned, sections };
  const judged = await judgeSets({ ...named, info }, device, sets, options);
  const manifest = await run.read('pictures');
  await run.writePredictions(predictionsTable(judged, info, manifest ? new TextDecoder().decode(manifest) : null));
  return judged;
}

/** The model of a run's best epoch. @throws ModelFileError where it has none */
export async function bestModelOf(run: Run): Promise<NamedModel> {
  expectRun(run, 'bestModelOf: run');
  const name = run.path('best');
  const bytes = await run.read('best');
  if (bytes === null) throw new ModelFileError(`${name}: expects the model of a run, got none`);
  return { name, ...decodeModel(bytes, name, { knownSections: KNOWN_SECTIONS, hash: run.hash }) };
}

/** What a model says of each set that is there. */
export async function judgeSets(
  named: NamedModel,
  device: Device,
  sets: SetsOfRun,
  options: { readonly batchSize?: number } = {},
): Promise<JudgedSets> {
  objectWith({ name: expectText })(named, 'judgeSets: model');
  expectModel(named.model, 'judgeSets');
  expectInfo(named.info, 'judgeSets');
  expectDevice(device, 'judgeSets: device');
  expectObject(sets, 'judgeSets: sets');
  expectObject(options, 'judgeSets: options');
  const { batchSize = 32 } = options;
  const placed = await placeModel(named, { device, batchSize }, () => Promise.resolve(device));
  try {
    const judged: Partial<Record<PictureUse, JudgedSet>> = {};
    for (const [use, dataset] of Object.entries(sets))
      if (dataset) judged[use as PictureUse] = await judgeSet(placed, dataset, { batchSize });
    return judged;
  } finally {
    placed.predictor.destroy();
    placed.model.destroy();
  }
}

const expectJudgedSet = objectWith({
  judged: objectWith({
    verdicts: listOf(objectWith({ class: expectText, probabilities: expectObject })),
    files: expectArray,
    labels: expectArray,
  }),
  unjudged: listOf(objectWith({ file: expectText })),
});

/**
 * `file,label,split,class,alert,unlike,unknown,pixels`, and the probability of each class; of a picture without a verdict the first three
 * and its pixels.
 *
 * @param manifest the run's pictures.jsonl, which has hashes of the pixels; without, there is no column for them
 */
export function predictionsTable(
  sets: Readonly<Partial<Record<PictureUse, JudgedSet>>>,
  info: Pick<ModelInfo, 'classNames'>,
  manifest: string | null = null,
): string {
  expectObject(sets, 'predictionsTable: sets');
  for (const set of Object.values(sets)) expectJudgedSet(set, 'predictionsTable: a set');
  objectWith({ classNames: expectArray })(info, 'predictionsTable: info');
  const { classNames } = info;
  orNull(expectText)(manifest, 'predictionsTable: manifest');
  const pixels = manifest === null ? null : pixelsByFile(manifest);
  const columns = ['file', 'label', 'split', 'class', 'alert', 'unlike', 'unknown', ...(pixels ? ['pixels'] : [])];
  let table = csvLine([...columns, ...classNames.map((name) => `p(${name})`)]);
  for (const [use, { judged, unjudged }] of Object.entries(sets)) {
    const hash = (file: string): (string | number)[] => (pixels ? [pixels.get(`${use} ${file}`) ?? ''] : []);
    for (const [n, { class: taken, alert, unlike = '', unknown = '', probabilities }] of judged.verdicts.entries()) {
      const values = classNames.map((name) => probabilities[name]);
      const file = judged.files[n];
      const row = [file, classNames[judged.labels[n]], use, taken, alert, unlike, unknown, ...hash(file)];
      table += csvLine([...row, ...values]);
    }
    for (const { file, label } of unjudged)
      table += csvLine([file, label, use, '', '', '', '', ...hash(file), ...classNames.map(() => '')]);
  }
  return table;
}

/** By set and file; a file may stand in two sets. */
const pixelsByFile = (manifest: string): ReadonlyMap<string, number> =>
  new Map(
    manifestLines(manifest).flatMap(({ set, file, pixels }) =>
      pixels === undefined ? [] : [[`${set} ${file}`, pixels] as const],
    ),
  );
