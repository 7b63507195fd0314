/**
 * The cases of the golden set, and how near an op's outputs are to them by the set's own tolerances:
 * |got − expected| ≤ atol + rtol·|expected|. BELTNET_GOLDEN names another directory with such a set.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensors } from '../../src/formats/safetensors.js';
import type { Case, GoldenTensor, Outputs } from './checks.js';

interface Tolerance {
  /** Largest value of the output, and what PyTorch's float32 gets wrong of it. */
  readonly maxabs?: number;
  readonly f32_err?: number;
  readonly atol?: number | null;
  readonly rtol?: number | null;
}

export interface IndexedCase {
  readonly name: string;
  readonly file: string;
  readonly op: string;
  readonly attributes: Case['attributes'];
  /** Tensors of what is expected, each after the case's name. */
  readonly outputs: readonly string[];
  readonly tolerance: Readonly<Record<string, Tolerance>>;
}

export const directory = process.env.BELTNET_GOLDEN ?? fileURLToPath(new URL('.', import.meta.url));
export const { cases } = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as { cases: IndexedCase[] };

/** Too slow for every day on the reference device, whose loops are plain: training with the full network, 64x64. */
export const isLong = ({ name, op }: IndexedCase): boolean => op === 'model_training' && name.startsWith('full64');

const files = new Map<string, ReturnType<typeof readSafetensors>['tensors']>();
function tensorsOf(file: string) {
  let tensors = files.get(file);
  if (!tensors) files.set(file, (tensors = readSafetensors(readFileSync(join(directory, file)), file).tensors));
  return tensors;
}

export function golden({ name, file, attributes }: IndexedCase): Case {
  return {
    attributes,
    get(part) {
      const found = tensorsOf(file).get(`${name}/${part}`);
      if (!found) throw new Error(`${file} has no ${name}/${part}`);
      return found as GoldenTensor;
    },
  };
}

export const rows = new Map<string, { cases: number; passed: number; error: number; allowed: number }>();

/** Notes a case under its op and device; the worst is the one nearest to (or furthest beyond) its tolerance. */
export function note(op: string, device: string, passed: boolean, error: number, allowed: number): void {
  const key = `${op.padEnd(30)} ${device.padEnd(10)}`;
  const row = rows.get(key) ?? { cases: 0, passed: 0, error: 0, allowed: 0 };
  row.cases++;
  if (passed) row.passed++;
  if (row.allowed === 0 || !(error / allowed <= row.error / row.allowed)) Object.assign(row, { error, allowed });
  rows.set(key, row);
}

/** Worst errors of single ops, relative to the largest value of the output: ours by device, and PyTorch's in float32. */
export const relative = new Map<string, Record<string, number>>();

function noteRelative(op: string, who: string, error: number, largest: number): void {
  const row = relative.get(op) ?? {};
  row[who] = Math.max(row[who] ?? 0, largest > 0 ? error / largest : 0);
  relative.set(op, row);
}

/** @returns the value that misses its tolerance by most, in words; null if all are within */
export function compare(indexed: IndexedCase, outputs: Outputs, device: string): string | null {
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
