/** Cameras that are folders: every file has one verdict, whatever happens to it, to the folder, to the model and to the line. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compareWithLog, verifyLineRecord, type LineEvent, type Output } from 'beltnet';
import { noisyPng, writeFiles } from '../cli/run-beltnet.js';
import { makePng, temporaryFolder } from '../data/make-pictures.js';
import { until, watch, writeBrightnessModel, writeConfig } from './support.js';

const [dark, bright] = (['dark', 'bright'] as const).map((label) => (seed: number) => noisyPng(label, seed));

async function place(): Promise<string> {
  const folder = temporaryFolder();
  await writeBrightnessModel(join(folder, 'model.safetensors'));
  for (const name of ['in', 'done', 'two']) mkdirSync(join(folder, name));
  return folder;
}

const camera = (folder: string, name = 'in', more: object = {}) => ({
  name,
  source: { kind: 'folder', path: join(folder, name), moveTo: join(folder, 'done'), pollSeconds: 0.05 },
  noVerdictSeconds: 60,
  ...more,
});

const lineOf = (folder: string, ...cameras: object[]) => ({
  models: { model: join(folder, 'model.safetensors') },
  cameras,
  record: { folder: join(folder, 'record') },
  device: 'cpu',
});

/** Bytes of the rows of an interlaced RGB picture whose sides are multiples of 8, each with its filter. */
const interlacedLength = (width: number, height: number): number =>
  [
    [8, 8],
    [8, 8],
    [4, 8],
    [4, 4],
    [2, 4],
    [2, 2],
    [1, 2],
  ].reduce((sum, [across, down]) => sum + (height / down) * (1 + (3 * width) / across), 0);

const put = (folder: string, name: string, bytes: Uint8Array): void => {
  writeFileSync(join(folder, `.${name}`), bytes);
  renameSync(join(folder, `.${name}`), join(folder, name));
};

describe('a folder', () => {
  test('every file has one verdict, in its order; the alarm follows; files go where they should, and all of it is recorded', async () => {
    const folder = await place();
    const { line, of, until: holds } = await watch(lineOf(folder, camera(folder)));
    const isBright = (n: number): boolean => n >= 20 && n < 26;
    for (let n = 0; n < 40; n++) {
      put(join(folder, 'in'), `${String(n).padStart(3, '0')}.png`, (isBright(n) ? bright : dark)(n));
      await new Promise((resolve) => setTimeout(resolve, 5)); // times of files that tell them apart
    }
    await holds(() => of('verdict').length >= 40 && readdirSync(join(folder, 'done')).length === 40);
    const verdicts = of('verdict');
    expect(verdicts.map(({ source }) => source)).toEqual(readdirSync(join(folder, 'done')));
    expect(verdicts.map(({ alert }) => alert)).toEqual(verdicts.map((_, n) => isBright(n)));
    expect(verdicts.map(({ sequence }) => sequence)).toEqual(verdicts.map((_, n) => n + 1));
    expect(readdirSync(join(folder, 'in'))).toEqual([]);
    // Raised by the third, over when none of the last five is one.
    expect(of('alarm').map(({ state }) => state)).toEqual(['alarm', 'held']);
    expect(line.state().lamp).toBe('alarm');
    line.acknowledge('in', 'all', 'Kim');
    expect(of('alarm').at(-1)).toMatchObject({ state: 'held', reason: 'acknowledged by Kim' });
    expect(line.lastPicture('in', 'all')).toMatchObject({ width: 40, height: 30 });
    await line.close();
    const record = await verifyLineRecord(join(folder, 'record'));
    expect(record).toMatchObject({
      problems: [],
      torn: null,
      counts: { verdict: 40 },
      pictures: { whole: 6, gone: 0 },
    });
  });

  test('half of a file is never judged; one that stays so is a fault; one camera disturbs no other', async () => {
    const folder = await place();
    const giveUp = { source: { ...camera(folder).source, giveUpSeconds: 0.3 } };
    const { of, until: holds, line } = await watch(lineOf(folder, camera(folder, 'in', giveUp), camera(folder, 'two')));
    const whole = dark(1);
    writeFileSync(join(folder, 'two', 'slow.png'), whole.subarray(0, 1000));
    await new Promise((resolve) => setTimeout(resolve, 150));
    appendFileSync(join(folder, 'two', 'slow.png'), whole.subarray(1000));
    put(join(folder, 'in'), 'a.png', dark(2));
    await holds(() => of('verdict').length === 2);
    writeFileSync(join(folder, 'in', 'torn.png'), whole.subarray(0, 700));
    await holds(() => of('fault').some(({ fault, detail }) => fault === 'unreadable' && detail.includes('torn.png')));
    const seen = new Map(of('verdict').map(({ camera: name, source, alert }) => [name, [source, alert]]));
    expect([seen.get('in'), seen.get('two')]).toEqual([
      ['a.png', false],
      ['slow.png', false],
    ]);
    expect(line.state().cameras['two']).toMatchObject({ lamp: 'ok', faults: [] });
    expect(line.state().cameras['in'].lamp).toBe('fault');
  });

  test('only the newest, where that is asked for: the others are counted', async () => {
    const folder = await place();
    const { source } = camera(folder);
    for (let n = 0; n < 9; n++) {
      put(join(folder, 'in'), `${n}.png`, dark(n));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const { of, until: holds } = await watch(
      lineOf(folder, camera(folder, 'in', { source: { ...source, every: false } })),
    );
    await holds(() => of('verdict').length === 1);
    await holds(() => readdirSync(join(folder, 'done')).length === 9);
    expect(of('verdict')[0]).toMatchObject({ source: '8.png', sequence: 9 });
    expect(of('dropped')).toMatchObject([{ count: 8 }]);
  });

  test('a folder that goes is a camera that is lost, and comes back', async () => {
    const folder = await place();
    const { of, until: holds } = await watch(lineOf(folder, camera(folder), camera(folder, 'two')));
    put(join(folder, 'in'), 'a.png', dark(1));
    await holds(() => of('verdict').length === 1);
    rmSync(join(folder, 'in'), { recursive: true });
    await holds(() => of('fault').some(({ fault, active }) => fault === 'camera-lost' && active));
    put(join(folder, 'two'), 'b.png', dark(2));
    await holds(() => of('verdict').length === 2);
    mkdirSync(join(folder, 'in'));
    put(join(folder, 'in'), 'c.png', dark(3));
    await holds(() => of('verdict').length === 3);
    expect(of('fault').at(-1)).toMatchObject({ camera: 'in', fault: 'camera-lost', active: false });
  });

  test('files that stay have no second verdict when the line starts again, and those that came meanwhile have theirs', async () => {
    const folder = await place();
    const stays = camera(folder, 'in', { source: { kind: 'folder', path: join(folder, 'in'), pollSeconds: 0.05 } });
    put(join(folder, 'in'), 'old.png', bright(0));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const first = await watch(lineOf(folder, stays));
    await new Promise((resolve) => setTimeout(resolve, 200));
    put(join(folder, 'in'), 'a.png', dark(1));
    await first.until(() => first.of('verdict').length === 1);
    await first.line.close();
    put(join(folder, 'in'), 'b.png', dark(2));
    const second = await watch(lineOf(folder, stays));
    await second.until(() => second.of('verdict').length === 1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([...first.of('verdict'), ...second.of('verdict')].map(({ source }) => source)).toEqual(['a.png', 'b.png']);
  });
});

test('a picture that takes long keeps no other camera from its verdicts', async () => {
  const folder = await place();
  const { of, until: holds } = await watch(lineOf(folder, camera(folder), camera(folder, 'two')));
  const [width, height] = [6000, 4000];
  const hostile = makePng({ width, height, interlaced: true, rows: new Uint8Array(interlacedLength(width, height)) });
  put(join(folder, 'two'), 'first.png', dark(1));
  await holds(() => of('verdict').length === 1);
  put(join(folder, 'in'), 'hostile.png', hostile);
  await new Promise((resolve) => setTimeout(resolve, 100)); // it is being decoded
  for (let n = 0; n < 3; n++) {
    put(join(folder, 'two'), `${n}.png`, dark(n));
    await holds(() => of('verdict').length === n + 2);
  }
  await holds(() => of('verdict').some((one) => one.camera === 'in'));
  expect(of('verdict').map((one) => one.camera)).toEqual(['two', 'two', 'two', 'two', 'in']);
});

describe('what is no verdict', () => {
  test('no frame for long is an alarm of its own, and a late frame does not end it', async () => {
    const folder = await place();
    let now = 0;
    const clock = { now: () => now, today: () => new Date() };
    const {
      line,
      of,
      until: holds,
    } = await watch(lineOf(folder, camera(folder, 'in', { noVerdictSeconds: 10 })), { clock });
    expect(line.state().lamp).toBe('no verdict');
    now = 10_500;
    await holds(() => of('alarm').length === 1);
    expect(of('alarm')[0]).toMatchObject({ state: 'alarm', reason: 'no verdict for 10 s' });
    expect(line.isReady()).toBe(false);
    await line.submit('in', dark(1));
    expect(line.isReady()).toBe(true);
    await holds(() => of('alarm').length === 2);
    expect(of('alarm')[1].state).toBe('held');
    expect(of('fault').map(({ fault, active }) => [fault, active])).toEqual([
      ['no-verdict', true],
      ['no-verdict', false],
    ]);
  });

  test('the same pixels for long are a frozen camera', async () => {
    const folder = await place();
    let now = 0;
    const { line } = await watch(lineOf(folder, camera(folder)), {
      clock: { now: () => now, today: () => new Date() },
    });
    const seen: string[] = [];
    for (let n = 0; n < 30; n++, now += 500) {
      const { verdicts, faults } = await line.submit('in', dark(n < 5 ? n : 5));
      seen.push(verdicts.length > 0 ? 'verdict' : faults[0].fault);
    }
    expect(seen.indexOf('frozen')).toBe(25); // 10 s after the first of the equal frames
    expect(seen.slice(25).every((one) => one === 'frozen')).toBe(true);
    expect((await line.submit('in', dark(77))).verdicts).toHaveLength(1);
  });

  test('regions have verdicts and alarms of their own', async () => {
    const folder = await place();
    const regions = [
      { name: 'left', box: { left: 0, top: 0, width: 0.5, height: 1 } },
      { name: 'right', box: { left: 0.5, top: 0, width: 0.5, height: 1 }, alarm: { of: 1, raise: 1 } },
    ];
    const { line, of } = await watch(lineOf(folder, camera(folder, 'in', { regions })));
    const data = Uint8Array.from({ length: 40 * 30 * 3 }, (_, at) => (at % 120 < 60 ? 20 : 220) + (at % 7));
    const { encodePng } = await import('beltnet');
    const { verdicts } = await line.submit('in', encodePng({ width: 40, height: 30, data }));
    expect(verdicts.map(({ region, class: given }) => [region, given])).toEqual([
      ['left', 'dark'],
      ['right', 'bright'],
    ]);
    expect(of('alarm')).toMatchObject([{ region: 'right', state: 'alarm' }]);
    expect(line.state().cameras['in'].regions).toMatchObject({ left: { lamp: 'ok' }, right: { lamp: 'alarm' } });
    expect(line.lastPicture('in', 'left')).toMatchObject({ width: 20, height: 30 });
  });
});

describe('the line', () => {
  test('outputs that throw or hang disturb nothing, and are told of', async () => {
    const folder = await place();
    const told: LineEvent[] = [];
    const outputs: Output[] = [
      {
        name: 'broken',
        state: () => {
          throw new Error('no route');
        },
        event: () => Promise.reject(new Error('no route')),
        close: () => {},
      },
      {
        name: 'hanging',
        state: () => new Promise(() => {}),
        event: () => new Promise(() => {}),
        close: () => new Promise(() => {}),
      },
      { name: 'good', state: () => {}, event: (event) => void told.push(event), close: () => {} },
    ];
    const { line, until: holds } = await watch(lineOf(folder, camera(folder)), { outputs });
    for (let n = 0; n < 5; n++) await line.submit('in', dark(n));
    await holds(() => told.filter(({ kind }) => kind === 'verdict').length === 5);
    expect(line.state().faults).toMatchObject([{ fault: 'output', detail: 'broken: no route' }]);
    expect(line.state()).toMatchObject({ lamp: 'fault', cameras: { in: { lamp: 'ok' } } });
  });

  test('an alarm outlives the line; the record goes on where it ended; a torn line is told of', async () => {
    const folder = await place();
    const first = await watch(lineOf(folder, camera(folder)));
    for (let n = 0; n < 3; n++) await first.line.submit('in', bright(n));
    const [{ alarmId }] = first.of('alarm');
    await first.line.close();
    const [day] = readdirSync(join(folder, 'record')).filter((name) => name.endsWith('.jsonl'));
    appendFileSync(join(folder, 'record', day), '{"number":9,"half of a l');
    const second = await watch(lineOf(folder, camera(folder)));
    expect(second.line.state().cameras['in'].regions['all'].alarm).toMatchObject({ state: 'held', alarmId });
    second.line.acknowledge('in', 'all', 'Kim');
    await second.line.close();
    const text = readFileSync(join(folder, 'record', day), 'utf8');
    expect(text).toContain('the last line was torn and is taken away: {\\"number\\":9,\\"half of a l');
    expect(await verifyLineRecord(join(folder, 'record'))).toMatchObject({ problems: [], torn: null });
    expect(JSON.parse(readFileSync(join(folder, 'record', 'standing.json'), 'utf8'))).toEqual({
      'in/all': expect.objectContaining({ state: 'held' }), // its time is not over
    });
  });

  test('a record that was changed, or cut at its end, does not hold', async () => {
    const folder = await place();
    const { line, of } = await watch(lineOf(folder, camera(folder)));
    for (let n = 0; n < 4; n++) await line.submit('in', (n < 3 ? dark : bright)(n));
    await line.close();
    const record = join(folder, 'record');
    const { head } = await verifyLineRecord(record);
    expect(of('verdict')).toHaveLength(4);
    const day = join(record, readdirSync(record).find((name) => name.endsWith('.jsonl')) as string);
    const text = readFileSync(day, 'utf8');
    writeFileSync(day, text.replace('"alert":true', '"alert":false'));
    expect((await verifyLineRecord(record)).problems).toEqual([expect.stringContaining('was changed')]);
    writeFileSync(day, text.split('\n').slice(0, -2).join('\n') + '\n');
    expect((await verifyLineRecord(record)).problems).toEqual([]);
    expect((await verifyLineRecord(record, [head])).problems).toEqual([expect.stringContaining('the end was cut')]);
    writeFileSync(day, text);
    const [picture] = readdirSync(join(record, 'pictures'));
    appendFileSync(join(record, 'pictures', picture), 'x');
    expect((await verifyLineRecord(record, [head])).problems).toEqual([expect.stringContaining('another picture')]);
  });

  test('what holds no record is told by name, to whoever reads one', async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { 'log.csv': 'time\n2026-11-29T06:12:00+01:00\n' });
    const log = join(folder, 'log.csv');
    for (const given of [join(folder, 'nowhere'), log, folder])
      for (const read of [() => verifyLineRecord(given), () => compareWithLog(given, log)])
        await expect(read()).rejects.toThrow(`${given}: expects the record of a line`);
  });

  test('reads its file again: models and cameras change, rubbish changes nothing', async () => {
    const folder = await place();
    const path = join(folder, 'line.json');
    const config = { ...lineOf(folder, camera(folder)), models: { model: 'model.safetensors' } };
    writeConfig(path, config);
    const { line, of } = await watch(path);
    const [before] = line.models();
    const model = readFileSync(join(folder, 'model.safetensors'));
    writeFileSync(join(folder, 'model.safetensors'), 'rubbish');
    await expect(line.reload()).rejects.toThrow(/model\.safetensors/);
    expect((await line.submit('in', bright(1))).verdicts[0].alert).toBe(true);
    writeFileSync(join(folder, 'model.safetensors'), model);
    writeConfig(path, { ...config, cameras: [...config.cameras, camera(folder, 'two')] });
    await line.reload();
    expect((await line.submit('two', dark(2))).verdicts).toHaveLength(1);
    expect(Object.keys(line.state().cameras)).toEqual(['in', 'two']);
    expect(line.models()).toEqual([before]);
    writeConfig(path, { ...config, cameras: 'none' });
    await expect(line.reload()).rejects.toThrow('cameras expects');
    expect(of('note').filter(({ level }) => level === 'warning')).toHaveLength(3);
  });

  test('a model that was trained anew judges only when it is no worse on the test set', async () => {
    const folder = await place();
    for (let n = 0; n < 4; n++)
      writeFiles(join(folder, 'test'), { [`bright/${n}.png`]: bright(n), [`dark/${n}.png`]: dark(n) });
    const path = join(folder, 'line.json');
    const config = { ...lineOf(folder, camera(folder)), models: { model: 'model.safetensors' } };
    writeConfig(path, { ...config, testSets: { other: 'test' } });
    await expect(watch(path)).rejects.toThrow('testSets expects names of models (model), got other');
    writeConfig(path, { ...config, testSets: { model: 'test' } });
    const { line, of } = await watch(path);
    const [first] = line.models();
    const file = join(folder, 'model.safetensors');
    await writeBrightnessModel(file, {}, 0.9); // sees no bright picture any more
    await expect(line.reload()).rejects.toThrow('misses 4 of 4 (the one before it 0), 0 false alerts of 4 (0)');
    await writeBrightnessModel(file, {}, 0.1); // nothing but bright ones
    await expect(line.reload()).rejects.toThrow('misses 0 of 4 (the one before it 0), 4 false alerts of 4 (0)');
    expect(line.models()).toEqual([first]);
    expect((await line.submit('in', bright(1))).verdicts[0].alert).toBe(true);
    await writeBrightnessModel(file, {}, 0.5);
    await line.reload();
    expect(line.models()).not.toEqual([first]);
    expect(of('note').some(({ detail }) => detail.includes('misses 0 of 4 (the one before it 0)'))).toBe(true);
    // Who takes back a model that judged before is not asked.
    await writeBrightnessModel(file, {}, 0.9);
    await line.replaceModel('model', file, { trial: false });
    expect((await line.submit('in', bright(2))).verdicts[0].alert).toBe(false);
    writeFileSync(join(folder, 'test/bright/9.png'), 'no picture');
    await expect(line.replaceModel('model', file)).rejects.toThrow('9.png');
  });

  test('the clock of the day may jump: it is told, and nothing else changes', async () => {
    const folder = await place();
    let shift = 0;
    const clock = { now: () => performance.now(), today: () => new Date(Date.now() + shift) };
    const { line, of, until: holds } = await watch(lineOf(folder, camera(folder)), { clock });
    await line.submit('in', dark(1));
    shift = -3_600_000;
    await holds(() => of('note').some(({ about }) => about === 'clock'));
    expect(of('note').at(-1)?.detail).toContain('the clock was set back by 3600 s');
    shift = -2 * 86_400_000; // another day: the record does not go back
    await holds(() => of('note').filter(({ about }) => about === 'clock').length === 2);
    await line.submit('in', dark(2));
    expect(of('alarm')).toEqual([]);
    await line.close();
    expect(await verifyLineRecord(join(folder, 'record'))).toMatchObject({ problems: [], days: 1 });
    await until(() => true);
  });
});
