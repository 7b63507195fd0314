/** `beltnet export` as users run it: onnxruntime predicts what `beltnet predict` does, and nothing of the user's is lost. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decode, Random, RandomStream } from '../../src/index.node.js';
import { noteDevice } from '../support/devices.js';
import { beltnet, beltnetWorks } from './run-beltnet.js';

ort.env.wasm.numThreads = 1;

const root = fileURLToPath(new URL('../..', import.meta.url));
let cwd: string;
const model = 'runs/first/best.safetensors';

beforeAll(async () => {
  noteDevice('cpu');
  cwd = mkdtempSync(join(tmpdir(), 'beltnet-export-'));
  mkdirSync(join(cwd, 'docs'));
  await beltnetWorks(['synth', 'belt', '--count', '60', '--size', '90x60'], { cwd });
  const options = ['--size', '32x32', '--epochs', '2', '--device', 'cpu', '--name', 'first', '--alert-class', 'gap'];
  await beltnetWorks(['train', 'belt', ...options], { cwd });
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

test('a trained model and its ONNX file agree on all pictures of the test set', async () => {
  await beltnetWorks(['export', 'runs/first', '-o', 'belt.onnx', '--with-preprocessing'], { cwd });
  const session = await ort.InferenceSession.create(readFileSync(join(cwd, 'belt.onnx')));
  const lines = (await beltnetWorks(['predict', model, 'belt/test_set', '--json', '--device', 'cpu'], { cwd }))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; probabilities: { ok: number } });
  expect(lines).toHaveLength(readdirSync(join(cwd, 'belt/test_set'), { recursive: true }).length - 2);
  const differences: number[] = [];
  for (const { file, probabilities } of lines) {
    const { width, height, data } = decode(readFileSync(join(cwd, file)), file);
    const pictures = new ort.Tensor('uint8', data, [1, height, width, 3]);
    const { probability } = await session.run({ pictures });
    differences.push(Math.abs(Number(probability.data[0]) - probabilities.ok));
  }
  await session.release();
  // float32 on both sides, about 1e-6 of rounding; one pixel taken from elsewhere shows
  expect(Math.max(...differences)).toBeLessThan(1e-5);
});

test('the program of docs/onnx.md predicts as beltnet does', async () => {
  await beltnetWorks(['export', model, '-o', 'docs/belt.onnx', '--with-preprocessing'], { cwd });
  const [file] = readdirSync(join(cwd, 'belt/test_set/gap'));
  copyFileSync(join(cwd, 'belt/test_set/gap', file), join(cwd, 'docs/picture.jpg'));
  const docs = readFileSync(join(root, 'docs/onnx.md'), 'utf8');
  const program = /```js\n(.*?)```/s.exec(docs)?.[1] ?? '';
  const inside = mkdtempSync(join(root, 'test', '.docs-')); // so that packages are found
  try {
    writeFileSync(join(inside, 'program.mjs'), program);
    const options = { cwd: join(cwd, 'docs'), encoding: 'utf8' } as const;
    const printed = execFileSync(process.execPath, [join(inside, 'program.mjs')], options);
    const ours = await beltnetWorks(['predict', model, 'docs/picture.jpg', '--json', '--device', 'cpu'], { cwd });
    const { probabilities } = JSON.parse(ours) as { probabilities: { ok: number } };
    expect(Math.abs(Number(printed) - probabilities.ok)).toBeLessThan(1e-5);
  } finally {
    rmSync(inside, { recursive: true });
  }
});

test('the format follows the ending, --format goes first, and nothing is overwritten', async () => {
  const said = await beltnetWorks(['export', model, '-o', 'weights.safetensors'], { cwd });
  expect(said).toMatch(/^weights\.safetensors: torch-safetensors, .* bytes\n$/);
  await beltnetWorks(['export', model, '-o', 'weights.bin', '--format', 'torch-safetensors'], { cwd });
  const before = readFileSync(join(cwd, 'weights.safetensors'));
  expect(readFileSync(join(cwd, 'weights.bin'))).toEqual(before);
  const again = await beltnet(['export', model, '-o', 'weights.safetensors'], { cwd });
  expect(again).toMatchObject({ code: 2, stdout: '' });
  expect(again.stderr).toBe("beltnet: --output: expects a new file, got 'weights.safetensors', which exists\n");
  expect(readFileSync(join(cwd, 'weights.safetensors'))).toEqual(before);
});

test.each<[string[], number, RegExp]>([
  [[model, '-o', 'a.bin'], 2, /--output: expects a file that ends as \.onnx or .*, got 'a\.bin'; or name a --format/],
  [[model, '-o', 'a.onnx', '--format', 'tflite'], 2, /--format: expects onnx.* got 'tflite'/],
  [[model], 2, /required option '-o, --output <file>' not specified/],
  [[model, '-o', 'a.safetensors', '--with-preprocessing'], 2, /--with-preprocessing: expects --format onnx/],
  [['missing', '-o', 'a.onnx'], 4, /missing: the file cannot be read \(ENOENT\); check the path/],
  [[model, '-o', 'nowhere/a.onnx'], 8, /the folder does not exist; make it first/],
])('%j ends with code %i', async (args, code, message) => {
  const result = await beltnet(['export', ...args], { cwd });
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toMatch(message);
  expect(result.stderr.trimEnd()).not.toContain('\n');
  expect(existsSync(join(cwd, 'a.onnx'))).toBe(false);
});

describe('a damaged model file ends with code 4 and one line', () => {
  const damage: Record<string, (bytes: Buffer, random: Random) => Buffer> = {
    'cut off': (bytes, random) => bytes.subarray(0, random.integer(bytes.length)),
    'trailing byte': (bytes) => Buffer.concat([bytes, Buffer.of(0)]),
    'header length': (bytes, random) => Buffer.concat([Buffer.of(random.integer(256), 9), bytes.subarray(2)]),
    'header byte': (bytes, random) => {
      const changed = Buffer.from(bytes);
      changed[10 + random.integer(30)] = 0x22; // a quotation mark
      return changed;
    },
    'unknown layer': (bytes) => Buffer.from(bytes.toString('latin1').replace('Conv2D', 'Conv9\n'), 'latin1'),
    'huge layer': (bytes) =>
      Buffer.from(bytes.toString('latin1').replace('"filters\\":32', '"filters\\":99'), 'latin1'),
    empty: () => Buffer.alloc(0),
  };
  test.each(Object.keys(damage))('%s', async (name) => {
    const whole = readFileSync(join(cwd, model));
    const bytes = damage[name](whole, new Random(1, RandomStream.synthetic));
    expect(bytes.equals(whole)).toBe(false);
    writeFileSync(join(cwd, 'damaged.safetensors'), bytes);
    const { code, stdout, stderr } = await beltnet(['export', 'damaged.safetensors', '-o', 'damaged.onnx'], { cwd });
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(/^beltnet: damaged\.safetensors: [^\n]+\n$/);
    expect(existsSync(join(cwd, 'damaged.onnx'))).toBe(false);
  });
});
