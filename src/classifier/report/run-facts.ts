/** What a run's files say, for its report. Everything but the configuration may be missing: a training that was stopped leaves less. */
import { bestEpoch, type EpochRecord } from '../epoch-record.js';
import type { ReportData, ReportedRun } from './report-data.js';

export type Json = Readonly<Record<string, unknown>>;
const asObject = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const asNumber = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What a text of JSON says; null where there is none, or it is none. */
export function jsonIn(text: string | null): unknown {
  try {
    return text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}

/** A run among others; null without its configuration. */
export function reportedRun(
  name: string,
  isThis: boolean,
  config: unknown,
  epochs: readonly EpochRecord[],
): ReportedRun | null {
  const { started, preprocessing, parameters } = asObject(config);
  if (started === undefined) return null;
  const best = bestEpoch(epochs);
  const { width, height } = asObject(asObject(preprocessing)['size']);
  return {
    name,
    started: asText(started),
    epochs: epochs.length,
    bestEpoch: best?.epoch ?? null,
    valAccuracy: asNumber(best?.valAccuracy),
    valLoss: asNumber(best?.valLoss),
    balancedAccuracy: asNumber(best?.balancedAccuracy),
    missedAlerts: asNumber(best?.missedAlerts),
    parameters: asNumber(parameters),
    size: asNumber(width) === null ? '' : `${asNumber(width)}×${asNumber(height)}`,
    isThis,
  };
}

/** What the audit before the training found. */
export function auditOf(text: string | null): ReportData['audit'] {
  const { findings } = asObject(jsonIn(text));
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
