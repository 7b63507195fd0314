/** Runs beside each other: what each came to, and whether two differ by more than chance. */
import { expectArray, expectPath } from '../expect.js';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { BeltnetError, UsageError } from '../errors.js';
import { readWholeFile } from '../files.node.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { lockHolder } from '../lock.node.js';
import { mcNemar, type McNemar } from './figures/binomial.js';
import { figuresOfRows, judgingRows, type PredictionRow, type RunFigures } from './predictions-table.js';
import { withoutEffect } from './run-config.js';
import { readPredictions, sharedPictures } from './run-predictions-file.node.js';
import { isRun, readConfig } from './run.node.js';

/** `finished` came to its end, `running` has a process that works on it, `stopped` can be resumed, `damaged` cannot be read. */
export type RunState = 'finished' | 'running' | 'stopped' | 'damaged';

export interface RunSummary {
  /** Its folder. */
  readonly run: string;
  readonly state: RunState;
  /** Why it is damaged. */
  readonly problem?: string;
  readonly started: string | null;
  /** Epochs that are done, and that were asked for; of a head on a base null. */
  readonly epochs: number;
  readonly ofEpochs: number | null;
  /** The folder of its pictures. */
  readonly data: string | null;
  readonly alertClass: string | null;
  /** Null until it came to its end. */
  readonly figures: RunFigures | null;
}

type Config = Readonly<Record<string, unknown>>;

const part = (config: Config, name: string): Config => (config[name] ?? {}) as Config;
const textOr = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const alertOf = (config: Config): ModelInfo['alert'] => part(config, 'alert') as unknown as ModelInfo['alert'];

/** @throws UsageError for a folder that is no run */
export async function summarizeRun(run: string): Promise<RunSummary> {
  expectPath(run, 'the folder of a run');
  if (!isRun(run)) throw new UsageError(`${run}: expects the folder of a run, with its config.json`);
  const nothing = { started: null, epochs: 0, ofEpochs: null, data: null, alertClass: null, figures: null };
  try {
    const config = (await readConfig(run)) ?? {};
    const asked = part(config, 'base')['name'] === undefined ? part(config, 'options')['epochs'] : null;
    const ofEpochs = typeof asked === 'number' ? asked : null;
    const epochs = await epochsDone(run);
    const rows = await readPredictions(run);
    return {
      run,
      state: stateOf(run, epochs, ofEpochs),
      started: textOr(config['started']),
      epochs,
      ofEpochs,
      data: textOr(part(config, 'data')['directory']),
      alertClass: textOr(alertOf(config).className),
      figures: rows && figuresOfRows(judgingRows(rows), alertOf(config)),
    };
  } catch (error) {
    if (!(error instanceof BeltnetError)) throw error;
    return { ...nothing, run, state: 'damaged', problem: error.message };
  }
}

/** Lines of results.csv; 0 where there is none, as of a head on a base. */
async function epochsDone(run: string): Promise<number> {
  const path = join(run, 'results.csv');
  if (!existsSync(path)) return 0;
  const refuse = (message: string): Error => new UsageError(message);
  const bytes = await readWholeFile(path, { what: 'the results of a run', mostBytes: 2 ** 26, refuse });
  return Math.max(0, Buffer.from(bytes).toString('utf8').trimEnd().split('\n').length - 1);
}

function stateOf(run: string, epochs: number, ofEpochs: number | null): RunState {
  if (lockHolder(run).state === 'running') return 'running';
  if (ofEpochs === null) return existsSync(join(run, 'best.safetensors')) ? 'finished' : 'stopped';
  if (epochs >= ofEpochs && !existsSync(join(run, 'last.state.safetensors'))) return 'finished'; // a run of old
  // Predictions are written at the end, also at an early one; a run that went on since then has newer results.
  const written = (name: string): number => statSync(join(run, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return written('predictions.csv') > 0 && written('predictions.csv') >= written('results.csv')
    ? 'finished'
    : 'stopped';
}

/**
 * The runs of a folder: by the folder of their pictures, the best by balanced accuracy first, those without figures last.
 *
 * @param directory of runs, or of one
 * @throws UsageError for what is no folder
 */
export async function listRuns(directory: string): Promise<RunSummary[]> {
  expectPath(directory, 'listRuns: directory');
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`${directory}: expects a folder of runs, got none; train --out names another`);
  const folders = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map(({ name }) => join(directory, name))
    .filter(isRun);
  const runs: RunSummary[] = [];
  for (const run of isRun(directory) ? [directory] : folders.toSorted()) runs.push(await summarizeRun(run));
  const figure = ({ figures }: RunSummary): number => figures?.balancedAccuracy ?? -1;
  const byText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);
  return runs.toSorted(
    (a, b) => byText(a.data ?? '~', b.data ?? '~') || figure(b) - figure(a) || byText(a.started ?? '', b.started ?? ''),
  );
}

/** A run beside the first. */
export interface ComparedRun extends RunSummary {
  /** On the pictures that all of the runs judged and none was trained on. */
  readonly shared: RunFigures | null;
  /** Of the most probable class being right, against the first run; null for the first, and without shared pictures. */
  readonly mcNemar: McNemar | null;
  /** How many of them it takes for another class, or alarms of otherwise, than the first run, and how far a probability differs at most. */
  readonly decidedOtherwise: number | null;
  readonly largestDifference: number | null;
}

export interface RunComparison {
  readonly runs: readonly ComparedRun[];
  /** Pictures that all of the runs judged and none was trained on. */
  readonly sharedPictures: number;
  /** Options and the like that are not the same in all, with each run's value. */
  readonly differences: Readonly<Record<string, readonly unknown[]>>;
}

/** @throws UsageError for fewer than two runs, or a folder that is none */
export async function compareRuns(directories: readonly string[]): Promise<RunComparison> {
  expectArray(directories, 'compareRuns: directories');
  if (directories.length < 2) throw new UsageError(`compare: expects two runs or more, got ${directories.length}`);
  const runs: RunSummary[] = [];
  for (const directory of directories) runs.push(await summarizeRun(directory));
  const damaged = runs.find(({ state }) => state === 'damaged');
  if (damaged) throw new UsageError(damaged.problem ?? damaged.run);
  const configs = await Promise.all(directories.map(async (directory) => (await readConfig(directory)) ?? {}));
  const predictions = await Promise.all(
    directories.map(async (directory) => ({ directory, rows: (await readPredictions(directory)) ?? [] })),
  );
  const shared = await sharedPictures(predictions);
  const first = shared[0];
  const right = shared.map((rows) => rows.map((row) => row.class === row.label));
  const besideFirst = (n: number): Pick<ComparedRun, 'mcNemar' | 'decidedOtherwise' | 'largestDifference'> => {
    if (n === 0 || first.length === 0) return { mcNemar: null, decidedOtherwise: null, largestDifference: null };
    const isOther = (row: PredictionRow, at: number): boolean =>
      row.class !== first[at].class || row.alert !== first[at].alert;
    const difference = (row: PredictionRow, at: number): number =>
      Math.max(
        ...Object.entries(row.probabilities).map(([name, p]) => Math.abs(p - (first[at].probabilities[name] ?? 0))),
      );
    return {
      mcNemar: mcNemar(right[0], right[n]),
      decidedOtherwise: shared[n].filter(isOther).length,
      largestDifference: shared[n].reduce((most, row, at) => Math.max(most, difference(row, at)), 0),
    };
  };
  return {
    runs: runs.map((run, n) => ({ ...run, shared: figuresOfRows(shared[n], alertOf(configs[n])), ...besideFirst(n) })),
    sharedPictures: first.length,
    differences: differencesOf(configs),
  };
}

function differencesOf(configs: readonly Config[]): Record<string, unknown[]> {
  const flat = configs.map((config) => ({
    data: part(config, 'data')['directory'],
    classes: Object.keys(part(config, 'classes')).join(', ') || undefined,
    base: part(config, 'base')['name'],
    parameters: config['parameters'],
    device: part(config, 'device')['name'],
    'alert from': alertOf(config).threshold,
    beltnet: config['beltnet'],
    ...Object.fromEntries(
      Object.entries(part(config, 'options')).filter(
        ([key]) => !withoutEffect.has(key) && key !== 'base' && key !== 'device',
      ),
    ),
  })) as Record<string, unknown>[];
  const keys = [...new Set(flat.flatMap((one) => Object.keys(one)))];
  const valuesOf = (key: string): unknown[] => flat.map((one) => one[key] ?? null);
  return Object.fromEntries(
    keys
      .map((key) => [key, valuesOf(key)] as const)
      .filter(([, values]) => values.some((value) => !isDeepStrictEqual(value, values[0]))),
  );
}
