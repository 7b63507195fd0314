/** Runs the built command line, as its users do, and makes tiny picture sets for it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePng } from '../data/make-pictures.js';

export const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Decoded pictures are kept here, not in the cache of whoever runs the tests. */
const cache = mkdtempSync(join(tmpdir(), 'beltnet-test-cache-'));
process.once('exit', () => rmSync(cache, { recursive: true, force: true }));

/** The files of a run that has trained for two epochs or more, and was stopped … */
export const runFiles = [
  'audit.json',
  'best.safetensors',
  'config.json',
  'events.jsonl',
  'last.safetensors',
  'last.state.safetensors',
  'pictures.jsonl',
  'previous.state.safetensors',
  'results.csv',
];
/** … or came to its end. */
export const finishedRunFiles = [...runFiles, 'card.json', 'card.md', 'predictions.csv', 'record.jsonl'].toSorted();
export const modelsOf = runFiles.filter((name) => !name.includes('state'));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when stdout has this text. One at a time. */
  readonly until: (text: string, stream?: 'stdout' | 'stderr') => Promise<void>;
}

export interface RunOptions {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export function startBeltnet(args: readonly string[], { cwd, environment = {} }: RunOptions): Running {
  const env = { ...process.env, BELTNET_CACHE: cache, ...environment };
  const child = spawn(process.execPath, [program, ...args], { cwd, env });
  const output = { stdout: '', stderr: '' };
  let wake = (): void => {};
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
      wake();
    });
  }
  let ended = false;
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      ended = true;
      resolve({ code, ...output });
      wake();
    });
  });
  const until = async (text: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> => {
    while (!output[stream].includes(text)) {
      if (ended) throw new Error(`ended without '${text}' on ${stream}; stderr: ${output.stderr}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { child, finished, until };
}

export function beltnet(args: readonly string[], options: RunOptions): Promise<Finished> {
  return startBeltnet(args, options).finished;
}

/** A command that is expected to work. @returns its stdout */
export async function beltnetWorks(args: readonly string[], options: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await beltnet(args, options);
  if (code !== 0) throw new Error(`beltnet ${args.join(' ')} ended with code ${code}: ${stderr}`);
  return stdout;
}

/** A noisy picture, dark or bright: two classes that a few steps tell apart. Made without the code under test. */
export function noisyPng(label: 'dark' | 'bright', seed: number, width = 40, height = 30): Buffer {
  let state = seed * 2 + 1;
  const rows = new Uint8Array(height * (1 + width * 3));
  for (let row = 0; row < height; row++) {
    for (let i = 1; i <= width * 3; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      rows[row * (1 + width * 3) + i] = (label === 'bright' ? 130 : 30) + (state >>> 24) * 0.35;
    }
  }
  return makePng({ width, height, rows });
}

export function writeFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** `count` pictures, half of each class, in class folders under `folder`. */
export function writeClasses(folder: string, count: number): void {
  for (let index = 0; index < count; index++) {
    const label = index % 2 === 0 ? 'bright' : 'dark';
    writeFiles(folder, { [`${label}/${String(index).padStart(3, '0')}.png`]: noisyPng(label, index) });
  }
}
