/** The model of the run, tried: on pictures, on frames of the camera, and on the pictures that judge it. */
import {
  balancedAccuracy,
  chooseThresholdInTurns,
  Classifier,
  cropPicture,
  decode,
  DataError,
  decodeModel,
  evidenceOf,
  explainPictures,
  figuresOf,
  isNoEvidence,
  KNOWN_SECTIONS,
  openClassifier,
  overlay,
  parsePredictions,
  prepare,
  changeInfo,
  reasonOf,
  resize,
  rowsAsNow,
  runFiles,
  scaled,
  stretched,
  temperatureOf,
  weightsHash,
  withCalibration,
  withDecision,
  withThreshold,
  type Interval,
  type IntervalOrReason,
  type ModelInfo,
  type Picture,
  type PictureUse,
  type PredictionRow,
  type ThresholdChoice,
  type ThresholdCriterion,
  type Verdict,
} from '../../../src/index.js';
import { bitmapOf, pixelsOf } from './frames.js';
import { bytesOf, finderFor, recordOf } from './pictures.js';
import type { Evaluated, Explained, Judged, ModelState, PictureId, Trial, TriedPicture } from './protocol.js';
import { recorded } from './run-record.js';
import { currentRun, filesOf, runOf } from './runs.js';
import type { Session } from './session.js';

const HEAT_SIDE = 14;
const SHOWN = 512;

export class TrialRoom implements Trial {
  readonly #session: Session;
  #open: { readonly key: string; readonly classifier: Promise<Classifier> } | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  async #bytes(): Promise<{ run: string; bytes: Uint8Array } | null> {
    const { run } = this.#session.project.record;
    const bytes = run === null ? null : await filesOf(this.#session, run).read(runFiles.best);
    return run !== null && bytes ? { run, bytes } : null;
  }

  /** The classifier of the run's best model; a new one when that has changed. @throws DataError without a model */
  async classifier(): Promise<Classifier> {
    const found = await this.#bytes();
    if (!found) throw new DataError('expects a model, got none yet: train first, or open one');
    const { run, bytes } = found;
    const device = await this.#session.device();
    // A checksum stands in each model file: another file is another model, other thresholds among it.
    const key = `${this.#session.project.id} ${run} ${device.description.name} ${hashOf(bytes)}`;
    if (this.#open?.key !== key) {
      void this.#open?.classifier.then((old) => old.destroy()).catch(() => {});
      const classifier = openClassifier(bytes, { device, name: run });
      classifier.catch(() => (this.#open = null));
      this.#open = { key, classifier };
    }
    return this.#open.classifier;
  }

  /** Before the device goes. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.classifier.then((classifier) => classifier.destroy()).catch(() => {});
  }

  async model(): Promise<ModelState | null> {
    const found = await this.#bytes();
    if (!found) return null;
    const { model, info } = decodeModel(found.bytes, found.run, { knownSections: KNOWN_SECTIONS });
    const [height, width] = model.inputShape;
    const decision = info.sections?.['decision']?.value as { reason?: string } | undefined;
    return {
      ...{ run: found.run, classNames: info.classNames, size: { width, height } },
      alert: { ...info.alert, reason: decision?.reason ?? null },
      calibrated: temperatureOf(info) !== 1,
      tellsUnknown: info.sections?.['unlike'] !== undefined,
      ...{ parameters: model.countParameters(), weightsHash: await weightsHash(model) },
    };
  }

  /** Decoded, and turned where the model wants that. */
  async #whole(picture: TriedPicture, exif: boolean): Promise<Picture> {
    if (picture instanceof Blob) return decode(new Uint8Array(await picture.arrayBuffer()), 'the picture', { exif });
    if ('picture' in picture) {
      const { file } = recordOf(this.#session.project, picture.picture);
      return decode(await bytesOf(this.#session, picture.picture), file, { exif });
    }
    return pixelsOf(picture);
  }

  async classify(picture: TriedPicture): Promise<Judged> {
    const classifier = await this.classifier();
    const start = performance.now();
    const verdict = await classifier.classify(await this.#whole(picture, classifier.preparation.picture.exif ?? false));
    return { ...verdict, milliseconds: performance.now() - start };
  }

  async heatMap(picture: TriedPicture, className?: string): Promise<Explained> {
    const classifier = await this.classifier();
    const { region, exif = false } = classifier.preparation.picture;
    const whole = await this.#whole(picture, exif);
    const name = className ?? (await classifier.classify(whole)).class;
    const prepared = prepare(whole, classifier.preparation.picture);
    const [map] = await explainPictures(classifier, prepared.data, [name]);
    const seen = region ? cropPicture(whole, region) : whole;
    const { values } = scaled(stretched(map, { width: HEAT_SIDE, height: HEAT_SIDE }));
    const heat = Uint8Array.from(values, (value) => Math.round(255 * value));
    return { className: name, overlay: await bitmapOf(overlay(smaller(seen), scaled(map))), side: HEAT_SIDE, heat };
  }

  /** What the run's best model said of its pictures. */
  async #judged(): Promise<{
    use: PictureUse;
    rows: readonly PredictionRow[];
    info: ModelInfo;
    find: (file: string) => PictureId | null;
  }> {
    const run = currentRun(this.#session);
    const files = filesOf(this.#session, run);
    const { info } = await this.classifier();
    const table = await files.read(runFiles.predictions);
    if (!table)
      throw new DataError(
        `${run}: expects predictions.csv, got none: the run was imported without, or has not ended yet`,
      );
    const all = await parsePredictions(new TextDecoder().decode(table), `${run}/predictions.csv`);
    const use =
      (['test', 'validation', 'training'] as const).find((part) => all.some(({ split }) => split === part)) ??
      'training';
    const find = await finderFor(this.#session, files);
    return { use, rows: all.filter(({ split }) => split === use), info, find };
  }

  async evaluation(): Promise<Evaluated> {
    const { use, rows, info, find } = await this.#judged();
    const { classNames } = info;
    const judged = rowsAsNow(rows, info)
      .filter((row) => row.class !== '')
      .map((row) => ({ row, verdict: { ...row, probability: row.probabilities[row.class] } satisfies Verdict }));
    const labels = judged.map(({ row }) => classNames.indexOf(row.label));
    const verdicts = judged.map(({ verdict }) => verdict);
    const files = judged.map(({ row }) => row.file);
    const figures = figuresOf(labels, verdicts, info);
    const evidence = evidenceOf({ labels, verdicts, files, pixels: files }, info);
    const confusion = classNames.map((label) => classNames.map((taken) => figures.classes[label].takenFor[taken] ?? 0));
    return {
      ...{ use, classNames, confusion, figures: { ...figures, pictures: verdicts.length } },
      balancedAccuracy: balancedAccuracy(confusion),
      intervals: {
        accuracy: intervalOf(evidence?.accuracy),
        missRate: intervalOf(evidence?.missRate),
        falseAlarmRate: intervalOf(evidence?.falseAlarmRate),
      },
      isNoEvidence: evidence === null || isNoEvidence(evidence),
      unknown: verdicts.some(({ unknown }) => unknown !== undefined)
        ? verdicts.filter(({ unknown }) => unknown).length
        : null,
      pictures: judged.map(({ row, verdict }) => ({
        ...{ id: find(row.file), file: row.file, label: row.label, class: verdict.class },
        ...{ probability: verdict.probability, alarm: verdict.probabilities[info.alert.className] },
        ...{ alert: verdict.alert, unknown: verdict.unknown ?? false },
      })),
      unjudged: rows.flatMap(({ file, class: taken }) =>
        taken === '' ? [{ file, reason: 'its scores are no numbers' }] : [],
      ),
    };
  }

  async chooseThreshold(criterion: ThresholdCriterion): Promise<ThresholdChoice> {
    const { rows, info } = await this.#choosing();
    const { className } = info.alert;
    return chooseThresholdInTurns(
      rows.map(({ label }) => Number(label === className)),
      rows.map(({ probabilities }) => probabilities[className]),
      criterion,
      {},
    );
  }

  /** Pictures that may choose: those of the validation. @throws DataError where there are none */
  async #choosing(): Promise<{ rows: readonly PredictionRow[]; info: ModelInfo }> {
    const run = currentRun(this.#session);
    const { info } = await this.classifier();
    const table = await filesOf(this.#session, run).read(runFiles.predictions);
    const all = table ? await parsePredictions(new TextDecoder().decode(table), `${run}/predictions.csv`) : [];
    const rows = all.filter(({ split, class: taken }) => split === 'validation' && taken !== '');
    if (rows.length > 0) return { rows: rowsAsNow(rows, info), info };
    throw new DataError(
      'expects pictures that neither trained the model nor will judge it, got none: 15 % are held back of classes with 20 pictures or more; add pictures, or put some aside for validation, and train again',
    );
  }

  async setThreshold(threshold: number, reason?: string): Promise<ModelState> {
    await this.#change('threshold', { reason: reason ?? null }, (info) => {
      const { decision: _, ...others } = info.sections ?? {};
      const sections = reason === undefined ? others : { ...others, decision: { value: { threshold, reason } } };
      return { ...withThreshold(info, threshold), sections };
    });
    return (await this.model()) as ModelState;
  }

  /** Chooses by a criterion, and puts the threshold into the model as the command line does. */
  async decide(criterion: ThresholdCriterion): Promise<ModelState> {
    const choice = await this.chooseThreshold(criterion);
    const pictures = { data: this.#session.project.record.name, part: 'validation' as const };
    const facts = { reason: reasonOf(criterion), ...pictures };
    await this.#change('threshold', facts, (info) => withDecision(info, criterion, choice, pictures));
    return (await this.model()) as ModelState;
  }

  async calibrate(): Promise<ModelState> {
    const { rows, info } = await this.#choosing();
    const { classNames } = info;
    const labels = rows.map(({ label }) => classNames.indexOf(label));
    const probabilities = rows.map((row) => classNames.map((name) => row.probabilities[name]));
    const pictures = { data: this.#session.project.record.name, part: 'validation' as const };
    const tuned = withCalibration(info, labels, probabilities, pictures);
    await this.#change('calibrate', { ...tuned.calibration, ...pictures }, () => tuned.info);
    return (await this.model()) as ModelState;
  }

  /** @param facts what the run's record keeps of it, beside the thresholds */
  async #change(
    event: 'threshold' | 'calibrate',
    facts: object,
    change: (info: ModelInfo) => ModelInfo,
  ): Promise<void> {
    const run = runOf(this.#session, currentRun(this.#session));
    const bytes = await run.read('best');
    if (!bytes) throw new DataError(`${run.directory}: expects a model, got none yet: train first`);
    await recorded(run, event, async () => {
      let [before, threshold] = [0, 0];
      const changed = changeInfo(
        bytes,
        run.directory,
        (info) => {
          const now = change(info);
          [before, threshold] = [info.alert.threshold, now.alert.threshold];
          return now;
        },
        { knownSections: KNOWN_SECTIONS },
      );
      await run.files.write(runFiles.best, changed);
      return { model: runFiles.best, before, threshold, ...facts };
    });
  }
}

const intervalOf = (given: IntervalOrReason | undefined): Interval | null => (given && 'low' in given ? given : null);

function smaller(picture: Picture): Picture {
  const { width, height } = picture;
  const scale = SHOWN / Math.max(width, height);
  if (scale >= 1) return picture;
  return resize(
    picture,
    { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) },
    'box',
  );
}

/** Model files say their own checksum; their metadata stand at their beginning. */
function hashOf(bytes: Uint8Array): string {
  let hash = 2166136261;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
  return `${bytes.length} ${hash >>> 0}`;
}
