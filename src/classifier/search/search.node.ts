/**
 * A search's folder: what is searched (search.json), a run for each trial (trial-000 …), and what came of it (result.json). Processes that
 * search together know of each other only what stands there, and the locks of the runs.
 */
import { existsSync } from 'node:fs';
import { link, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { DiskError, UsageError } from '../../errors.js';
import { expectCount, expectObject, expectPath, objectWith } from '../../expect.js';
import { makeFolders, readWholeFile, writeFileAtomically } from '../../files.node.js';
import { describeOwner, isLockSilent, lockHolder, temporaryName } from '../../lock.node.js';
import type { EpochRecord } from '../epoch-record.js';
import { provenEpochs } from '../proof/verify-run.node.js';
import { readPredictions } from '../run-predictions-file.node.js';
import { figuresOfRows, type RunFigures } from '../predictions-table.js';
import { readConfig, readEpochs } from '../run.node.js';
import {
  bestUpTo,
  expectTrial,
  optimismOf,
  ranked,
  rungsOf,
  type Optimism,
  type Rung,
  type TrialEpochs,
} from './rungs.js';
import { trialValues, type Dimension, type SearchMethod, type TrialValue } from './space.js';

/** What is searched: all that decides the result. */
export interface Search {
  /** The pictures, as `train` takes them. */
  readonly directory: string;
  readonly space: readonly Dimension[];
  readonly trials: number;
  readonly method: SearchMethod;
  readonly seed: number;
  readonly epochs: number;
  readonly halving: number;
  /** Other options of the trainings. */
  readonly options: Readonly<Record<string, unknown>>;
}

const SEARCH = 'search.json';

/** `trial-007` */
export function trialName(index: number): string {
  expectCount(index, 'trialName: index');
  return `trial-${String(index).padStart(3, '0')}`;
}

/** Whether a folder is that of a search. */
export function isSearch(directory: string): boolean {
  expectPath(directory, 'isSearch: directory');
  return existsSync(join(directory, SEARCH));
}

/** @throws UsageError where there is none */
export async function readSearch(directory: string): Promise<Search> {
  expectPath(directory, 'readSearch: directory');
  const path = join(directory, SEARCH);
  const refuse = (message: string): Error => new UsageError(message);
  const text = Buffer.from(await readWholeFile(path, { what: 'a search', mostBytes: 2 ** 24, refuse })).toString();
  try {
    return JSON.parse(text) as Search;
  } catch (error) {
    throw new UsageError(`${path}: expects what "beltnet search" wrote, got ${(error as Error).message}`);
  }
}

/**
 * Makes a search's folder, or joins in one that is there.
 * @throws UsageError where another search is there; DiskError
 */
export async function openSearch(directory: string, search: Search): Promise<void> {
  expectPath(directory, 'openSearch: directory');
  expectObject(search, 'openSearch: search');
  const text = `${JSON.stringify(search, null, 2)}\n`;
  const path = join(directory, SEARCH);
  const temporary = join(directory, temporaryName(SEARCH));
  try {
    makeFolders(directory);
    if (!existsSync(path)) {
      await writeFile(temporary, text, { flag: 'wx', flush: true });
      // A second name is given only where there is none yet: of several processes one is the first.
      await link(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST' && !existsSync(path)) await rename(temporary, path); // no links here
      });
      await rm(temporary, { force: true });
    }
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new DiskError(`${path}: cannot be written: ${(error as Error).message}; check the disk and its permissions`);
  }
  const [there, asked] = [await readSearch(directory), JSON.parse(text) as Search];
  for (const name of Object.keys({ ...there, ...asked }) as (keyof Search)[])
    if (!isDeepStrictEqual(there[name], asked[name]))
      throw new UsageError(
        `${directory}: expects the search that was begun there, but its ${name} differ${name === 'space' || name === 'options' || name === 'trials' ? '' : 's'}: ` +
          `${preview(there[name])}, got ${preview(asked[name])}; choose another --name`,
      );
}

const preview = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'none';
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
};

const failureOf = (directory: string, index: number): string => join(directory, `${trialName(index)}.failed.json`);

/** Notes that a trial comes to nothing, whoever makes it: its numbers overflow. */
export async function noteFailedTrial(directory: string, index: number, message: string): Promise<void> {
  expectPath(directory, 'noteFailedTrial: directory');
  await writeFileAtomically(failureOf(directory, index), `${JSON.stringify({ message })}\n`);
}

/** What a trial has come to. */
export async function readTrial(directory: string, index: number): Promise<TrialEpochs> {
  expectPath(directory, 'readTrial: directory');
  const run = join(directory, trialName(index));
  if (existsSync(failureOf(directory, index))) return { index, epochs: null };
  return { index, epochs: (await readConfig(run)) ? await readEpochs(run) : [] };
}

/** Whether a trial has reached a rung; the last one only with its figures and its record. */
export async function hasReached(directory: string, trial: TrialEpochs, rung: Rung, isLast: boolean): Promise<boolean> {
  expectPath(directory, 'hasReached: directory');
  expectTrial(trial, 'hasReached: trial');
  objectWith({ epochs: expectCount })(rung, 'hasReached: rung');
  const { index, epochs } = trial;
  if (epochs === null) return true;
  if (!epochs.some(({ epoch }) => epoch >= rung.epochs)) return false;
  return !isLast || (await provenEpochs(join(directory, trialName(index)))) === rung.epochs;
}

/** The trials of a rung, by what stands in the folder, when all of the rung before have reached that. */
export async function trialsOfRung(directory: string, search: Search, place: number): Promise<TrialEpochs[]> {
  expectObject(search, 'trialsOfRung: search');
  expectPath(directory, 'trialsOfRung: directory');
  const rungs = rungsOf(search.trials, search.epochs, search.halving);
  let trials = await Promise.all(Array.from({ length: search.trials }, (_, index) => readTrial(directory, index)));
  for (let n = 1; n <= place; n++) trials = ranked(trials, rungs[n - 1].epochs).slice(0, rungs[n].trials);
  return trials;
}

/**
 * Whether another process is at work on a trial.
 * @throws DiskError where that one has given no sign of life for ten minutes
 */
export function isTaken(directory: string, index: number): boolean {
  expectPath(directory, 'isTaken: directory');
  const run = join(directory, trialName(index));
  const { state, owner } = lockHolder(run);
  if (state === 'nobody' || state === 'dead') return false;
  if (isLockSilent(run))
    throw new DiskError(
      `${run}: waits for ${describeOwner(owner)}, which has given no sign of life for ten minutes; delete ${join(run, '.lock')} if it is gone`,
    );
  return true;
}

/** A trial, as it is told. */
export interface SearchedTrial {
  readonly index: number;
  readonly run: string;
  readonly values: Readonly<Record<string, TrialValue>>;
  /** Epochs to which it was trained. */
  readonly epochs: number;
  /** Whether its numbers overflowed. */
  readonly failed: boolean;
  /** The best epoch on the validation pictures, which chose. */
  readonly best: Pick<EpochRecord, 'epoch' | 'balancedAccuracy' | 'valLoss' | 'valAccuracy'> | null;
  /** Of those that came to the end: on pictures that chose nothing. */
  readonly test: RunFigures | null;
}

export interface SearchResult {
  readonly search: Search;
  readonly rungs: readonly Rung[];
  /** The best first: those that came further before the others. */
  readonly trials: readonly SearchedTrial[];
  /** Its index; null where no trial came to the end. */
  readonly winner: number | null;
  /** In balanced accuracy; null for fewer than two trials at the end. */
  readonly optimism: Optimism | null;
}

/** What a search has come to so far. */
export async function searchResult(directory: string): Promise<SearchResult> {
  const search = await readSearch(directory);
  const rungs = rungsOf(search.trials, search.epochs, search.halving);
  let trials = await trialsOfRung(directory, search, 0);
  const order: { trial: TrialEpochs; rung: number }[] = [];
  for (const [n, { epochs }] of rungs.entries()) {
    const inOrder = ranked(trials, epochs);
    const next = rungs[n + 1]?.trials ?? 0;
    order.unshift(...inOrder.slice(next).map((trial) => ({ trial, rung: n })));
    trials = inOrder.slice(0, next);
  }
  const told: SearchedTrial[] = [];
  for (const { trial, rung } of order) {
    const isLast = rung === rungs.length - 1;
    const done = await hasReached(directory, trial, rungs[rung], isLast);
    told.push(await tellTrial(directory, search, trial, rungs[rung].epochs, isLast && done));
  }
  const finished = told.flatMap(({ best, test }) =>
    best?.balancedAccuracy !== undefined && test
      ? [{ validation: best.balancedAccuracy, test: test.balancedAccuracy }]
      : [],
  );
  const [first] = told;
  return {
    search,
    rungs,
    trials: told,
    winner: first !== undefined && first.test ? first.index : null,
    optimism: optimismOf(finished, search.seed),
  };
}

async function tellTrial(
  directory: string,
  search: Search,
  trial: TrialEpochs,
  epochs: number,
  isFinished: boolean,
): Promise<SearchedTrial> {
  const { index } = trial;
  const run = join(directory, trialName(index));
  const found = bestUpTo(trial, epochs);
  const rows = isFinished && trial.epochs !== null ? await readPredictions(run) : null;
  const alert = (await readConfig(run))?.['alert'] as { className: string; threshold: number } | undefined;
  const judging = rows?.filter(({ split }) => split === 'test');
  return {
    index,
    run,
    values: trialValues(search.space, { ...search, index }),
    epochs: Math.min(epochs, trial.epochs?.at(-1)?.epoch ?? 0),
    failed: trial.epochs === null,
    best: found && {
      epoch: found.epoch,
      ...(found.balancedAccuracy !== undefined && { balancedAccuracy: found.balancedAccuracy }),
      ...(found.valLoss !== undefined && { valLoss: found.valLoss }),
      ...(found.valAccuracy !== undefined && { valAccuracy: found.valAccuracy }),
    },
    test: judging && alert ? figuresOfRows(judging, alert) : null,
  };
}
