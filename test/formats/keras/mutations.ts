/** Damaged and malicious Keras files, made from sound ones by seeded accidents, and what becomes of them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { printable } from '../../../cli/terminal/output.js';
import { ModelFileError } from '../../../src/errors.js';
import { unzip, zip } from '../../../src/data/sources/zip.js';
import { decodeModel, encodeModel } from '../../../src/formats/beltnet/model.js';
import {
  importKeras,
  type ImportedKeras,
  type ImportKerasOptions,
  type KerasFile,
} from '../../../src/formats/keras/import-keras.js';
import { Random, RandomStream } from '../../../src/tensor/random.js';

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

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (value: string): Uint8Array => new TextEncoder().encode(value);

/** One damaged model, the same for each seed. */
export type Damage = (seed: number) => KerasFile[] | Promise<KerasFile[]>;

const oneOf = (names: readonly string[]): ((seed: number) => Uint8Array) => {
  const sources = names.map(fixture);
  return (seed) => sources[seed % sources.length];
};

/** @param names of fixtures: full models in HDF5 */
export function damagedHdf5(names: readonly string[]): Damage {
  const source = oneOf(names);
  return (seed) => [{ name: 'it.h5', bytes: mutateBytes(source(seed), dice(seed)) }];
}

/** Weights of `trained.json`. */
export function damagedWeights(names: readonly string[]): Damage {
  const json = { name: 'it.json', bytes: fixture('trained.json') };
  const source = oneOf(names);
  return (seed) => [json, { name: 'it.h5', bytes: mutateBytes(source(seed), dice(seed)) }];
}

/** An architecture, by bytes and by values, of these weights. */
export function damagedJson(json: string, weights: string): Damage {
  const [source, other] = [fixture(json), { name: 'it.h5', bytes: fixture(weights) }];
  return (seed) => {
    const roll = dice(seed);
    const bytes = seed % 2 ? encode(mutateJson(text(source), roll)) : mutateBytes(source, roll);
    return [{ name: 'it.json', bytes }, other];
  };
}

/** Archives, from outside and from inside. */
export function damagedArchives(names: readonly string[]): Damage {
  const source = oneOf(names);
  return async (seed) => {
    const roll = dice(seed);
    if (seed % 3 === 0) return [{ name: 'it.keras', bytes: mutateBytes(source(Math.floor(seed / 3)), roll) }];
    const entries = await unzip(
      source(Math.floor(seed / 3)),
      () => true,
      () => {},
    );
    const config = entries.get('config.json') as Uint8Array;
    const weights = entries.get('model.weights.h5') as Uint8Array;
    const inside =
      seed % 3 === 1
        ? { 'config.json': encode(mutateJson(text(config), roll)), 'model.weights.h5': weights }
        : { 'config.json': config, 'model.weights.h5': mutateBytes(weights, roll) };
    return [{ name: 'it.keras', bytes: await zip(inside) }];
  };
}

/** What becomes of damaged models: a ModelFileError of one line, or a model. @returns how many were refused */
export async function importDamaged(
  damage: Damage,
  count: number,
  options: ImportKerasOptions = {},
  isValid: (imported: ImportedKeras) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  let refused = 0;
  for (let seed = 0; seed < count; seed++) {
    const files = await damage(seed);
    try {
      await isValid(await importKeras(files, options));
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw new Error(`seed ${seed}`, { cause: error });
      if (!/^.{10,1500}$/.test(printable(error.message)))
        throw new Error(`seed ${seed}: not one line: ${error.message}`, { cause: error });
      refused++;
    }
  }
  return refused;
}

/** Has a model's file read again. @throws ModelFileError for a model that no file takes, such as one with weights that are not finite */
export async function writeAndRead({ model }: ImportedKeras): Promise<void> {
  const info = {
    classNames: Array.from({ length: Math.max(2, model.units) }, (_, n) => String(n)),
    preprocessing: { interpolation: 'nearest' as const, rescale: 1 },
    alert: { className: '1', threshold: 0.5 },
  };
  const bytes = await encodeModel(model, info);
  expect(decodeModel(bytes, 'it').model.config()).toEqual(model.config());
}
