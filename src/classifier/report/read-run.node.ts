/** What a run's folder says, for its report. Everything but the configuration may be missing: a training that was stopped leaves less. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../../errors.js';
import { received } from '../../expect.js';
import { readWholeFile } from '../../files.node.js';
import { bestEpoch } from '../epoch-record.js';
import { readConfig, readEpochs } from '../run.node.js';
import type { ReportData, ReportedRun } from './report-data.node.js';

type Json = Readonly<Record<string, unknown>>;
const asObject = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const asNumber = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

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

/** A file of JSON; null where there is none, or it is none. */
export async function readJson(directory: string, name: string): Promise<unknown> {
  const text = await readText(directory, name);
  try {
    return text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
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
    names.slice(0, MOST_RUNS).map(async (name): Promise<ReportedRun[]> => {
      const place = join(parent, name);
      const config = asObject(await readJson(place, 'config.json'));
      if (config['started'] === undefined) return [];
      const epochs = await readEpochs(place);
      const best = bestEpoch(epochs);
      const { width, height } = asObject(asObject(config['preprocessing'])['size']);
      return [
        {
          name,
          started: asText(config['started']),
          epochs: epochs.length,
          bestEpoch: best?.epoch ?? null,
          valAccuracy: asNumber(best?.valAccuracy),
          valLoss: asNumber(best?.valLoss),
          balancedAccuracy: asNumber(best?.balancedAccuracy),
          missedAlerts: asNumber(best?.missedAlerts),
          parameters: asNumber(config['parameters']),
          size: asNumber(width) === null ? '' : `${asNumber(width)}×${asNumber(height)}`,
          isThis: name === basename(join(directory, '.')),
        },
      ];
    }),
  );
  return runs.flat().toSorted((a, b) => (a.started < b.started ? -1 : 1));
}
const MOST_RUNS = 100;

/** What the audit before the training found. */
export async function auditOf(directory: string): Promise<ReportData['audit']> {
  const { findings } = asObject(await readJson(directory, 'audit.json'));
  if (!Array.isArray(findings)) return null;
  return findings.map(asObject).map(({ kind, severity, message, advice, groups }) => ({
    ...{ kind: asText(kind), severity: asText(severity), message: asText(message), advice: asText(advice) },
    files: Array.isArray(groups) ? groups.flat().length : 0,
  }));
}

/** What decided the result, as lines of a table. */
export function settingsOf(config: Json): [string, string][] {
  const { device, optimizer, loss, data, options } = config;
  const lines: [string, unknown][] = [
    ['Version', config['version'] ?? config['beltnet']],
    ['Started', config['started']],
    ['Device', asObject(device)['name']],
    ['Pictures', asObject(data)['directory']],
    ['Seed', asObject(options)['seed']],
    ['Batch', asObject(options)['batch']],
    ['Optimizer', optimizer],
    ['Loss', loss],
    ['Preprocessing', config['preprocessing']],
    ['Augmentation', config['augmentation']],
    ['Base', config['base']],
  ];
  return lines.flatMap(([name, value]): [string, string][] =>
    value === undefined || value === null ? [] : [[name, inWords(value)]],
  );
}

function inWords(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  return Object.entries(value)
    .filter(([, each]) => each !== null && each !== false)
    .map(([name, each]) => `${name}: ${inWords(each)}`)
    .join('; ');
}
