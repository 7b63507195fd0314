/**
 * Damaged and malicious files: each is refused in one line, or imported when the damage does not matter (the value of a weight);
 * never another error, no hang, no large allocation. BELTNET_MUTATIONS=3000 tries that many of each kind, with the guard that Node's
 * `loadKeras` has: among the thousand of the suite none is of the rare kind that keeps jsfive busy, `endless.h5` is.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { printable } from '../../../cli/terminal/output.js';
import { ModelFileError } from '../../../src/errors.js';
import { unzip, zip } from '../../../src/data/sources/zip.js';
import { importKeras, type KerasFile } from '../../../src/formats/keras/import-keras.js';
import { loadKeras, readUnderGuard } from '../../../src/formats/keras/keras.node.js';
import { Random, RandomStream } from '../../../src/tensor/random.js';

const SUITE = 1000;
const MUTATIONS = Number(process.env['BELTNET_MUTATIONS'] ?? SUITE);
const options = MUTATIONS > SUITE ? { readHdf5: readUnderGuard } : {};

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../../fixtures/keras/${name}`, import.meta.url))));

/** Whole numbers below a limit, the same for each seed. */
function dice(seed: number): (limit: number) => number {
  const random = new Random(seed, RandomStream.weights, 0);
  const values = random.fillUniform(new Float32Array(400), 0, 1);
  let at = 0;
  return (limit) => Math.min(limit - 1, Math.floor(values[at++ % values.length] * limit));
}

/** Some bytes changed: a bit, a byte, a length that is 0 or enormous; now and then the end cut off or bytes taken out. */
function mutateBytes(bytes: Uint8Array, roll: (limit: number) => number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  for (let n = 1 + roll(8); n > 0; n--) {
    const at = roll(changed.length);
    const kind = roll(5);
    if (kind === 0) changed[at] ^= 1 << roll(8);
    else if (kind === 1) changed[at] = roll(256);
    else changed.fill(kind === 2 ? 0 : 255, at, at + 2 ** roll(4));
  }
  const fate = roll(12);
  if (fate === 0) return changed.subarray(0, roll(changed.length));
  if (fate === 1) {
    const at = roll(changed.length);
    return Uint8Array.from([...changed.subarray(0, at), ...changed.subarray(at + 1 + roll(16))]);
  }
  return changed;
}

const odd = [
  null,
  -1,
  0,
  1e300,
  2 ** 31,
  1.5,
  '',
  'x',
  true,
  [],
  {},
  [[[[]]]],
  [1, 2, 3, 4, 5],
  { class_name: 'Lambda' },
];

/** One value somewhere in the JSON becomes another, goes away, or is taken from elsewhere. */
function mutateJson(text: string, roll: (limit: number) => number): string {
  const json = JSON.parse(text) as unknown;
  const places: [Record<string, unknown>, string][] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key]);
      visit((value as Record<string, unknown>)[key]);
    }
  };
  visit(json);
  for (let n = 1 + roll(3); n > 0; n--) {
    const [object, key] = places[roll(places.length)];
    const fate = roll(4);
    const [from, other] = places[roll(places.length)];
    if (fate === 0) delete object[key];
    else object[key] = fate === 1 ? structuredClone(from[other]) : structuredClone(odd[roll(odd.length)]);
  }
  return JSON.stringify(json);
}

interface Outcome {
  refused: number;
  imported: number;
}

async function tryAll(make: (seed: number) => KerasFile[] | Promise<KerasFile[]>): Promise<Outcome> {
  const outcome = { refused: 0, imported: 0 };
  for (let seed = 0; seed < MUTATIONS; seed++) {
    const files = await make(seed);
    try {
      await importKeras(files, options);
      outcome.imported++;
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw new Error(`seed ${seed}`, { cause: error });
      if (!/^.{10,1500}$/.test(printable(error.message)))
        throw new Error(`seed ${seed}: not one line: ${error.message}`, { cause: error });
      outcome.refused++;
    }
  }
  return outcome;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('mutated files', { timeout: 120_000 + MUTATIONS * 200 }, () => {
  beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {})); // jsfive's remarks
  afterEach(() => void vi.restoreAllMocks());

  test('full models in HDF5', async () => {
    const sources = ['mission.h5', 'keras1.h5', 'graph.h5'].map(fixture);
    const { refused } = await tryAll((seed) => [
      { name: 'it.h5', bytes: mutateBytes(sources[seed % sources.length], dice(seed)) },
    ]);
    expect(refused).toBeGreaterThan(MUTATIONS / 4);
  });

  test('weights in HDF5', async () => {
    const json = { name: 'it.json', bytes: fixture('trained.json') };
    const sources = ['trained.weights.h5', 'keras2.h5'].map(fixture);
    const { refused } = await tryAll((seed) => [
      json,
      { name: 'it.h5', bytes: mutateBytes(sources[seed % sources.length], dice(seed)) },
    ]);
    expect(refused).toBeGreaterThan(MUTATIONS / 4);
  });

  test('architectures in JSON, by bytes and by values', async () => {
    const weights = { name: 'it.h5', bytes: fixture('keras2.h5') };
    const source = fixture('keras2.json');
    const { refused } = await tryAll((seed) => {
      const roll = dice(seed);
      const bytes = seed % 2 ? encode(mutateJson(text(source), roll)) : mutateBytes(source, roll);
      return [{ name: 'it.json', bytes }, weights];
    });
    expect(refused).toBeGreaterThan(MUTATIONS / 2);
  });

  test('archives, from outside and from inside', async () => {
    const sources = await Promise.all(
      ['dense.keras', 'graph.keras', 'plain.keras'].map(async (name) => ({
        bytes: fixture(name),
        entries: await unzip(
          fixture(name),
          () => true,
          () => {},
        ),
      })),
    );
    const { refused } = await tryAll(async (seed) => {
      const roll = dice(seed);
      const { bytes, entries } = sources[seed % sources.length];
      if (seed % 3 === 0) return [{ name: 'it.keras', bytes: mutateBytes(bytes, roll) }];
      const config = entries.get('config.json') as Uint8Array;
      const weights = entries.get('model.weights.h5') as Uint8Array;
      const inside =
        seed % 3 === 1
          ? { 'config.json': encode(mutateJson(text(config), roll)), 'model.weights.h5': weights }
          : { 'config.json': config, 'model.weights.h5': mutateBytes(weights, roll) };
      return [{ name: 'it.keras', bytes: await zip(inside) }];
    });
    expect(refused).toBeGreaterThan(MUTATIONS / 4);
  });
});

test('a file that jsfive reads without end, filling memory, is refused by the worker', async () => {
  const path = fileURLToPath(new URL('../../fixtures/keras/endless.h5', import.meta.url));
  await expect(loadKeras(path)).rejects.toThrow(ModelFileError);
  await expect(loadKeras(path)).rejects.toThrow(
    /endless.h5: the HDF5 file is damaged: reading it fails \(.*memory limit/,
  );
});
