/** What shows that the page computes what the command line computes. */
import {
  decodeModel,
  gradcheck,
  KNOWN_SECTIONS,
  parsePredictions,
  DataError,
  decode,
  PARITY_TOLERANCE,
  pixelHashes,
  prepare,
  Run,
  runFiles,
  UsageError,
  weightsHash,
  type CheckResult,
  type Dataset,
  type Picture,
  type PredictionRow,
} from '../../../src/index.js';
import { manifestLines } from '../../../src/classifier/picture-manifest.js';
import { commandLine, isOnBase, type FullOptions } from './options.js';
import { bytesOf, finderBy, isDivided, listsOf, recordOf } from './pictures.js';
import type { CheckedOperation, Compared, ComparedPicture, PictureId, Proof, TrainedAgain } from './protocol.js';
import { currentRun, epochsOf, filesInMemory, filesOf, readNote } from './runs.js';
import type { Session } from './session.js';
import { trainProject } from './train-project.js';
import type { TrialRoom } from './trial.js';

/** Pictures that are judged together. */
const TOGETHER = 32;

export class ProofRoom implements Proof {
  readonly #session: Session;
  readonly #trial: TrialRoom;
  #control: AbortController | null = null;

  constructor(session: Session, trial: TrialRoom) {
    this.#session = session;
    this.#trial = trial;
  }

  async gradcheck(): Promise<{ device: string; passed: boolean; checks: CheckedOperation[] }> {
    return this.#alone(async (signal) => {
      const device = await this.#session.device();
      const checks: CheckedOperation[] = [];
      for await (const result of gradcheck(device)) {
        signal.throwIfAborted();
        const check = inShort(result);
        checks.push(check);
        this.#session.tell('check', check);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      return { device: device.description.name, passed: checks.every(({ passed }) => passed), checks };
    });
  }

  async compare(table: Blob, pictures?: Blob): Promise<Compared> {
    const session = this.#session;
    const classifier = await this.#trial.classifier();
    const { classNames } = classifier.info;
    const rows = await parsePredictions(await table.text(), 'predictions.csv', { isOfRun: false });
    const isWhole = classNames.every((name) => rows.length === 0 || name in rows[0].probabilities);
    if (
      !isWhole &&
      !rows.every(({ class: taken, probability }) => classNames.includes(taken) && probability !== undefined)
    )
      throw new UsageError(
        `predictions.csv: expects probabilities of ${classNames.join(', ')}, got others, or rows without; it is of another model`,
      );
    const manifest = pictures
      ? await pictures.text()
      : new TextDecoder().decode((await filesOf(session, currentRun(session)).read(runFiles.pictures)) ?? undefined);
    const pixels = pictures ? pixelsOf(manifest) : new Map<string, string>();
    const { ids } = listsOf(session.project);
    const find = finderBy(session.project, manifest);
    const paths = new Map([...ids].map(([path, id]) => [id, path]));
    const found = rows.flatMap(({ file }, row) => {
      const id = find(file);
      return id === null ? [] : [{ id, row, path: paths.get(id) ?? file }];
    });
    const compared: ComparedPicture[] = [];
    const tell = session.progress('checking', found.length);
    for (let first = 0; first < found.length; first += TOGETHER) {
      const some = found.slice(first, first + TOGETHER);
      const prepared = await Promise.all(some.map(({ id }) => this.#prepared(id)));
      const verdicts = await classifier.classify(prepared);
      const hashes = await hashesOf(prepared);
      for (const [n, { id, path, row }] of some.entries()) {
        const verdict = verdicts[n];
        const here = classNames.map((name) => ('error' in verdict ? Number.NaN : verdict.probabilities[name]));
        const there = thereOf(rows[row], classNames, isWhole);
        const differences = here.flatMap((value, k) =>
          isWhole || !Number.isNaN(there[k]) ? [Math.abs(value - there[k])] : [],
        );
        compared.push({
          ...{ id, file: path, here, there },
          difference: differences.some(Number.isNaN) ? 1 : Math.max(...differences),
          pixelsHere: String(hashes[n]),
          pixelsThere: rows[row].pixels?.toString() ?? pixels.get(rows[row].file) ?? null,
        });
      }
      tell(first + some.length);
    }
    if (compared.length === 0)
      throw new DataError(
        'predictions.csv: expects rows of pictures in this project, got none; are they called the same there?',
      );
    const worstDifference = Math.max(...compared.map(({ difference }) => difference));
    const rowsUsed = new Set(found.map(({ row }) => row));
    const used = new Set(found.map(({ path }) => path));
    return {
      ...{ tolerance: PARITY_TOLERANCE, worstDifference, classNames, pictures: compared },
      passed:
        worstDifference <= PARITY_TOLERANCE &&
        compared.every(({ pixelsHere, pixelsThere }) => pixelsThere === null || pixelsHere === pixelsThere),
      onlyThere: rows.flatMap(({ file }, n) => (rowsUsed.has(n) ? [] : [file])),
      onlyHere: [...ids.keys()].filter((path) => !used.has(path)),
    };
  }

  async #prepared(id: PictureId) {
    const { preparation } = await this.#trial.classifier();
    const { file } = recordOf(this.#session.project, id);
    const whole = decode(await bytesOf(this.#session, id), file, { exif: preparation.picture.exif ?? false });
    return prepare(whole, preparation.picture);
  }

  async weightsHash(): Promise<string> {
    const run = currentRun(this.#session);
    return hashOfModel(await filesOf(this.#session, run).read(runFiles.best), run);
  }

  async trainAgain(): Promise<TrainedAgain> {
    const session = this.#session;
    const name = currentRun(session);
    const note = await readNote(session, name);
    if (!note?.options)
      throw new UsageError(`trainAgain: expects a run that was trained here, got '${name}', which came from a file`);
    // One that was stopped is trained as far as it came.
    const done = note.phase === 'finished' ? undefined : (await epochsOf(filesOf(session, name))).at(-1)?.epoch;
    const options: FullOptions = { ...note.options, reproducible: true, ...(done !== undefined && { epochs: done }) };
    return this.#alone(async (signal) => {
      const files = filesInMemory(`${name} again`);
      const total = isOnBase(options) ? 1 : options.epochs;
      const tell = session.progress('checking', total);
      await trainProject(session, {
        ...{ options, run: new Run(files), signal, checkpoint: null, onStart: () => tell(0), onStep: () => {} },
        ...{ onEpoch: ({ epoch }) => tell(epoch), onTrained: () => {} },
      });
      signal.throwIfAborted();
      tell(total);
      const hash = await hashOfModel(await files.read(runFiles.best), name);
      const equal = note.options?.reproducible ? hash === (await this.weightsHash()) : null;
      const { project } = session;
      return { weightsHash: hash, equal, command: commandLine(options, project.record.settings, isDivided(project)) };
    });
  }

  async stop(): Promise<void> {
    this.#control?.abort(new UsageError('the check was ended'));
    return Promise.resolve();
  }

  async #alone<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.#control) throw new UsageError('a check is at work already; stop it first, or wait for its end');
    this.#control = new AbortController();
    try {
      return await work(this.#control.signal);
    } finally {
      this.#control = null;
    }
  }
}

async function hashOfModel(bytes: Uint8Array | null, name: string): Promise<string> {
  if (!bytes) throw new DataError(`${name}: expects a model, got none yet: train first`);
  return weightsHash(decodeModel(bytes, name, { knownSections: KNOWN_SECTIONS }).model);
}

function inShort({ kind, name, passed, forward, gradients, difference, tolerance }: CheckResult): CheckedOperation {
  const errors = [forward, ...Object.values(gradients)];
  const worst = errors.some(Number.isNaN) ? Infinity : Math.max(...errors);
  return {
    name: kind === 'network' ? 'the whole network' : name,
    passed,
    error: worst / tolerance,
    tolerance: difference ?? tolerance,
  };
}

/** The table's probabilities; of more than two classes `predict --csv` tells one alone, and the others are NaN. */
function thereOf(row: PredictionRow, classNames: readonly string[], isWhole: boolean): number[] {
  if (isWhole) return classNames.map((name) => row.probabilities[name]);
  const { class: taken, probability = Number.NaN } = row;
  const other = classNames.length === 2 ? 1 - probability : Number.NaN;
  return classNames.map((name) => (name === taken ? probability : other));
}

/** As in a run's pictures.jsonl. */
async function hashesOf(pictures: readonly Picture[]): Promise<number[]> {
  const [{ width, height, data }] = pictures;
  const all = new Uint8Array(pictures.length * data.length);
  for (const [n, picture] of pictures.entries()) all.set(picture.data, n * data.length);
  const labels = new Uint8Array(pictures.length);
  const set = { name: 'pictures', pictures: all, pictureShape: [height, width, 3] as const, labels };
  return pixelHashes({ ...set, classNames: [], files: [], skipped: [] } as Dataset);
}

/** By file the hashes of pixels in a run's pictures.jsonl. */
const pixelsOf = (text: string): Map<string, string> =>
  new Map(
    manifestLines(text).flatMap(({ file, pixels }) => (pixels === undefined ? [] : [[file, String(pixels)] as const])),
  );
