/** `train --resume`: which run is meant, whether its options are still those of the command line, and whether it can go on here. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../../src/errors.js';
import {
  endsWithTraining,
  readCheckpoint,
  readConfig,
  withoutEffect,
  type Checkpoint,
  type ScheduleName,
} from '../../src/index.node.js';
import type { DeviceFacts } from './device.js';
import type { Angle } from './options.js';
import { note } from './output.js';

type Config = Readonly<Record<string, unknown>>;

/** What of `train`'s options this file looks at. */
interface ResumableOptions {
  readonly resume: string | undefined;
  readonly resumeOrStart: boolean;
  readonly out: string;
  readonly name: string | undefined;
  readonly epochs: number;
  readonly schedule: ScheduleName;
  readonly config: string | undefined;
}

export interface Resumed<Options> {
  /** The run's folder. */
  readonly run: string;
  /** The pictures' folder. */
  readonly directory: string;
  readonly options: Options;
  readonly config: Config;
  /** Null where none was written before the run ended: it starts anew. */
  readonly checkpoint: Checkpoint | null;
}

/** Options that may be others when a run goes on. */
export const free = new Set([...withoutEffect, 'epochs', 'device', 'distributed']);

/** Options that config.json has although they may not have been given. */
const derived = new Set(['stepsPerEpoch', 'validationSteps', 'holdBack']);

/**
 * The options with which a run goes on: its own, and of the command line those that change nothing in its weights.
 *
 * @param given names of the options that stand on the command line
 * @returns null where nothing is to be resumed
 * @throws UsageError for an option or a folder of pictures other than the run's, and where there is no run
 */
export async function resumeOptions<Options extends ResumableOptions>(
  directory: string | undefined,
  options: Options,
  given: readonly string[],
): Promise<Resumed<Options> | null> {
  const { resume, resumeOrStart, out, name } = options;
  if (resume === undefined && !resumeOrStart) return null;
  if (resume !== undefined && resumeOrStart) throw new UsageError('--resume-or-start: is for --name, not for --resume');
  if (resumeOrStart && name === undefined)
    throw new UsageError('--resume-or-start: expects the name of a run in --name');
  if (resume !== undefined && name !== undefined) throw new UsageError('--name: a run that is resumed keeps its name');
  const run = resume ?? join(out, name as string);
  const config = await readConfig(run);
  if (!config) {
    if (resumeOrStart) return null;
    throw new UsageError(`--resume: expects the folder of a run, with its config.json, got ${run}`);
  }
  const own = ownOptions(config, run) as unknown as Options;
  const { directory: ownDirectory } = (config['data'] ?? {}) as { directory?: unknown };
  if (typeof ownDirectory !== 'string') throw new UsageError(`${run}: expects a folder of pictures in its config.json`);
  if (directory !== undefined && directory !== ownDirectory)
    throw new UsageError(`${run}: was begun with ${ownDirectory}, got ${directory}; train anew under another name`);
  // A supervisor gives the whole command line each time: what no longer stands there was changed, too.
  const isCompared = (key: string): boolean => !free.has(key) && (resumeOrStart || given.includes(key));
  const [before, now] = [plain(own), plain(options)];
  const isOther = (key: string): boolean =>
    isCompared(key) && !(derived.has(key) && now[key] === undefined) && !isDeepStrictEqual(before[key], now[key]);
  const changed = Object.keys({ ...now, ...before }).find(isOther);
  if (changed !== undefined) {
    const flag = changed.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const [expected, got] = [before, now].map((each) => JSON.stringify(each[changed]) ?? 'none');
    throw new UsageError(`--${flag}: ${run} was begun with ${expected}, got ${got}; train anew under another name`);
  }
  if (given.includes('epochs') && options.epochs < own.epochs)
    throw new UsageError(`--epochs: ${run} was begun with ${own.epochs}, which may only grow, got ${options.epochs}`);
  if (given.includes('epochs') && options.epochs > own.epochs && endsWithTraining(own.schedule ?? 'constant'))
    throw new UsageError(
      `--epochs: the learning rate of ${run} falls to its end at epoch ${own.epochs} (--schedule ${own.schedule}), got ${options.epochs}; ` +
        `train anew under another name, or with --from ${run}`,
    );
  const here = Object.fromEntries(Object.entries(options).filter(([key]) => free.has(key) && given.includes(key)));
  const kernels = join(run, 'kernels.json');
  return {
    run,
    directory: ownDirectory,
    options: { ...own, resume, resumeOrStart, ...(existsSync(kernels) && { kernels }), ...here },
    config,
    checkpoint: await readCheckpoint(run, (message) => note(`note: ${message}; the checkpoint before it is taken`)),
  };
}

/** Options of `train` that say where a run is and how it is watched, not how it is trained. */
const ofTheRun = new Set([
  'resume',
  'resumeOrStart',
  'name',
  'out',
  'config',
  'repeats',
  'folds',
  'json',
  'quiet',
  'dryRun',
  'profileKernels',
]);

/**
 * The options of `--config FILE|RUN`, under those of the command line.
 * @returns the folder of its pictures, too
 * @throws UsageError for what is no config.json
 */
export async function configuredOptions<Options extends ResumableOptions>(
  directory: string | undefined,
  options: Options,
  given: readonly string[],
): Promise<{ directory: string | undefined; options: Options }> {
  const { config: path } = options;
  if (path === undefined) return { directory, options };
  if (options.resume !== undefined)
    throw new UsageError('--config: a run that is resumed keeps its own options; leave it out');
  const config = await readConfig(path);
  if (!config) throw new UsageError(`--config: expects a config.json or the folder of a run, got ${path}`);
  const own = Object.entries(ownOptions(config, path)).filter(
    ([name]) =>
      !ofTheRun.has(name) &&
      !given.includes(name) &&
      !(derived.has(name) && !(config['given'] as string[] | undefined)?.includes(name)),
  );
  const { directory: pictures } = (config['data'] ?? {}) as { directory?: string };
  return { directory: directory ?? pictures, options: { ...options, ...Object.fromEntries(own) } };
}

/** Options as JSON has them, those that were not given left out. */
export const plain = (options: object): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify(options, (_, value: unknown) => (value instanceof RegExp ? String(value) : (value ?? undefined))),
  ) as Record<string, unknown>;

/** What config.json has of the options, as the command line would give it. */
export function ownOptions({ options: stored }: Config, run: string): object {
  if (typeof stored !== 'object' || stored === null)
    throw new UsageError(`${run}: expected options in its config.json`);
  const { groupBy, shear, ...others } = stored as { groupBy: string | null; shear: Angle };
  const { value, unit } = shear;
  const [, source, flags] = /^\/(.*)\/(\w*)$/s.exec(groupBy ?? '') ?? [];
  const given = Object.entries(others).filter(([, each]) => each !== null);
  return {
    ...Object.fromEntries(given),
    shear: { value, unit },
    ...(source !== undefined && { groupBy: new RegExp(source, flags) }),
  };
}

/** Whether there is nothing left to train. */
export const isFinished = ({ checkpoint }: Pick<Resumed<unknown>, 'checkpoint'>, epochs: number): boolean =>
  checkpoint !== null && (checkpoint.stoppedEarly || checkpoint.state.position.epoch >= epochs);

/** @throws UsageError for another device than the run's: its bits are not the same */
export function checkDevice({ run, config, checkpoint }: Resumed<unknown>, now: DeviceFacts): void {
  const before = (config['device'] ?? {}) as Partial<DeviceFacts>;
  // Any number of threads gives the same bits.
  const facts = ({ kind, name, adapter }: Partial<DeviceFacts>): string =>
    JSON.stringify([kind, name?.replace(/, \d+ threads?/, ''), adapter]);
  if (!checkpoint || facts(before) === facts(now)) return;
  throw new UsageError(
    `--device: ${run} was begun on ${before.name ?? 'another device'}, where alone its bits come again, got ${now.name}; train anew`,
  );
}
