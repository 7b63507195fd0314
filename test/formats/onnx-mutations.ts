/** Damaged ONNX files, made from sound ones by seeded accidents. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { printable } from '../../cli/terminal/output.js';
import { ModelFileError } from '../../src/errors.js';
import { importOnnx } from '../../src/formats/onnx/import-onnx.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const folder = fileURLToPath(new URL('../fixtures/onnx/', import.meta.url));

/** One to three accidents: bits and bytes changed, pieces lost, doubled, moved or blanked, numbers that become enormous, the end missing. */
function damaged(sound: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(sound);
  for (let accidents = 1 + random.integer(3); accidents > 0 && bytes.length > 1; accidents--) {
    const from = random.integer(bytes.length);
    const to = Math.min(bytes.length, from + 1 + random.integer(16));
    const kind = random.integer(8);
    if (kind === 0) bytes[from] ^= 1 << random.integer(8);
    else if (kind === 1) bytes[from] = random.integer(256);
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
    else if (kind === 4) bytes.copy(bytes, random.integer(bytes.length), from, to);
    else if (kind === 5) bytes.fill([0, 0x7f, 0x80, 255][random.integer(4)], from, to);
    else if (kind === 6) bytes.fill(255, from, Math.min(from + 4, bytes.length));
    else if (random.integer(8) === 0) bytes = bytes.subarray(0, from);
  }
  return Uint8Array.from(bytes);
}

/** What becomes of damaged files: a ModelFileError of one line, or a model. @returns how many were refused */
export function importDamaged(count: number): number {
  const sound = readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => readFileSync(`${folder}${name}`));
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const random = new Random(24, RandomStream.synthetic, i);
    // what the weights are matters least: the small files have the most structure
    const bytes = damaged(sound[random.integer(sound.length)], random);
    try {
      importOnnx(bytes, { name: 'damaged.onnx' });
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw new Error(`case ${i}`, { cause: error });
      expect(error.message).toBe(printable(error.message));
      expect(error.message).toContain('damaged.onnx: ');
      refused++;
    }
  }
  return refused;
}
