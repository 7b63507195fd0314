/** `--shard` and `merge`: whatever is divided tells what one process tells, byte for byte, also when a shard was killed on its way. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beltnet, beltnetWorks, noisyPng, program, writeClasses, writeFiles } from './run-beltnet.js';

let folder: string;
const on = { cwd: '' };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'beltnet-shards-'));
  on.cwd = folder;
  writeClasses(join(folder, 'belt'), 60);
  await beltnetWorks(['train', 'belt', '--epochs', '1', '--size', '16x16', '--name', 'first', '--split', '0.5'], on);
  writeFiles(join(folder, 'belt'), {
    'bright/broken.png': noisyPng('bright', 3).subarray(0, 200),
    'dark/large.png': noisyPng('dark', 4, 200, 200),
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shards = (of: number, args: readonly string[], out: string): Promise<string[]> =>
  Promise.all(
    Array.from({ length: of }, (_, index) => beltnetWorks([...args, '--shard', `${index}/${of}`, '--out', out], on)),
  );

test('predict', async () => {
  const args = ['predict', 'runs/first', 'belt', '--batch', '8', '--device', 'cpu'];
  await shards(3, args, 'predicted');
  for (const form of [[], ['--json', '--exit-code']]) {
    const [one, merged] = await Promise.all([
      beltnet([...args, ...form], on),
      beltnet(['merge', 'predicted', ...form], on),
    ]);
    expect(merged).toEqual(one);
    expect(one.code).toBe(form.length === 2 ? 10 : 3);
  }
  const again = await beltnetWorks([...args, '--shard', '1/3', '--out', 'predicted'], on);
  expect(again).toContain('is there already, of the same files');
  const changed = noisyPng('bright', 1);
  const path = join(folder, 'belt', 'bright', '000.png');
  const before = readFileSync(path);
  writeFileSync(path, Buffer.concat([changed, Buffer.alloc(before.length)]).subarray(0, before.length));
  const third = await beltnet([...args, '--shard', '0/3', '--out', 'predicted'], on);
  writeFileSync(path, before);
  expect(third).toMatchObject({ code: 3, stderr: expect.stringContaining('some have changed since') });
  rmSync(join(folder, 'predicted', 'shard-2-of-3.jsonl'));
  expect(await beltnet(['merge', 'predicted'], on)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('expects all of 3 shards, got 2; missing: 2'),
  });
});

test('evaluate: all figures, the loss to the precision of float32', async () => {
  const args = [
    'evaluate',
    'runs/first',
    'belt',
    '--batch',
    '8',
    '--group-by',
    '(\\d)\\.|broken|large',
    '--split',
    '0.9',
  ];
  await shards(2, args, 'evaluated');
  const [one, merged] = await Promise.all(
    [args, ['merge', 'evaluated']].map((each) => beltnetWorks([...each, '--json'], on)),
  );
  const [expected, got] = [one, merged].map((text) => JSON.parse(text) as { loss: number; skipped: object[] });
  expect(expected.skipped).toHaveLength(1);
  expect(Math.abs(got.loss - expected.loss)).toBeLessThan(1e-6 * expected.loss);
  expect({ ...got, loss: 0 }).toEqual({ ...expected, loss: 0 });
});

test('audit and decode', async () => {
  const files = ['dark', 'bright'].flatMap((name) =>
    readdirSync(join(folder, 'belt', name)).map((file) => `belt/${name}/${file}`),
  );
  writeFileSync(join(folder, 'files.txt'), files.join('\n'));
  const commands = [
    ['audit', 'belt'],
    ['decode', '--files-from', 'files.txt'],
  ];
  for (const args of commands) {
    await shards(2, args, args[0]);
    const [one, merged] = await Promise.all([args, ['merge', args[0]]].map((each) => beltnet([...each, '--json'], on)));
    expect(merged).toEqual(one);
  }
});

test('features of a base are kept share by share', async () => {
  const cache = { ...on, environment: { BELTNET_CACHE: join(folder, 'cache') } };
  const args = ['train', 'belt', '--base', 'darknet-tiny', '--base-size', '32x32', '--split', '0.5'];
  const words = await Promise.all([0, 1].map((n) => beltnetWorks([...args, '--shard', `${n}/2`], cache)));
  const counted = words.map((text) => Number(/the features of (\d+) pictures/.exec(text)?.[1]));
  expect(counted[0] + counted[1]).toBe(61);
  expect(existsSync(join(folder, 'runs', 'run-1'))).toBe(false); // nothing was trained
  const pictures = join(folder, 'cache', 'pictures');
  const lengths = readdirSync(pictures).map((shelf) =>
    readdirSync(join(pictures, shelf)).reduce((sum, pack) => sum + statSync(join(pictures, shelf, pack)).size, 0),
  );
  expect(lengths).toHaveLength(2); // the decoded pictures, and their features
  expect(Math.min(...lengths)).toBeGreaterThan(61 * 4 * 64);
});

test.each([
  [['predict', 'runs/first', 'belt', '--shard', '0/2'], 'expects a folder for the shards in --out'],
  [['predict', 'runs/first', 'belt', '--shard', '0/2', '--out', 'x', '--csv'], 'expects no --csv beside it'],
  [['train', 'belt', '--shard', '0/2'], 'is for the features of a base'],
])('%j is refused', async (args, message) => {
  const { code, stderr } = await beltnet(args, on);
  expect(stderr).toContain(message);
  expect([2, 3]).toContain(code);
});

/** Runs an example of examples/cluster. */
function example(
  name: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const script = fileURLToPath(new URL(`../../examples/cluster/${name}`, import.meta.url));
  const child = spawn('sh', [script, ...args], { cwd: folder, env: { ...process.env, ...environment } });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (chunk: string) => (output[stream] += chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
  });
}

/** A command that is beltnet, but whose shard 1 is killed the first time, in the last moment: all is written, but has no name yet. */
function killedOnce(): string {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const path = join(folder, 'bin', 'beltnet');
  writeFileSync(
    join(folder, 'bin', 'never-rename.mjs'),
    `import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
files.rename = () => new Promise((resolve) => setTimeout(resolve, 1e8));
syncBuiltinESMExports();
`,
  );
  writeFileSync(
    path,
    `#!/bin/sh
case "$*" in *"--shard 1/4"*) if [ ! -e killed ]; then
  touch killed
  "${process.execPath}" --import ./bin/never-rename.mjs "${program}" "$@" & child=$!
  until ls shards/.shard-1-of-4.jsonl.*.tmp > /dev/null 2>&1; do sleep 0.01; done
  kill -9 $child; wait $child; exit 137
fi;; esac
exec "${process.execPath}" "${program}" "$@"
`,
  );
  chmodSync(path, 0o755);
  return path;
}

test('examples/cluster/parallel.sh: what a killed shard leaves is made up for by the same line', async () => {
  const one = await beltnet(['predict', 'runs/first', 'belt', '--csv', '--device', 'cpu'], on);
  const args = ['runs/first', 'belt', 'shards', '4'];
  const environment = { BELTNET: killedOnce(), JOBS: '2' };
  const first = await example('parallel.sh', args, environment);
  expect(first).toMatchObject({ code: 1, stdout: '' }); // one job failed
  expect(readdirSync(join(folder, 'shards'))).not.toContain('shard-1-of-4.jsonl');
  const second = await example('parallel.sh', args, environment);
  expect(second.stdout).toBe(one.stdout);
  expect(second.stderr.match(/Shard \d of 4/g)).toEqual(['Shard 1 of 4']); // no other was started again
  expect(readdirSync(join(folder, 'shards')).toSorted()).toEqual([0, 1, 2, 3].map((n) => `shard-${n}-of-4.jsonl`));
});

test('examples/cluster: a task of a Slurm array, and a pod of the Kubernetes job', async () => {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  const BELTNET = `${process.execPath} ${program}`;
  const slurm = { SLURM_ARRAY_TASK_MIN: '0', SLURM_ARRAY_TASK_MAX: '7', SLURM_ARRAY_TASK_COUNT: '8' };
  const environment = { BELTNET, MODEL: 'runs/first', PICTURES: 'belt', SHARDS: 'slurm', SLURM_CPUS_PER_TASK: '1' };
  const done = await example('slurm-array.sh', [], { ...environment, ...slurm, SLURM_ARRAY_TASK_ID: '7' });
  expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('slurm/shard-7-of-8.jsonl') });
  const yaml = readFileSync(new URL('../../examples/cluster/kubernetes-job.yaml', import.meta.url), 'utf8');
  const [, completions] = /^ {2}completions: (\d+)$/m.exec(yaml) ?? [];
  expect(yaml).toMatch(/^ {2}completionMode: Indexed$/m);
  const [, listed = ''] = /^ +args:\s*\[([^\]]*)\]/m.exec(yaml) ?? [];
  const args = [...listed.matchAll(/'([^']*)'/g)].map(([, word]) => word);
  expect(args).toContain(`auto/${completions}`);
  const pod = args.map((word) => (word === 'archive' ? 'belt' : word === 'shards' ? 'pods' : word));
  const index = Number(completions) - 1;
  const told = await beltnetWorks(pod, { ...on, environment: { JOB_COMPLETION_INDEX: String(index) } });
  expect(told).toContain(`pods/shard-${index}-of-${completions}.jsonl`);
});
