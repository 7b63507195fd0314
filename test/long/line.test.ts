/**
 * A line for long, and what befalls it: frames counted against their source, latency and memory measured, kills in mid-write, a disk that
 * is full, a folder that is unmounted, peers that are away, a clock that is set back. BELTNET_SOAK_MINUTES (20) says how long the soaks
 * take, BELTNET_AWAY_MINUTES (5) how long the peers are away; figures are printed.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { loadClassifier, verifyLineRecord, type LineEvent, type VerdictEvent } from 'beltnet';
import { encodeBeltFile } from '../../src/data/belt/synthetic-set.js';
import { beltnet, noisyPng, startBeltnet, type Running } from '../cli/run-beltnet.js';
import { temporaryFolder } from '../data/make-pictures.js';
import { freePort, Plc, startBroker, type Got } from '../line/peers.js';
import { until, writeBrightnessModel, writeConfig } from '../line/support.js';

const MINUTES = Number(process.env['BELTNET_SOAK_MINUTES'] ?? 20);
const AWAY_MINUTES = Number(process.env['BELTNET_AWAY_MINUTES'] ?? 5);

async function place(cameras: number, record: object = {}, more: object = {}, model?: string): Promise<string> {
  const folder = temporaryFolder();
  if (model === undefined) await writeBrightnessModel(join(folder, 'model.safetensors'));
  else copyFileSync(model, join(folder, 'model.safetensors'));
  const names = Array.from({ length: cameras }, (_, n) => `camera-${n}`);
  for (const name of names) mkdirSync(join(folder, name, 'done'), { recursive: true });
  writeConfig(join(folder, 'line.json'), {
    models: { model: 'model.safetensors' },
    device: 'cpu',
    heartbeatSeconds: 1,
    record: { folder: 'record', pictureMegabytes: 1, ...record },
    cameras: names.map((name) => ({
      name,
      source: { kind: 'folder', path: name, moveTo: join(name, 'done') },
      suspects: { staleSeconds: 3600 },
    })),
    ...more,
  });
  return folder;
}

async function start(folder: string, environment: Readonly<Record<string, string>> = {}): Promise<Running> {
  const running = startBeltnet(['watch', '--config', 'line.json'], { cwd: folder, environment });
  onTestFinished(async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  });
  await running.until('Watching');
  return running;
}

function recorded(folder: string): LineEvent[] {
  const record = join(folder, 'record');
  const days = readdirSync(record).filter((name) => name.endsWith('.jsonl'));
  const lines = days.toSorted().flatMap((name) => readFileSync(join(record, name), 'utf8').split('\n').slice(0, -1));
  return lines.map((line) => JSON.parse(line) as LineEvent);
}

const verdictsOf = (folder: string): VerdictEvent[] => recorded(folder).filter((event) => event.kind === 'verdict');

/** Complete when it has its name. */
function put(folder: string, camera: string, name: string, bytes: Uint8Array): void {
  writeFileSync(join(folder, camera, `.${name}`), bytes);
  renameSync(join(folder, camera, `.${name}`), join(folder, camera, name));
}

const memoryOf = (pid: number | undefined): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const WIDTH = 320;
const HEIGHT = 240;
const rendered = (index: number, label: 'gap' | 'ok', size = { width: WIDTH, height: HEIGHT }): Uint8Array =>
  encodeBeltFile({ ...size, seed: 1, index, label });

/** A model that was trained on pictures of a belt. @param options of `beltnet train` */
async function trained(options: readonly string[]): Promise<string> {
  const folder = temporaryFolder();
  for (const label of ['gap', 'ok'] as const) {
    mkdirSync(join(folder, 'set', label), { recursive: true });
    for (let n = 0; n < 100; n++) writeFileSync(join(folder, 'set', label, `${n}.jpg`), rendered(n, label));
  }
  const common = ['--alert-class', 'gap', '--device', 'cpu', '--name', 'belt', '--no-cache'];
  const { code, stderr } = await beltnet(['train', 'set', ...common, ...options], { cwd: folder });
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return join(folder, 'runs/belt/best.safetensors');
}

/** Pictures that the model did not see in training, none like another, each of which has a verdict: what it calls unlike has none. */
async function accepted(model: string, count: number): Promise<Uint8Array[]> {
  const classifier = await loadClassifier(model, { device: 'cpu' });
  const pictures: Uint8Array[] = [];
  for (let index = 1000; pictures.length < count; index++) {
    const picture = rendered(index, index % 10 === 9 ? 'gap' : 'ok');
    const { unknown = false, faults = [] } = await classifier.classify(picture);
    if (!unknown && faults.length === 0) pictures.push(picture);
    if (index > 1000 + 3 * count) throw new Error(`only ${pictures.length} of ${index - 1000} pictures have a verdict`);
  }
  await classifier.destroy();
  return pictures;
}

interface Soak {
  readonly cameras: number;
  /** Frames a second of each. */
  readonly rate: number;
  readonly model: string;
  readonly burst: number;
}

async function soak({ cameras, rate, model, burst }: Soak): Promise<{ readonly problems: readonly string[] }> {
  const pictures = await accepted(model, 60);
  const folder = await place(cameras, {}, {}, model);
  const { child } = await start(folder);
  const complete = new Map<string, number>();
  const memory: number[] = [];
  const from = performance.now();
  for (let frame = 0; performance.now() - from < MINUTES * 60_000; frame++) {
    const [camera, tick] = [frame % cameras, Math.floor(frame / cameras)];
    const name = `${String(tick).padStart(6, '0')}.jpg`;
    put(folder, `camera-${camera}`, name, pictures[(tick + 7 * camera) % pictures.length]);
    complete.set(`camera-${camera}/${name}`, Date.now());
    if (frame % 100 === 0) memory.push(memoryOf(child.pid));
    await wait(Math.max(0, from + (1000 * (frame + 1)) / rate / cameras - performance.now())); // in time, whatever the writing took
  }
  const isMoved = (camera: number): boolean =>
    readdirSync(join(folder, `camera-${camera}`)).every((name) => name === 'done');
  await until(() => Array.from({ length: cameras }, (_, n) => n).every(isMoved));
  const verdicts = verdictsOf(folder);
  const keys = verdicts.map(({ camera, source }) => `${camera}/${source}`);
  expect(keys.toSorted()).toEqual([...complete.keys()].toSorted()); // none lost, none doubled
  const ages = verdicts.map(({ at }, n) => Date.parse(at) - (complete.get(keys[n]) ?? NaN)).toSorted((a, b) => a - b);
  const percentile = (part: number): number => ages[Math.floor(part * (ages.length - 1))];
  const [early, late] = [memory[Math.floor(memory.length / 4)], memory[memory.length - 1]];
  console.log(
    `soak: ${cameras} cameras at ${rate} a second, ${MINUTES} min, ${verdicts.length} verdicts; from complete to verdict p50 ${percentile(0.5)} ms, ` +
      `p99 ${percentile(0.99)} ms, most ${percentile(1)} ms; memory ${early.toFixed(0)} MB after a quarter, ${late.toFixed(0)} MB at the end`,
  );
  expect(late).toBeLessThan(early * 1.3 + 20);

  const before = performance.now();
  for (let n = 0; n < burst; n++)
    put(folder, 'camera-0', `burst-${String(n).padStart(5, '0')}.jpg`, pictures[n % pictures.length]);
  await until(() => isMoved(0), undefined, 600);
  const made = verdictsOf(folder).filter(({ source }) => source.startsWith('burst'));
  expect(new Set(made.map(({ source }) => source)).size).toBe(burst);
  expect(made).toHaveLength(burst);
  console.log(`burst: ${burst} files in ${((performance.now() - before) / 1000).toFixed(1)} s, writing included`);
  return verifyLineRecord(join(folder, 'record'));
}

test("soak, eight cameras at five a second, the mission's network: every frame has one verdict, memory is flat, a burst is made up for", async () => {
  const model = await trained(['--epochs', '3', '--seed', '1']);
  expect(await soak({ cameras: 8, rate: 5, burst: 2000, model })).toMatchObject({ problems: [], torn: null });
});

test('soak, four cameras at two a second, a model on a base: the same', async () => {
  const model = await trained(['--base', 'darknet-tiny']);
  expect(await soak({ cameras: 4, rate: 2, burst: 200, model })).toMatchObject({ problems: [], torn: null });
});

test('10,000 files at once: each has one verdict, and memory does not grow with them', async () => {
  const folder = await place(1);
  const { child } = await start(folder);
  put(folder, 'camera-0', 'first.png', noisyPng('dark', 1));
  await until(() => verdictsOf(folder).length === 1);
  const before = memoryOf(child.pid);
  const pictures = Array.from({ length: 100 }, (_, n) => noisyPng(n % 10 === 9 ? 'bright' : 'dark', n));
  const names = Array.from({ length: 10_000 }, (_, n) => `${String(n).padStart(5, '0')}.png`);
  mkdirSync(join(folder, 'waiting'));
  for (const [n, name] of names.entries()) writeFileSync(join(folder, 'waiting', name), pictures[n % 100]);
  const from = performance.now();
  for (const name of names) renameSync(join(folder, 'waiting', name), join(folder, 'camera-0', name));
  let most = 0;
  await until(
    () => {
      most = Math.max(most, memoryOf(child.pid));
      return readdirSync(join(folder, 'camera-0')).every((name) => name === 'done');
    },
    undefined,
    900,
  );
  const sources = verdictsOf(folder).map(({ source }) => source);
  expect(sources.toSorted()).toEqual([...names, 'first.png'].toSorted());
  expect(readdirSync(join(folder, 'camera-0/done')).length).toBe(10_001);
  expect(recorded(folder).filter(({ kind }) => kind === 'dropped')).toEqual([]);
  console.log(
    `10,000 files: ${((performance.now() - from) / 1000).toFixed(0)} s; memory ${before.toFixed(0)} MB before, at most ${most.toFixed(0)} MB`,
  );
  expect(most).toBeLessThan(before + 150);
  expect(await verifyLineRecord(join(folder, 'record'))).toMatchObject({ problems: [], torn: null });
});

test('broker and PLC away for minutes, and back: what holds now is written, nothing that was missed; events come once, in order', async () => {
  const [plc, port] = [new Plc(), await freePort()];
  await plc.start(port);
  const first = await startBroker();
  onTestFinished(() => plc.stop());
  onTestFinished(first.stop);
  const coils = [
    { address: 0, shows: 'ok' },
    { address: 1, shows: 'alarm' },
  ];
  const outputs = {
    plc: { kind: 'modbus', host: '127.0.0.1', port, coils, everySeconds: 0.2, timeoutSeconds: 2, graceSeconds: 5 },
    mqtt: { url: `mqtt://127.0.0.1:${first.port}`, topic: 'belt', graceSeconds: 5, events: ['alarm'] },
  };
  const alarm = { of: 3, raise: 2, clear: 0, holdSeconds: 0, latch: false };
  const source = { kind: 'folder', path: 'camera-0', moveTo: 'camera-0/done' };
  const folder = await place(1, {}, { outputs, cameras: [{ name: 'camera-0', source, alarm, noVerdictSeconds: 60 }] });
  await start(folder);
  let number = 0;
  const frames = async (kind: 'dark' | 'bright', count: number): Promise<void> => {
    const before = verdictsOf(folder).length;
    for (let n = 0; n < count; n++, number++) {
      put(folder, 'camera-0', `${String(number).padStart(5, '0')}.png`, noisyPng(kind, number));
      await wait(20);
    }
    await until(() => verdictsOf(folder).length === before + count);
  };
  await frames('dark', 5);
  await until(() => plc.coils.get(0) === true);
  await plc.stop();
  await first.stop();
  const eventsBefore = recorded(folder).length;
  const alarmsBefore = recorded(folder).filter(({ kind }) => kind === 'alarm').length;
  const end = performance.now() + AWAY_MINUTES * 60_000;
  do {
    await frames('bright', 3);
    await frames('dark', 4);
    await wait(5000);
  } while (performance.now() < end);
  const outputFaults = (): string[] =>
    recorded(folder)
      .slice(eventsBefore)
      .flatMap((event) =>
        event.kind === 'fault' && event.fault === 'output' ? [`${event.detail.split(':')[0]} ${event.active}`] : [],
      );
  await until(() => outputFaults().length >= 2);
  expect(outputFaults().toSorted()).toEqual(['mqtt true', 'plc true']); // each once, not with every event
  plc.writes.length = 0;
  await plc.start(port);
  const second = await startBroker(first.port);
  onTestFinished(second.stop);
  const missed = recorded(folder)
    .filter(({ kind }) => kind === 'alarm')
    .slice(alarmsBefore);
  const eventsOf = (got: readonly Got[]): string[] =>
    got.filter(({ topic }) => topic === 'belt/events').map(({ payload }) => (JSON.parse(payload) as LineEvent).id);
  await until(() => eventsOf(second.got).length >= missed.length && plc.writes.length > 10, undefined, 180);
  expect(plc.writes.filter(([address, value]) => address === 1 && value)).toEqual([]); // no old alarm stops the belt
  expect(plc.coils.get(0)).toBe(true);
  expect(eventsOf(second.got)).toEqual(missed.map(({ id }) => id));
  expect(second.got.filter(({ topic, payload }) => topic === 'belt/lamp' && payload === 'alarm')).toEqual([]);
  await frames('dark', 1);
  await until(() => outputFaults().length >= 4);
  expect(outputFaults().slice(2).toSorted()).toEqual(['mqtt false', 'plc false']);
  console.log(
    `away ${AWAY_MINUTES} min: ${missed.length} alarm events missed, ${eventsOf(second.got).length} delivered once`,
  );
});

test('the clock of a running process is set back by an hour: told, nothing raised, verdicts and record go on', async () => {
  const folder = await place(1);
  const shift = join(folder, 'shift');
  const preload = join(folder, 'shifted-clock.mjs');
  writeFileSync(
    preload,
    `import { existsSync } from 'node:fs';
     const Real = Date;
     const now = () => Real.now() - (existsSync(${JSON.stringify(shift)}) ? 3_600_000 : 0);
     globalThis.Date = class extends Real {
       constructor(...given) { super(...(given.length === 0 ? [now()] : given)); }
       static now() { return now(); }
     };`,
  );
  const { child, finished } = await start(folder, { NODE_OPTIONS: `--import ${pathToFileURL(preload).href}` });
  const frame = async (n: number): Promise<void> => {
    put(folder, 'camera-0', `${n}.png`, noisyPng('dark', n));
    await until(() => verdictsOf(folder).length === n + 1);
  };
  for (let n = 0; n < 5; n++) await frame(n);
  writeFileSync(shift, '');
  const told = (): LineEvent[] => recorded(folder).filter((event) => event.kind === 'note' && event.about === 'clock');
  await until(() => told().length === 1);
  expect(told()[0]).toMatchObject({ level: 'warning', detail: expect.stringContaining('set back by 3600 s') });
  for (let n = 5; n < 10; n++) await frame(n);
  const after = (): LineEvent[] =>
    recorded(folder).slice(recorded(folder).findIndex((event) => event.id === told()[0].id) + 1);
  await until(() => after().some(({ kind }) => kind === 'heartbeat'));
  const since = after();
  expect(since.filter(({ kind }) => kind === 'alarm' || kind === 'fault')).toEqual([]);
  expect(since.every((event) => event.kind !== 'verdict' || event.ageMilliseconds >= 0)).toBe(true);
  child.kill('SIGTERM');
  expect((await finished).code).toBe(143);
  expect(await verifyLineRecord(join(folder, 'record'))).toMatchObject({ problems: [], torn: null, days: 1 });
});

test('kill -9 again and again while files come: each has one verdict, and the record holds', async () => {
  const folder = await place(1);
  const names: string[] = [];
  const stop = new AbortController();
  const writing = (async () => {
    for (let n = 0; !stop.signal.aborted; n++) {
      const name = `${String(n).padStart(5, '0')}.png`;
      put(folder, 'camera-0', name, noisyPng(n % 4 === 0 ? 'bright' : 'dark', n));
      names.push(name);
      await wait(15);
    }
  })();
  for (let kill = 0; kill < 8; kill++) {
    const { child, finished } = await start(folder);
    await wait(200 + 137 * kill);
    child.kill('SIGKILL');
    await finished;
  }
  stop.abort();
  await writing;
  const { child, finished } = await start(folder);
  await until(() => readdirSync(join(folder, 'camera-0')).every((name) => name === 'done'));
  child.kill('SIGTERM');
  expect((await finished).code).toBe(143);
  const sources = verdictsOf(folder).map(({ source }) => source);
  expect(sources.toSorted()).toEqual(names.toSorted());
  const { problems, counts } = await verifyLineRecord(join(folder, 'record'));
  expect(problems).toEqual([]);
  console.log(`kills: 9 starts, ${names.length} files, ${sources.length} verdicts, ${counts['note']} notes`);
});

/** As root. */
function tmpfs(path: string, size: string): () => void {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]);
  const leave = (): void => {
    execFileSync('umount', ['-l', path]);
  };
  onTestFinished(() => {
    try {
      leave();
    } catch {
      // left already
    }
  });
  return leave;
}

test('a full disk: the oldest pictures go, the record stays; with nothing left to go it is a fault, and nothing is lost', async () => {
  const folder = await place(1, { pictureMegabytes: 100, pictures: 'all' });
  tmpfs(join(folder, 'record'), '2m');
  await start(folder);
  const noisy = Array.from({ length: 20 }, (_, n) => noisyPng('dark', n, 200, 150));
  for (let n = 0; n < 60; n++) put(folder, 'camera-0', `${n}.png`, noisy[n % 20]);
  await until(() => verdictsOf(folder).length === 60);
  const kept = readdirSync(join(folder, 'record/pictures')).filter((name) => !name.startsWith('.'));
  expect(kept.length).toBeLessThan(60);
  expect(recorded(folder).some((event) => event.kind === 'note' && event.detail.includes('the disk is full'))).toBe(
    true,
  );
  // Now something else takes all the room there is.
  const hog = join(folder, 'record', '.hog');
  await wait(500); // pictures that still wait are written
  for (const name of kept) rmSync(join(folder, 'record/pictures', name), { force: true });
  try {
    writeFileSync(hog, Buffer.alloc(2 ** 21));
  } catch {
    // full
  }
  const small = Array.from({ length: 20 }, (_, n) => noisyPng('dark', n));
  for (let n = 60; n < 1500; n++) put(folder, 'camera-0', `${n}.png`, small[n % 20]);
  await until(() => readdirSync(join(folder, 'camera-0')).every((name) => name === 'done'));
  expect(verdictsOf(folder).length).toBeLessThan(1500); // they wait
  writeFileSync(hog, '');
  await until(() => verdictsOf(folder).length === 1500);
  const faults = recorded(folder).flatMap((event) => (event.kind === 'fault' ? [[event.fault, event.active]] : []));
  // It may come and go while some room comes and goes.
  expect([faults[0], faults.at(-1)]).toEqual([
    ['record', true],
    ['record', false],
  ]);
  await wait(1500); // the last ones are written within a second
  const { problems, counts, pictures } = await verifyLineRecord(join(folder, 'record'));
  expect(problems).toEqual([]);
  console.log(`full disk: ${JSON.stringify(counts)}, pictures ${JSON.stringify(pictures)}`);
});

test('a folder that is unmounted is a camera that is lost, though an empty folder is there', async () => {
  const folder = await place(1);
  const leave = tmpfs(join(folder, 'camera-0'), '4m');
  mkdirSync(join(folder, 'camera-0/done'));
  await start(folder);
  put(folder, 'camera-0', 'a.png', noisyPng('dark', 1));
  await until(() => verdictsOf(folder).length === 1);
  leave();
  const faults = (): string[] =>
    recorded(folder).flatMap((event) =>
      event.kind === 'fault' && event.fault === 'camera-lost' ? [event.detail] : [],
    );
  await until(() => faults().length === 1);
  expect(faults()[0]).toContain('unmounted');
});

test('a model file that becomes rubbish: the old one judges on, and the record says why', async () => {
  const folder = await place(1);
  const { child } = await start(folder);
  copyFileSync(join(folder, 'model.safetensors'), join(folder, 'good'));
  writeFileSync(join(folder, 'model.safetensors'), 'rubbish');
  child.kill('SIGHUP');
  await until(() =>
    recorded(folder).some((event) => event.kind === 'note' && event.about === 'model' && event.level === 'warning'),
  );
  put(folder, 'camera-0', 'a.png', noisyPng('bright', 1));
  await until(() => verdictsOf(folder).length === 1);
  expect(verdictsOf(folder)[0].alert).toBe(true);
});
