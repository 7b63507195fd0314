/**
 * A walk over everything that the package exports, with arguments that nobody means: each call ends with a value or with an error of
 * beltnet's own in a whole sentence, never with a TypeError from inside. BELTNET_WALK asks for more calls of each, BELTNET_SEED for
 * others.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as beltnet from '../src/index.node.js';
import { Random, RandomStream } from '../src/tensor/random.js';

const CALLS = Number(process.env['BELTNET_WALK'] ?? 60);
const SEED = Number(process.env['BELTNET_SEED'] ?? 1);

const { BeltnetError, Dense, ReferenceDevice, Sequential, tensor } = beltnet;

// --- arguments

const detached = new Float32Array(4);
structuredClone(detached, { transfer: [detached.buffer] });
const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);

/** What stands for an argument, or for a part of one. */
const HOSTILE: readonly unknown[] = [
  ...[
    undefined,
    null,
    true,
    0,
    -1,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    1n,
    '',
    'x',
    '__proto__',
    Symbol('s'),
    '/nonexistent/x',
  ],
  ...[{}, { length: 2 }, [], [[]], [null], [undefined], new Date(0), new Map(), () => 1, Object.create(null)],
  ...[new ArrayBuffer(8), shared(8), new Float64Array(3), new Uint8Array(0), new Float32Array(2).fill(NaN)],
  ...[new Float32Array(shared(8)), new Uint8Array(shared(3)), new DataView(new ArrayBuffer(8)), detached],
];

const device = new ReferenceDevice();
const model = (): beltnet.Sequential => new Sequential([new Dense(1, { inputShape: [12], activation: 'sigmoid' })]);
const compiled = model().compile({ device });
const picture: beltnet.Picture = { width: 2, height: 2, data: new Uint8Array(12).fill(9) };
const dataset: beltnet.Dataset = {
  ...{ name: 'set', pictures: new Uint8Array(24), pictureShape: [2, 2, 3], labels: Uint8Array.of(0, 1) },
  ...{ classNames: ['a', 'b'], files: ['1', '2'], skipped: [] },
};
const info: beltnet.ModelInfo = {
  classNames: ['a', 'b'],
  preprocessing: { interpolation: 'nearest', rescale: 1 },
  alert: { className: 'a', threshold: 0.5 },
};
const verdict: beltnet.Verdict = { class: 'a', probability: 0.7, probabilities: { a: 0.7, b: 0.3 }, alert: true };

/** What some function takes: spoiled in one place, or where it is not wanted, it is as bad as the above. */
const SOUND: readonly (() => unknown)[] = [
  ...[() => tensor(device, [1, 2, 3]), () => tensor(device, new Float32Array(12), [1, 2, 2, 3]), () => device],
  ...[() => picture, () => dataset, () => info, () => verdict, () => model(), () => compiled, () => beltnet.adam()],
  ...[() => [picture], () => [verdict, verdict], () => [0, 1], () => [0.2, 0.7], () => ['a', 'b'], () => [1, 2]],
  ...[() => ({ width: 1, height: 1 }), () => ({ costMiss: 5, costFalse: 1 }), () => 1, () => 'a', () => 'nearest'],
  ...[
    () => [
      [0.1, 0.9],
      [0.6, 0.4],
    ],
    () => new Float32Array(12),
    () => new beltnet.DataFlow(dataset),
  ],
  () => new Random(1, RandomStream.synthetic),
];

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value) as never);

/** A copy with something hostile in one place, near the surface or deep inside. */
function spoiled(value: unknown, random: Random): unknown {
  if (!isPlain(value) || Object.keys(value).length === 0) return oneOf(HOSTILE, random);
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>;
  const name = oneOf(Object.keys(copy), random);
  copy[name] = random.integer(2) === 0 ? oneOf(HOSTILE, random) : spoiled(copy[name], random);
  return copy;
}

/** Options that have everything that is asked of them, most of it hostile: the same whenever it is asked again. */
function anyOptions(random: Random): object {
  const known = new Map<string, unknown>();
  const strange = new Set(['then', 'toJSON', 'constructor', 'nodeType', 'asymmetricMatch']);
  return new Proxy<Record<string | symbol, unknown>>(
    {},
    {
      get(target, name) {
        if (typeof name === 'symbol' || strange.has(name) || name in Object.prototype) return target[name];
        if (!known.has(name)) known.set(name, random.integer(3) === 0 ? undefined : argument(random));
        return known.get(name);
      },
    },
  );
}

function oneOf<Value>(values: readonly Value[], random: Random): Value {
  return values[random.integer(values.length)];
}

function argument(random: Random): unknown {
  const kind = random.integer(5);
  if (kind === 0) return oneOf(HOSTILE, random);
  if (kind === 1) return anyOptions(random);
  const sound = oneOf(SOUND, random)();
  return kind === 2 ? spoiled(sound, random) : sound;
}

// --- the walk

/** They open the machine's devices or ports, or make 800 pictures, whatever they are given: test/hostile-arguments.test.ts attacks them. */
const TOO_SLOW = new Set([
  'gradcheck',
  'openDevice',
  'listAdapters',
  'chooseDevice',
  'measurePeak',
  'synthesize',
  'serve',
  'serveModel',
]);

/** What is called, by its name. A class is called with `new`; then its methods, on what could be made. */
const callables = Object.entries(beltnet).filter(
  ([name, value]) => typeof value === 'function' && !TOO_SLOW.has(name) && !(value.prototype instanceof Error),
) as [string, (...given: unknown[]) => unknown][];

const isClass = (value: unknown): boolean => /^class\b/.test(Function.prototype.toString.call(value));

/** Its outcome if that is neither a value nor one of our errors in a sentence. */
async function faultOf(call: () => unknown): Promise<string | null> {
  try {
    const result = await call();
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result)
      for await (const _ of result as AsyncIterable<unknown>) break;
    return null;
  } catch (error) {
    if (!(error instanceof BeltnetError))
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    return error.message.length > 15 &&
      error.message.includes(' ') &&
      !/undefined \(|is not a function|\[object /.test(error.message)
      ? null
      : `no clear message: ${error.message}`;
  }
}

let scratch: string;
let before: string;
beforeAll(() => {
  before = process.cwd();
  scratch = mkdtempSync(join(tmpdir(), 'beltnet-walk-'));
  mkdirSync(join(scratch, 'here'));
  process.chdir(join(scratch, 'here')); // names are paths, too
});
afterAll(() => {
  process.chdir(before);
  rmSync(scratch, { recursive: true, force: true });
});

/** Calls one thing again and again, and gives what of the outcomes is at fault. */
async function walk(index: number, arity: number, call: (given: unknown[]) => unknown): Promise<string[]> {
  const faults = new Set<string>();
  for (let round = 0; round < CALLS; round++) {
    const random = new Random(SEED, RandomStream.synthetic, index, round);
    const count = round === 0 ? 0 : Math.max(1, arity + random.integer(3));
    const fault = await faultOf(() => call(Array.from({ length: count }, () => argument(random))));
    if (fault !== null) faults.add(fault);
  }
  return [...faults];
}

test.each(callables)('%s', async (name, value) => {
  const index = callables.findIndex(([each]) => each === name);
  const call = (given: unknown[]): unknown => (isClass(value) ? Reflect.construct(value, given) : value(...given));
  expect(await walk(index, value.length, call)).toEqual([]);
});

const nothing = (): Promise<null> => Promise.resolve(null);
const runFiles: beltnet.RunFiles = {
  ...{ directory: 'run', path: (file) => file, hash: () => '', read: nothing },
  ...{ write: async () => {}, append: async () => {}, nameAlso: async () => {} },
};

/** Things whose methods are walked, each made anew for every call. */
const INSTANCES: Readonly<Record<string, () => object>> = {
  Sequential: model,
  'Sequential, compiled': () => model().compile({ device: new ReferenceDevice() }),
  Dense: () => new Dense(1),
  Conv2D: () => new beltnet.Conv2D(1, 3),
  Add: () => new beltnet.Add(),
  Tensor: () => tensor(device, [1, 2, 3]),
  DataFlow: () => new beltnet.DataFlow(dataset),
  Random: () => new Random(1, RandomStream.synthetic),
  ImageDataGenerator: () => beltnet.imageDataGenerator(),
  Run: () => new beltnet.Run(runFiles),
};

/** What layers are made of: a model calls them, with what it has looked at. */
const INSIDE = new Set(['constructor', 'call', 'callFused', 'outputShape', 'parameters', 'checkInputs']);

const methods = Object.entries(INSTANCES).flatMap(([name, make]) => {
  const found = new Set<string>();
  for (let one = make(); one !== Object.prototype; one = Object.getPrototypeOf(one) as object)
    for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(one)))
      if (typeof value === 'function' && (!INSIDE.has(key) || (key === 'call' && name.startsWith('Seq'))))
        found.add(key);
  return [...found].map((method): [string, string, () => object] => [name, method, make]);
});

test.each(methods)('%s: %s', async (name, method, make) => {
  const index = 1000 + methods.findIndex(([one, each]) => one === name && each === method);
  const of = (one: object): ((...given: unknown[]) => unknown) => (one as Record<string, never>)[method];
  expect(
    await walk(index, of(make()).length, (given) => {
      const one = make();
      return Reflect.apply(of(one), one, given);
    }),
  ).toEqual([]);
});
