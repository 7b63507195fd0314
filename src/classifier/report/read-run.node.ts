/** A run's folder, for its report. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../../errors.js';
import { received } from '../../expect.js';
import { readWholeFile } from '../../files.node.js';
import { readConfig, readEpochs } from '../run.node.js';
import type { ReportedRun } from './report-data.js';
import { jsonIn, reportedRun, type Json } from './run-facts.js';

/** A file of the run as text; null where there is none. */
export async function readText(directory: string, name: string): Promise<string | null> {
  const path = join(directory, name);
  if (!existsSync(path)) return null;
  const kind = {
    what: `the ${name} of a run`,
    mostBytes: 2 ** 28,
    refuse: (message: string) => new UsageError(message),
  };
  return Buffer.from(await readWholeFile(path, kind)).toString('utf8');
}

/** @throws UsageError for a folder that is no run */
export async function configOf(directory: string): Promise<Json> {
  if (typeof directory !== 'string')
    throw new UsageError(`report: expects the folder of a run, got ${received(directory)}`);
  const config = await readConfig(directory);
  if (config) return config;
  throw new UsageError(`${directory}: expects the folder of a run with its config.json, got none`);
}

/** The runs beside this one, itself included, by their start. */
export async function runsBeside(directory: string): Promise<ReportedRun[]> {
  const parent = dirname(join(directory, '.'));
  const names = readdirSync(parent, { withFileTypes: true }).flatMap((each) => (each.isDirectory() ? [each.name] : []));
  const runs = await Promise.all(
    names.slice(0, MOST_RUNS).map(async (name) => {
      const place = join(parent, name);
      const config = jsonIn(await readText(place, 'config.json'));
      return config === null
        ? null
        : reportedRun(name, name === basename(join(directory, '.')), config, await readEpochs(place));
    }),
  );
  return runs.flatMap((run) => run ?? []).toSorted((a, b) => (a.started < b.started ? -1 : 1));
}
const MOST_RUNS = 100;
