/** Reads the reference set in test/golden: what Pillow and keras-preprocessing gave. */
import { readFileSync } from 'node:fs';

export interface GoldenCase {
  readonly name: string;
  readonly file: string;
  readonly op: string;
  readonly attributes: Record<string, any>;
  readonly outputs: readonly string[];
  readonly tolerance: Record<string, any>;
}

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const folder = new URL('../golden/', import.meta.url);

export function goldenFile(path: string): Uint8Array {
  return readFileSync(new URL(path, folder));
}

export function goldenCases(op: string): GoldenCase[] {
  const index: { cases: GoldenCase[] } = JSON.parse(readFileSync(new URL('index.json', folder), 'utf8'));
  return index.cases.filter((goldenCase) => goldenCase.op === op);
}

/** The header of a safetensors file (8 bytes length, JSON, data): tensor name → type, shape and place. */
function readHeader(bytes: Uint8Array) {
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)),
  );
  return { header, data: bytes.subarray(8 + headerLength) };
}

/** The uint8 tensors of a file. */
export function goldenPictures(file: string): Map<string, GoldenTensor> {
  const { header, data } = readHeader(goldenFile(file));
  const tensors = Object.entries(header).filter(([, { dtype }]) => dtype === 'U8');
  return new Map(
    tensors.map(([name, { shape, data_offsets }]) => [name, { shape, data: data.subarray(...data_offsets) }]),
  );
}

export function goldenShape(file: string, tensor: string): readonly number[] {
  return readHeader(goldenFile(file)).header[tensor].shape;
}

/** Largest and mean absolute difference, in levels. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): { max: number; mean: number } {
  if (a.length !== b.length || a.length === 0) throw new Error(`lengths ${a.length} and ${b.length} do not match`);
  let max = 0;
  let sum = 0;
  for (let index = 0; index < a.length; index++) {
    const distance = Math.abs(a[index] - b[index]);
    max = Math.max(max, distance);
    sum += distance;
  }
  return { max, mean: sum / a.length };
}
