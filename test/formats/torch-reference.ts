/** What PyTorch made of exported weights; test/pytorch/ says how it was made. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readSafetensors } from '../../src/index.js';

/** By name of the model: which tensors PyTorch loaded, and what it gave for `randomInput(2)`. */
export type Reference = Readonly<Record<string, { readonly digest: string; readonly outputs: readonly number[] }>>;

export const reference = (): Reference =>
  JSON.parse(readFileSync(new URL('torch.reference.json', import.meta.url), 'utf8')) as Reference;

/** Both sides compute probabilities in float32, with rounding errors of about 1e-6; a wrong layout shows from 1e-3 on. */
export const TOLERANCE = 1e-5;

/** A hash of names, shapes and values. */
export function digest(bytes: Uint8Array): string {
  const hash = createHash('sha256');
  for (const [name, { shape, data }] of readSafetensors(bytes, 'it').tensors) {
    hash.update(`${name} ${shape.join()}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}
