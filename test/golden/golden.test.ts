/**
 * The golden set against both devices, and against the reference device (the twins in float64), by the set's own
 * tolerances: |got − expected| ≤ atol + rtol·|expected|. BELTNET_GOLDEN names another directory with such a set.
 * Prints a line per op and device. A case of an op that beltnet does not know is a failure.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { readSafetensors } from '../../src/formats/safetensors.js';
import type { Device } from '../../src/tensor/device.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { openTestDevice } from '../support/open-devices.js';
import { missingTolerances, writeNumerics } from './numerics.js';
import { checks, type Case, type GoldenTensor, type Outputs } from './checks.js';
import { pictureChecks } from './pictures.js';

interface Tolerance {
  /** Largest value of the output, and what PyTorch's float32 gets wrong of it. */
  readonly maxabs?: number;
  readonly f32_err?: number;
  readonly atol?: number | null;
  readonly rtol?: number | null;
}

interface IndexedCase {
  readonly name: string;
  readonly file: string;
  readonly op: string;
  readonly attributes: Case['attributes'];
  /** Tensors of what is expected, each after the case's name. */
  readonly outputs: readonly string[];
  readonly tolerance: Readonly<Record<string, Tolerance>>;
}

const directory = process.env.BELTNET_GOLDEN ?? fileURLToPath(new URL('.', import.meta.url));
const { cases } = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as { cases: IndexedCase[] };

const files = new Map<string, ReturnType<typeof readSafetensors>['tensors']>();
function tensorsOf(file: string) {
  let tensors = files.get(file);
  if (!tensors) files.set(file, (tensors = readSafetensors(readFileSync(join(directory, file)), file).tensors));
  return tensors;
}

function golden({ name, file, attributes }: IndexedCase): Case {
  return {
    attributes,
    get(part) {
      const found = tensorsOf(file).get(`${name}/${part}`);
      if (!found) throw new Error(`${file} has no ${name}/${part}`);
      return found as GoldenTensor;
    },
  };
}

const rows = new Map<string, { cases: number; passed: number; error: number; allowed: number }>();

/** Notes a case under its op and device; the worst is the one nearest to (or furthest beyond) its tolerance. */
function note(op: string, device: string, passed: boolean, error: number, allowed: number): void {
  const key = `${op.padEnd(30)} ${device.padEnd(10)}`;
  const row = rows.get(key) ?? { cases: 0, passed: 0, error: 0, allowed: 0 };
  row.cases++;
  if (passed) row.passed++;
  if (row.allowed === 0 || !(error / allowed <= row.error / row.allowed)) Object.assign(row, { error, allowed });
  rows.set(key, row);
}

/** Worst errors of single ops, relative to the largest value of the output: ours by device, and PyTorch's in float32. */
const relative = new Map<string, Record<string, number>>();

function noteRelative(op: string, who: string, error: number, largest: number): void {
  const row = relative.get(op) ?? {};
  row[who] = Math.max(row[who] ?? 0, largest > 0 ? error / largest : 0);
  relative.set(op, row);
}

/** @returns the value that misses its tolerance by most, in words; null if all are within */
function compare(indexed: IndexedCase, outputs: Outputs, device: string): string | null {
  let worst = { error: 0, allowed: Infinity, where: '' };
  for (const [name, { atol, rtol, maxabs = 0, f32_err }] of Object.entries(indexed.tolerance)) {
    if (atol === null || atol === undefined) continue; // the set gives no tolerance where float32 cannot follow float64
    let largest = 0;
    const expected = golden(indexed).get(name).data;
    const got = outputs[name];
    if (!got || got.length !== expected.length)
      throw new Error(`${indexed.name}/${name}: expects ${expected.length} values, got ${got ? got.length : 'none'}`);
    for (let i = 0; i < expected.length; i++) {
      const error = Math.abs(got[i] - expected[i]);
      largest = Math.max(largest, error);
      const allowed = atol + rtol! * Math.abs(expected[i]);
      const nearer =
        error / allowed > worst.error / worst.allowed || (error === 0 && worst.error === 0 && allowed < worst.allowed);
      if (nearer || Number.isNaN(error))
        worst = { error, allowed, where: `${name}[${i}]: got ${got[i]}, expected ${expected[i]}` };
    }
    if (f32_err !== undefined && !indexed.op.startsWith('model_')) {
      noteRelative(indexed.op, device, largest, maxabs);
      noteRelative(indexed.op, 'pytorch', f32_err, maxabs);
    }
  }
  const passed = worst.error <= worst.allowed;
  note(indexed.op, device, passed, worst.error, worst.allowed);
  return passed ? null : `${worst.where} ± ${worst.allowed}`;
}

const known = [...new Set(cases.map(({ op }) => op))].filter((op) => op in checks);

for (const kind of ['webgpu', 'cpu', 'reference'] as const) {
  describe(`golden set on ${kind}`, () => {
    let device: Device | null = null;
    const open = async (): Promise<Device> =>
      (device ??= kind === 'reference' ? new ReferenceDevice() : await openTestDevice(kind));
    afterAll(() => device?.destroy());
    for (const op of known) {
      for (const indexed of cases.filter((one) => one.op === op)) {
        test(`${op} ${indexed.name}`, async () => {
          expect(compare(indexed, await checks[op](golden(indexed), await open()), kind)).toBeNull();
        });
      }
    }
  });
}

describe('golden set, pictures', () => {
  for (const indexed of cases) {
    const { op, name, outputs } = indexed;
    for (const [path, check] of Object.entries(pictureChecks[op] ?? {})) {
      test(`${op} ${name}, ${path}`, () => {
        const parts = outputs.map((output) => output.slice(name.length + 1));
        const error = check(golden(indexed), parts, directory);
        note(op, path, error === 0, error, 0);
        expect(error).toBe(0);
      });
    }
  }
});

test('every case of the set is known', () => {
  expect(cases.filter(({ op }) => !(op in checks || op in pictureChecks)).map(({ name }) => name)).toEqual([]);
});

/** A result that is exact before it is rounded is off by this at most; nobody can do better. */
const ONE_ROUNDING = 2 ** -24;

describe('single ops beside PyTorch in float32', () => {
  // Those of pictures have no float32 error: their references are integers, or keras-preprocessing's in float64.
  const comparable = new Set(
    cases
      .filter(({ tolerance }) => Object.values(tolerance).some((one) => one.f32_err !== undefined))
      .map(({ op }) => op),
  );
  const single = known.filter((op) => comparable.has(op) && !op.startsWith('model_'));
  test.each(single)("%s: at most 4 times PyTorch's error", (op) => {
    const row = relative.get(op);
    for (const device of ['webgpu', 'cpu'])
      expect(row![device] / Math.max(row!['pytorch'], ONE_ROUNDING)).toBeLessThanOrEqual(4);
  });
});

describe('docs/numerics.md', () => {
  test('has every tolerance and its reason; BELTNET_WRITE_NUMERICS=1 writes it anew', async () => {
    if (process.env.BELTNET_WRITE_NUMERICS) await writeNumerics(relative);
    expect(missingTolerances()).toEqual([]);
  }, 900_000); // writing measures every kernel
});

afterAll(() => {
  const lines = [...rows].map(
    ([key, { cases: count, passed, error, allowed }]) =>
      `${key} ${String(passed).padStart(3)} of ${String(count).padStart(3)}   worst error ${error.toExponential(2)}, tolerance ${allowed.toExponential(2)}`,
  );
  console.log([`golden set ${directory}: ${cases.length} cases`, ...lines].join('\n'));
});
