/**
 * What a line in shadow mode would have told, against what its operators wrote down: alarms that nobody noticed, and what was noticed
 * without an alarm. Both are looked at by people before anybody lets the line speak.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import papaparse from 'papaparse';
import { DataError } from '../errors.js';
import { expectNumber, expectPath } from '../expect.js';
import { readWholeFile } from '../files.node.js';
import { daysOfRecord, type LineEntry } from './record.node.js';

/** What an operator noticed. */
export interface LogEntry {
  /** ISO 8601. */
  readonly time: string;
  /** Empty: of any camera. */
  readonly camera: string;
  readonly region: string;
  readonly what: string;
}

/** An alarm of the record. */
export interface RecordedAlarm {
  readonly time: string;
  readonly camera: string;
  readonly region: string;
  readonly reason: string;
  readonly alarmId: string;
  /** Of its last alert before it was raised, in the record's folder; null where none was kept. */
  readonly picture: string | null;
}

export interface Disagreements {
  readonly from: string;
  readonly to: string;
  /** Both, at the same time. */
  readonly agreed: readonly { readonly alarm: RecordedAlarm; readonly entry: LogEntry }[];
  /** Alarms of which the log knows nothing. */
  readonly onlyLine: readonly RecordedAlarm[];
  /** What was noticed without an alarm. */
  readonly onlyLog: readonly LogEntry[];
  /** Entries of the log from when the line did not watch: they say nothing of it. */
  readonly outside: readonly LogEntry[];
}

const LOG = {
  what: "an operator's log",
  mostBytes: 2 ** 26,
  refuse: (message: string): Error => new DataError(message),
};

/**
 * @param folder of a line's record
 * @param log a CSV file with the columns time (ISO 8601) and, if they are known, camera, region, what
 * @param withinSeconds that alarm and entry may lie apart: people write late
 * @throws DataError for a record or log that cannot be read
 */
export async function compareWithLog(folder: string, log: string, withinSeconds = 120): Promise<Disagreements> {
  expectPath(folder, 'compareWithLog: folder');
  expectPath(log, 'compareWithLog: log');
  expectNumber(withinSeconds, 'compareWithLog: withinSeconds');
  const { alarms, from, to } = await alarmsOf(folder);
  const entries = parseLog(Buffer.from(await readWholeFile(log, LOG)).toString('utf8'), log);
  const within = withinSeconds * 1000;
  const [first, last] = [Date.parse(from) - within, Date.parse(to) + within];
  const isInside = ({ time }: LogEntry): boolean => Date.parse(time) >= first && Date.parse(time) <= last;
  const inside = entries.filter(isInside);
  // The nearest pairs first, each alarm and each entry once.
  const pairs = alarms
    .flatMap((alarm) =>
      inside
        .filter(({ camera, region }) => fits(camera, alarm.camera) && fits(region, alarm.region))
        .map((entry) => ({ alarm, entry, apart: Math.abs(Date.parse(alarm.time) - Date.parse(entry.time)) })),
    )
    .filter(({ apart }) => apart <= within)
    .toSorted((a, b) => a.apart - b.apart);
  const agreed: { alarm: RecordedAlarm; entry: LogEntry }[] = [];
  const taken = new Set<object>();
  for (const { alarm, entry } of pairs) {
    if (taken.has(alarm) || taken.has(entry)) continue;
    taken.add(alarm).add(entry);
    agreed.push({ alarm, entry });
  }
  return {
    from,
    to,
    agreed: agreed.toSorted((a, b) => (a.alarm.time < b.alarm.time ? -1 : 1)),
    onlyLine: alarms.filter((alarm) => !taken.has(alarm)),
    onlyLog: inside.filter((entry) => !taken.has(entry)),
    outside: entries.filter((entry) => !isInside(entry)),
  };
}

const fits = (asked: string, given: string): boolean => asked === '' || asked === given;

/** Alarms as they were raised by frames; that no verdict came is not what operators log. */
async function alarmsOf(folder: string): Promise<{ alarms: RecordedAlarm[]; from: string; to: string }> {
  const alarms: RecordedAlarm[] = [];
  const pictures = new Map<string, string>();
  const known = new Set<string>();
  let [from, to]: (string | null)[] = [null, null];
  for (const day of daysOfRecord(folder)) {
    const lines = createInterface({ input: createReadStream(join(folder, day), 'utf8'), crlfDelay: Infinity });
    for await (const line of lines) {
      const entry = entryOf(line);
      if (!entry) continue; // verify-record says so
      from ??= entry.at;
      to = entry.at;
      if (entry.kind === 'verdict' && entry.picture)
        pictures.set(`${entry.camera}/${entry.region}`, entry.picture.file);
      if (entry.kind !== 'alarm' || entry.state !== 'alarm' || known.has(entry.alarmId)) continue;
      known.add(entry.alarmId);
      const { at: time, camera, region, reason, alarmId } = entry;
      if (/^(?:no verdict|challenge)/.test(reason)) continue;
      alarms.push({ time, camera, region, reason, alarmId, picture: pictures.get(`${camera}/${region}`) ?? null });
    }
  }
  if (from === null || to === null)
    throw new DataError(`${folder}: expects the record of a line (files such as 2026-11-29.jsonl), got none`);
  return { alarms, from, to };
}

function entryOf(line: string): LineEntry | null {
  try {
    return JSON.parse(line) as LineEntry;
  } catch {
    return null;
  }
}

function parseLog(text: string, file: string): LogEntry[] {
  const { data, meta } = papaparse.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
  if (!(meta.fields ?? []).includes('time'))
    throw new DataError(
      `${file}: expects a table with the column time (and camera, region, what), got ${(meta.fields ?? []).join(', ') || 'nothing'}`,
    );
  return data.map(({ time, camera = '', region = '', what = '' }, row) => {
    if (Number.isNaN(Date.parse(time)))
      throw new DataError(`${file}: row ${row + 2}: expects a time such as 2026-11-29T06:12:00+01:00, got '${time}'`);
    return { time: new Date(time).toISOString(), camera, region, what };
  });
}
