/** Runs the command line as a user does, in a process of its own, and notes when it says what. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** `beltnet train FOLDER …` with a cache of decoded pictures: its events, each with the milliseconds since the process was started. */
export async function beltnetTrain(folder, device, { options, cache }) {
  const runs = mkdtempSync(join(tmpdir(), 'beltnet-bench-runs-'));
  const line = ['train', folder, '--device', device, '--json', '--out', runs, '--cache', cache, ...options];
  try {
    return await run([path('../dist/cli/main.js'), ...line]);
  } finally {
    rmSync(runs, { recursive: true, force: true });
  }
}

/** A folder for decoded pictures, for the time of `work`. */
export async function withCache(work) {
  const cache = mkdtempSync(join(tmpdir(), 'beltnet-bench-cache-'));
  try {
    return await work(cache);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

async function run(line) {
  const start = performance.now();
  const child = spawn(process.execPath, ['--import', new URL('peak-memory.mjs', import.meta.url).href, ...line], {
    cwd: path('..'),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const events = [];
  let stderr = '';
  let peak = '';
  createInterface({ input: child.stdout }).on('line', (text) => {
    events.push({ ...JSON.parse(text), milliseconds: performance.now() - start });
  });
  child.stderr.on('data', (text) => (stderr += text));
  child.stdio[3].on('data', (text) => (peak += text));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`beltnet ended with ${code}: ${stderr.trim().split('\n').at(-1)}`);
  return { events, milliseconds: performance.now() - start, peakBytes: Number(peak) };
}
