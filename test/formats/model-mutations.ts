/** Damaged model files, made from sound ones by seeded accidents. */
import { expect } from 'vitest';
import { ModelFileError } from '../../src/errors.js';
import { decodeModel, encodeModel } from '../../src/formats/beltnet/model.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

/** One to three accidents: bits and bytes changed, digits and letters exchanged, pieces lost, doubled, moved, blanked, the end missing. */
function damaged(sound: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(sound);
  for (let accidents = 1 + random.integer(3); accidents > 0 && bytes.length > 1; accidents--) {
    // Half of them hit the header, where a letter can change what all numbers mean.
    const reach = random.integer(2) === 0 ? Math.min(bytes.length, 1600) : bytes.length;
    const from = random.integer(reach);
    const to = Math.min(bytes.length, from + 1 + random.integer(16));
    const place = random.integer(reach);
    switch (random.integer(8)) {
      case 0:
        bytes[from] ^= 1 << random.integer(8);
        break;
      case 1:
        bytes[from] = random.integer(256);
        break;
      case 2: // another digit, or another letter: the text stays one
        if (/[0-9]/.test(String.fromCharCode(bytes[from]))) bytes[from] = 0x30 + random.integer(10);
        else if (/[a-z]/i.test(String.fromCharCode(bytes[from]))) bytes[from] = 0x61 + random.integer(26);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
        break;
      case 5:
        bytes.copy(bytes, place, from, to);
        break;
      case 6:
        bytes.fill([0, 0x20, 0x30, 255][random.integer(4)], from, to);
        break;
      default:
        bytes = bytes.subarray(0, random.integer(8) === 0 ? from : bytes.length);
    }
  }
  return Uint8Array.from(bytes);
}

export interface Outcome {
  refused: number;
  /** Loaded with the content of the sound file: the accident changed nothing, or only how it is written. */
  same: number;
  /** Numbers of the files that load as something else. There must be none. */
  readonly other: number[];
}

/** What becomes of damaged files: a ModelFileError of one line, or the content of the sound file. */
export async function loadDamaged(sound: Uint8Array, count: number): Promise<Outcome> {
  const outcome: Outcome = { refused: 0, same: 0, other: [] };
  const { model, info } = decodeModel(sound, 'it');
  const content = await encodeModel(model, info);
  for (let i = 0; i < count; i++) {
    let read: ReturnType<typeof decodeModel>;
    try {
      read = decodeModel(damaged(sound, new Random(5, RandomStream.synthetic, i)), 'it');
    } catch (error) {
      if (!(error instanceof ModelFileError) || !/^it: .*$/.test(error.message)) throw error;
      outcome.refused++;
      continue;
    }
    const again = await encodeModel(read.model, read.info);
    if (Buffer.compare(again, content) === 0) outcome.same++;
    else outcome.other.push(i);
  }
  expect(outcome.refused + outcome.same + outcome.other.length).toBe(count);
  return outcome;
}
