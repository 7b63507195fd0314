/**
 * What is wrong with a camera, through the whole line: pictures as files, a model on a base that knows its training's light, focus and kind
 * of pictures. Each is a fault of its own, and never a verdict.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beltPicture, compareWithLog, decode, resize, verifyLineRecord, type Picture } from 'beltnet';
import { trendPerDay } from '../../src/line/drift.js';
import { encodeJpeg } from '../../src/data/pictures/jpeg/encode-jpeg.js';
import { endOfShift } from '../../src/line/shifts.node.js';
import { beltnetWorks } from '../cli/run-beltnet.js';
import { noteDevice } from '../support/devices.js';
import { until, watch } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'beltnet-suspects-'));
const [WIDTH, HEIGHT] = [96, 72];
const belt = (seed: number, label: 'ok' | 'gap' = 'ok'): Picture =>
  beltPicture({ width: WIDTH, height: HEIGHT, seed: 1, index: seed, label });
const jpeg = (picture: Picture): Uint8Array => encodeJpeg(picture, 92);
const changed = ({ width, height, data }: Picture, change: (value: number) => number): Picture => ({
  ...{ width, height },
  data: Uint8Array.from(data, (value) => Math.max(0, Math.min(255, Math.round(change(value))))),
});

/** Seen through a lens that is out of focus. */
const blurred = (picture: Picture): Picture =>
  resize(resize(picture, { width: 12, height: 9 }, 'box'), { width: WIDTH, height: HEIGHT }, 'bicubic');

/** Stripes and circles in bright colours: nothing like a belt, and sharp. */
function other(): Picture {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++) {
      const ring = Math.floor(Math.hypot(x - 48, y - 36) / 5) % 2;
      data.set(ring ? [230, 40, 60] : [(x * 5) % 256, 120, (y * 7) % 256], 3 * (y * WIDTH + x));
    }
  return { width: WIDTH, height: HEIGHT, data };
}

beforeAll(async () => {
  noteDevice('cpu');
  for (const label of ['gap', 'ok'] as const) {
    mkdirSync(join(folder, 'set', label), { recursive: true });
    for (let seed = 0; seed < 24; seed++)
      writeFileSync(join(folder, 'set', label, `${seed}.jpg`), jpeg(belt(seed, label)));
  }
  const how = ['--base', 'darknet-tiny', '--base-size', '64x64', '--alert-class', 'gap', '--device', 'cpu'];
  await beltnetWorks(['train', 'set', ...how, '--name', 'belt'], { cwd: folder });
});
afterAll(() => rmSync(folder, { recursive: true }));

let lines = 0;
function lineOf(more: object = {}, all: object = {}): { readonly config: object; readonly record: string } {
  const record = join(folder, `record-${++lines}`);
  return {
    record,
    config: {
      models: { belt: join(folder, 'runs', 'belt') },
      cameras: [{ name: 'camera', source: { kind: 'submit' }, noVerdictSeconds: 3600, ...more }],
      record: { folder: record, queue: { everySeconds: 0.05 } },
      device: 'cpu',
      ...all,
    },
  };
}

test('dark, overexposed, blurred, black, and unlike anything trained on: a fault each, and no verdict', async () => {
  const { config, record } = lineOf();
  const { line, of } = await watch(config);
  const good = belt(100);
  const cases: readonly (readonly [string, Picture])[] = [
    ['dark', changed(good, (value) => value / 6)],
    ['overexposed', changed(good, (value) => 200 + value)],
    ['blurred', blurred(good)],
    ['dark', changed(good, () => 0)],
    ['unlike', other()],
  ];
  for (const [n, [fault, picture]] of cases.entries()) {
    const { verdicts, faults } = await line.submit('camera', jpeg(picture), `${n}.jpg`);
    expect([fault, verdicts], `${n}`).toEqual([fault, []]);
    expect(
      faults.map((one) => one.fault),
      `${n}`,
    ).toContain(fault);
    expect(line.state().cameras['camera'].lamp).not.toBe('ok');
    // And what is good again has its verdicts again, and ends the fault.
    for (let seed = 0; seed < 3; seed++) {
      const again = await line.submit('camera', jpeg(belt(200 + 10 * n + seed)), 'good.jpg');
      expect([again.faults, again.verdicts.length], `${n}`).toEqual([[], 1]);
    }
    expect(line.state().cameras['camera'].regions['all'].faults).toEqual([]);
  }
  expect(of('verdict').every(({ source }) => source === 'good.jpg')).toBe(true);
  // Only what is unlike is set aside to be labelled, with the file as it came: of dark ones nothing is to be learned.
  await until(() => readdirSync(join(record, 'queue')).includes('queue.jsonl'));
  const queued = readFileSync(join(record, 'queue', 'queue.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const [entry] = queued
    .map((text) => JSON.parse(text) as Record<string, string>)
    .filter(({ reason }) => reason === 'unknown');
  expect(entry).toMatchObject({ source: '4.jpg', region: 'all', camera: 'camera', unknown: true });
  expect(decode(readFileSync(join(record, 'queue', entry['file'])), 'queued')).toEqual(decode(jpeg(other()), 'own'));
});

test('a picture that must raise the alert is shown on a schedule: noticed, or a fault; never an alarm unless that is asked for', async () => {
  const pieces = join(folder, 'pieces');
  mkdirSync(pieces);
  writeFileSync(join(pieces, 'piece.jpg'), jpeg(belt(3, 'gap')));
  const challenge = { pictures: pieces, everySeconds: 0.3 };
  const { config, record } = lineOf({ challenge });
  const { line, of, until: holds } = await watch(config);
  await holds(() => of('challenge').length >= 2);
  expect(of('challenge')[0]).toMatchObject({ camera: 'camera', piece: 'piece.jpg', isCaught: true });
  expect([of('verdict'), of('alarm'), of('fault')]).toEqual([[], [], []]);
  // Somebody has put a good one there: it is not noticed, and that is a fault until one is.
  writeFileSync(join(pieces, 'piece.jpg'), jpeg(belt(3, 'ok')));
  await holds(() => of('fault').length === 1);
  expect(of('fault')[0]).toMatchObject({ camera: 'camera', fault: 'challenge', active: true });
  expect(line.state().lamp).not.toBe('ok');
  writeFileSync(join(pieces, 'piece.jpg'), jpeg(belt(3, 'gap')));
  await holds(() => of('fault').length === 2);
  expect(of('alarm')).toEqual([]);
  await line.close();
  expect(await verifyLineRecord(record)).toMatchObject({ problems: [], counts: { fault: 2 } });

  const asked = await watch(
    lineOf({ challenge: { ...challenge, alarm: true }, alarm: { latch: false, holdSeconds: 0 } }).config,
  );
  await asked.until(() => asked.of('alarm').length >= 2);
  expect(asked.of('alarm').slice(0, 2)).toMatchObject([
    { state: 'alarm', reason: 'challenge: piece.jpg' },
    { state: 'clear' },
  ]);
});

test('a shift whose light has changed drifts, though most of its pictures have their verdicts; one like the training does not', async () => {
  let [now, today] = [0, new Date(2026, 10, 29, 6, 0, 0).getTime()];
  const clock = { now: () => now, today: () => new Date(today) };
  const { config, record } = lineOf({}, { shifts: { hours: 8, begin: 6 }, heartbeatSeconds: 0.05 });
  const { line, of, until: holds } = await watch(config, { clock });
  const shift = async (change: (value: number) => number, seeds: number): Promise<void> => {
    const before = of('shift').length;
    for (let n = 0; n < 32; n++) {
      const label = n % 2 === 0 ? 'ok' : 'gap';
      await line.submit('camera', jpeg(changed(belt(seeds + n, label), change)));
      now += 1100;
    }
    today += 8 * 3_600_000;
    await holds(() => of('shift').length > before);
  };
  await shift((value) => value, 300);
  await shift((value) => 1.65 * value, 400);
  const [usual, bright] = of('shift');
  expect(usual).toMatchObject({ camera: 'camera', region: 'all' });
  expect(usual.drift?.value).toBeLessThan(1);
  expect(bright.drift).toMatchObject({ of: 'brightness' });
  expect(bright.verdicts).toBeGreaterThan(20);
  expect(bright.drift?.value).toBeGreaterThan(1);
  expect(of('note').filter(({ about }) => about === 'drift')).toMatchObject([
    { level: 'warning', detail: expect.stringContaining('camera/all drifts: the brightness of this shift') },
  ]);
  expect(bright.figures?.brightness.perDay).toBeNull(); // two shifts are no trend
  await until(() => readdirSync(record).includes('shifts.json'));
});

test('a trend is that of most shifts, and shifts end by the clock of the place', () => {
  const day = 86_400_000;
  const points = Array.from({ length: 9 }, (_, n) => [(n * day) / 3, n === 4 ? 500 : 100 - 2 * n] as const);
  expect(trendPerDay(points)).toBeCloseTo(-6, 9);
  expect(trendPerDay(points.slice(0, 5))).toBeNull();
  const at = (hour: number, minute = 0): Date => new Date(2026, 5, 10, hour, minute);
  const ends = [at(5, 59), at(6), at(13, 59), at(23)].map((time) => endOfShift(time, { hours: 8, begin: 6 }).getTime());
  expect(ends).toEqual([at(6), at(14), at(14), at(30)].map((time) => time.getTime()));
});

test("the operators' log against the record of a line in shadow: agreements, and both kinds of disagreement", async () => {
  let today = Date.parse('2026-11-29T06:00:00Z');
  const { config, record } = lineOf(
    { alarm: { of: 1, raise: 1, threshold: 0.5, latch: false, holdSeconds: 0 } },
    { shadow: true },
  );
  const { line, of } = await watch(config, { clock: { now: () => performance.now(), today: () => new Date(today) } });
  for (const [minute, label] of [
    [1, 'gap'],
    [2, 'ok'],
    [30, 'gap'],
    [31, 'ok'],
    [60, 'ok'],
  ] as const) {
    today = Date.parse('2026-11-29T06:00:00Z') + minute * 60_000;
    await line.submit('camera', jpeg(belt(minute % 24, label)), `${minute}.jpg`);
  }
  const raised = of('alarm').filter(({ state }) => state === 'alarm');
  expect(raised).toHaveLength(2);
  await line.close();
  const log = join(folder, 'log.csv');
  const rows = ['2026-11-29T07:02:10+01:00,camera,all,gap', '2026-11-29T06:50:00Z,,,jam', '2026-11-30T06:00:00Z,,,gap'];
  writeFileSync(log, `time,camera,region,what\n${rows.join('\n')}\n`);
  const found = await compareWithLog(record, log, 120);
  expect(found.agreed).toMatchObject([{ alarm: { alarmId: raised[0].alarmId }, entry: { what: 'gap' } }]);
  expect(found.onlyLine).toMatchObject([{ alarmId: raised[1].alarmId, picture: expect.stringMatching(/^pictures\//) }]);
  expect(found.onlyLog).toMatchObject([{ what: 'jam', time: '2026-11-29T06:50:00.000Z' }]);
  expect(found.outside).toHaveLength(1);
  const said = await beltnetWorks(['compare-log', record, log], { cwd: folder });
  expect(said).toMatch(
    /1 time both[^]*only the line {2}2026-11-29T06:30[^]*only the log {3}2026-11-29T06:50:00.000Z {2}-: jam/,
  );
  writeFileSync(log, 'when,what\n1,2\n');
  await expect(compareWithLog(record, log)).rejects.toThrow('expects a table with the column time');
});
