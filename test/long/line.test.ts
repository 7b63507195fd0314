/**
 * A line for long, and what befalls it: frames counted against their source, latency and memory measured, kills in mid-write, a disk that
 * is full, a folder that is unmounted. BELTNET_SOAK_MINUTES (20) says how long, BELTNET_SOAK_MODEL, BELTNET_SOAK_CAMERAS (8) and BELTNET_SOAK_RATE (5 a second
 * each) with what; figures are printed.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { verifyLineRecord, type LineEvent, type VerdictEvent } from 'beltnet';
import { noisyPng, startBeltnet, type Running } from '../cli/run-beltnet.js';
import { temporaryFolder } from '../data/make-pictures.js';
import { until, writeBrightnessModel, writeConfig } from '../line/support.js';

const MINUTES = Number(process.env['BELTNET_SOAK_MINUTES'] ?? 20);
/** A model file; by default one that only measures brightness. */
const MODEL = process.env['BELTNET_SOAK_MODEL'];
const CAMERAS = Number(process.env['BELTNET_SOAK_CAMERAS'] ?? 8);
const RATE = Number(process.env['BELTNET_SOAK_RATE'] ?? 5);

async function place(cameras: number, record: object = {}): Promise<string> {
  const folder = temporaryFolder();
  if (MODEL === undefined) await writeBrightnessModel(join(folder, 'model.safetensors'));
  else copyFileSync(MODEL, join(folder, 'model.safetensors'));
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
  });
  return folder;
}

async function start(folder: string): Promise<Running> {
  const running = startBeltnet(['watch', '--config', 'line.json'], { cwd: folder });
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

test('soak: every frame has one verdict, memory is flat, a burst is made up for', async () => {
  const folder = await place(CAMERAS);
  const { child } = await start(folder);
  const pictures = Array.from({ length: 50 }, (_, n) => noisyPng(n % 10 === 9 ? 'bright' : 'dark', n, 64, 64));
  const complete = new Map<string, number>();
  const memory: number[] = [];
  const end = performance.now() + MINUTES * 60_000;
  for (let tick = 0; performance.now() < end; tick++) {
    for (let camera = 0; camera < CAMERAS; camera++) {
      const name = `${String(tick).padStart(6, '0')}.png`;
      put(folder, `camera-${camera}`, name, pictures[(tick + camera) % pictures.length]);
      complete.set(`camera-${camera}/${name}`, Date.now());
      await wait(1000 / RATE / CAMERAS);
    }
    if (tick % 25 === 0) memory.push(memoryOf(child.pid));
  }
  const isMoved = (camera: number): boolean =>
    readdirSync(join(folder, `camera-${camera}`)).every((name) => name === 'done');
  await until(() => Array.from({ length: CAMERAS }, (_, n) => n).every(isMoved));
  const verdicts = verdictsOf(folder);
  const keys = verdicts.map(({ camera, source }) => `${camera}/${source}`);
  expect(keys.toSorted()).toEqual([...complete.keys()].toSorted()); // none lost, none doubled
  const ages = verdicts.map(({ at }, n) => Date.parse(at) - (complete.get(keys[n]) ?? NaN)).toSorted((a, b) => a - b);
  const percentile = (part: number): number => ages[Math.floor(part * (ages.length - 1))];
  const [early, late] = [memory[Math.floor(memory.length / 4)], memory[memory.length - 1]];
  console.log(
    `soak: ${CAMERAS} cameras, ${MINUTES} min, ${verdicts.length} verdicts; from complete to verdict p50 ${percentile(0.5)} ms, ` +
      `p99 ${percentile(0.99)} ms, most ${percentile(1)} ms; memory ${early.toFixed(0)} MB after a quarter, ${late.toFixed(0)} MB at the end`,
  );
  expect(late).toBeLessThan(early * 1.3 + 20);

  const before = performance.now();
  for (let n = 0; n < 2000; n++) put(folder, 'camera-0', `burst-${String(n).padStart(5, '0')}.png`, pictures[n % 9]);
  await until(() => isMoved(0));
  const burst = verdictsOf(folder).filter(({ source }) => source.startsWith('burst'));
  expect(new Set(burst.map(({ source }) => source)).size).toBe(2000);
  expect(burst).toHaveLength(2000);
  console.log(`burst: 2,000 files in ${((performance.now() - before) / 1000).toFixed(1)} s, writing included`);
  expect(await verifyLineRecord(join(folder, 'record'))).toMatchObject({ problems: [], torn: null });
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
