/** What goes out of the page and into it: the files of the command line, both ways. */
import {
  alertClassOf,
  DataError,
  decode,
  decodeModel,
  encodeModel,
  exportFormats,
  exportModel,
  fillReport,
  importKeras,
  importOnnx,
  infoOf,
  judgeRun,
  KNOWN_SECTIONS,
  parsePredictions,
  preparationOf,
  preprocessingOf,
  reportedRun,
  reportFrom,
  runFiles,
  UsageError,
  withProbabilities,
  type Model,
  type ModelInfo,
  type ReportSource,
} from '../../../src/index.js';
import { RUN_PROOF } from '../../../src/classifier/proof/record.js';
import { unpackArchive, writeArchive } from './archive.js';
import type { ProjectRoom } from './projects.js';
import type { Files, ModelFormat, NamedBlob, ProjectSettings, ProjectState } from './protocol.js';
import {
  configOf,
  currentRun,
  epochsOf,
  filesOf,
  freeRunName,
  isOfFolder,
  runNames,
  runOf,
  writeNote,
  type RunNote,
} from './runs.js';
import { bytesOf, finderFor } from './pictures.js';
import { divided, loadSets } from './sets.js';
import type { TrialRoom } from './trial.js';
import type { Session } from './session.js';

export class FileRoom implements Files {
  readonly #session: Session;
  readonly #projects: ProjectRoom;
  readonly #trial: TrialRoom;

  constructor(session: Session, projects: ProjectRoom, trial: TrialRoom) {
    this.#session = session;
    this.#projects = projects;
    this.#trial = trial;
  }

  async exportModel(format: ModelFormat): Promise<NamedBlob> {
    const run = currentRun(this.#session);
    const file = await this.#file(run, runFiles.best, 'a model');
    if (format === 'safetensors') return blobOf(`${run}.safetensors`, file);
    const { model, info } = decodeModel(file, run, { knownSections: KNOWN_SECTIONS });
    const bytes = await exportModel(model, info, format, { name: run });
    const weightsOnly = format === 'torch-safetensors' ? '.torch' : ''; // not to be taken for beltnet's own file
    return blobOf(`${run}${weightsOnly}${exportFormats[format].extension}`, bytes);
  }

  async #file(run: string, name: string, what: string): Promise<Uint8Array> {
    const bytes = await filesOf(this.#session, run).read(name);
    if (bytes) return bytes;
    throw new DataError(`${run}: expects ${what} (${name}), got none yet: train first`);
  }

  async exportPredictions(): Promise<NamedBlob> {
    const bytes = await this.#file(currentRun(this.#session), runFiles.predictions, 'predictions');
    return { name: runFiles.predictions, blob: new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'text/csv' }) };
  }

  async report(): Promise<NamedBlob> {
    const session = this.#session;
    const run = currentRun(session);
    const classifier = await this.#trial.classifier();
    const files = filesOf(session, run);
    const find = await finderFor(session, files);
    const text = async (file: string): Promise<string | null> => {
      const bytes = await files.read(file);
      return bytes && new TextDecoder().decode(bytes);
    };
    const source: ReportSource = {
      ...{ name: run, text },
      predictions: async () => {
        const table = await text(runFiles.predictions);
        return table === null ? null : parsePredictions(table, runFiles.predictions);
      },
      predictAgain: () => Promise.resolve(new Map()),
      picture: async (file, exif) => {
        const id = find(file);
        if (id === null) throw new DataError(`${file}: is not in the project any more`);
        return decode(await bytesOf(session, id), file, { exif });
      },
      runs: async () => {
        const all = (await runNames(session.store, session.project.id)).map(async (name) => {
          const own = filesOf(session, name);
          return reportedRun(name, name === run, await configOf(own), await epochsOf(own));
        });
        return (await Promise.all(all)).flatMap((one) => one ?? []);
      },
    };
    const tell = new Map<number, (done: number) => void>();
    const data = await reportFrom(source, classifier, (done, total) => {
      if (!tell.has(total)) tell.set(total, session.progress('report', total));
      tell.get(total)?.(Math.min(done, total));
    });
    const { default: template } = await import('../../../dist/report/report.html?raw');
    return { name: `${run}-report.html`, blob: new Blob([fillReport(template, data)], { type: 'text/html' }) };
  }

  async exportRun(): Promise<NamedBlob> {
    const session = this.#session;
    const run = currentRun(session);
    const { store, project } = session;
    const names = (await store.keys('runs', [project.id, run])).map(([, , name]) => String(name)).filter(isOfFolder);
    const blob = await writeArchive(async (put) => {
      for (const name of names) {
        const bytes = await store.get('runs', [project.id, run, name]);
        if (bytes) await put(`${run}/${name}`, bytes);
      }
    });
    return { name: `${run}.zip`, blob };
  }

  async importRun(zip: Blob, wanted?: string): Promise<ProjectState> {
    const entries = await unpackArchive(zip, 'the folder of a run');
    const config = [...entries.keys()].find((name) => name === runFiles.config || name.endsWith(`/${runFiles.config}`));
    if (config === undefined)
      throw new DataError(`expects the folder of a run as a zip, with its ${runFiles.config}, got an archive without`);
    const folder = config.slice(0, -runFiles.config.length);
    const known = new Set<string>([...Object.values(runFiles), ...RUN_PROOF]);
    const files = [...entries].flatMap(([name, bytes]) => {
      const own = name.startsWith(folder) ? name.slice(folder.length) : '';
      return known.has(own) ? [[own, bytes] as const] : [];
    });
    const model = files.find(([name]) => name === runFiles.best)?.[1];
    if (model) decodeModel(model, runFiles.best, { knownSections: KNOWN_SECTIONS }); // refused before anything is written
    const name = await this.#freeName(wanted ?? folder.split('/').at(-2) ?? 'imported');
    const { project } = this.#session;
    await this.#session.write(files.map(([file, value]) => ({ shelf: 'runs', key: [project.id, name, file], value })));
    if (project.pictures.size === 0)
      await this.#projects.configure(settingsOf(await configOf(filesOf(this.#session, name))));
    return this.#looked(name, 'a run from a file');
  }

  async #freeName(wanted: string): Promise<string> {
    for (let n = 1; ; n++) {
      const name = n === 1 ? wanted : `${wanted}-${n}`;
      const free = await freeRunName(this.#session, name).catch(() => null);
      if (free !== null) return free;
      if (n > 1000) throw new UsageError(`run: expects a name that can be a folder's, got '${wanted}'`);
    }
  }

  async #looked(name: string, what: string): Promise<ProjectState> {
    const note: RunNote = {
      ...{ phase: 'finished', what, options: null, imported: true },
      ...{ started: new Date().toISOString(), message: null },
    };
    await writeNote(this.#session, name, note);
    return this.#projects.selectRun(name);
  }

  async importModel(file: Blob, name: string): Promise<ProjectState> {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const encodedModel = await this.#asModelFile(bytes, name);
    const run = await this.#freeName(name.replace(/\.[^.]*$/, '') || 'model');
    const files = filesOf(this.#session, run);
    await files.write(runFiles.best, encodedModel);
    await this.judge(run).catch(() => {}); // without pictures of its classes there is nothing to judge
    return this.#looked(run, `the model ${name}`);
  }

  /** The bytes of a beltnet model file. @throws ModelFileError */
  async #asModelFile(bytes: Uint8Array, name: string): Promise<Uint8Array> {
    if (/\.safetensors$/i.test(name)) {
      decodeModel(bytes, name, { knownSections: KNOWN_SECTIONS });
      return bytes;
    }
    const isOnnx = /\.onnx$/i.test(name);
    if (!isOnnx && !/\.(keras|h5|hdf5)$/i.test(name))
      throw new UsageError(`${name}: expects a model as .safetensors, .keras, .h5 or .onnx, got another kind of file`);
    const foreign = isOnnx ? await fromOnnx(bytes, name) : await fromKeras(bytes, name);
    const count = Math.max(2, foreign.model.units);
    const own = [...new Set([...this.#session.project.pictures.values()].map((record) => record.class))].toSorted();
    const classNames =
      foreign.classNames ?? (own.length === count ? own : Array.from({ length: count }, (_, n) => String(n)));
    const { alertClass } = this.#session.project.record.settings;
    const className = alertClassOf(
      classNames,
      alertClass !== null && classNames.includes(alertClass) ? alertClass : undefined,
    );
    const info: ModelInfo = { classNames, preprocessing: foreign.preprocessing, alert: { className, threshold: 0.5 } };
    return encodeModel(foreign.model, info, { name });
  }

  /** Has a run's model judge the project's pictures. @throws DataError where their classes are others */
  async judge(name: string): Promise<void> {
    const session = this.#session;
    const run = runOf(session, name);
    const { model, info } = decodeModel(await this.#file(name, runFiles.best, 'a model'), name, {
      knownSections: KNOWN_SECTIONS,
    });
    const [height, width] = model.inputShape;
    const division = await divided(session, { seed: 0, onBase: false });
    if (division.splits.training.classNames.join('/') !== info.classNames.join('/'))
      throw new DataError(
        `${name}: expects pictures of ${info.classNames.join(', ')}, got ${division.splits.training.classNames.join(', ')}`,
      );
    const { training, validation, test } = await loadSets(
      session,
      division,
      preparationOf(info, { width, height }).picture,
    );
    await judgeRun(run, await session.device(), { training, validation, test });
  }
}

const blobOf = (name: string, bytes: Uint8Array): NamedBlob => ({
  name,
  blob: new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }),
});

/** What a run's config.json says of how pictures are prepared. */
function settingsOf(config: Readonly<Record<string, unknown>>): ProjectSettings {
  const { roi, exif } = Object(config['options']) as { roi?: ProjectSettings['region']; exif?: unknown };
  const { className } = Object(config['alert']) as { className?: unknown };
  const sides = [roi?.x, roi?.y, roi?.width, roi?.height];
  return {
    region: sides.every((side) => Number.isSafeInteger(side)) ? (roi as ProjectSettings['region']) : null,
    exif: exif === true,
    alertClass: typeof className === 'string' ? className : null,
  };
}

interface Foreign {
  readonly model: Model;
  readonly preprocessing: ModelInfo['preprocessing'];
  readonly classNames?: readonly string[];
}

async function fromOnnx(bytes: Uint8Array, name: string): Promise<Foreign> {
  const imported = importOnnx(bytes, { name });
  const { model } = await withProbabilities(imported.model);
  return { preprocessing: preprocessingOf({ rescale: 1 / 255 }), ...infoOf(imported), model };
}

/** A Rescaling layer's factor is the factor; its offset o becomes a mean of −o. */
async function fromKeras(bytes: Uint8Array, name: string): Promise<Foreign> {
  const { model, rescaling } = await importKeras([{ name, bytes }]);
  const { scale = 1 / 255, offset = 0 } = rescaling ?? {};
  const mean = offset !== 0 && { normalization: { featurewiseMean: [-offset, -offset, -offset] } };
  return { model, preprocessing: preprocessingOf({ rescale: scale, ...mean }) };
}
