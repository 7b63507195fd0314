/** The safetensors format: real files of another writer, every rule broken once, and thousands of damaged files. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ModelFileError, ShapeError, UsageError } from '../../src/errors.js';
import { readSafetensors, toFloat32, writeSafetensors } from '../../src/formats/safetensors.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const golden = (name: string): Uint8Array => readFileSync(new URL(`../golden/${name}`, import.meta.url));

/** A file with a header of the test's own. */
function file(header: string | object, dataBytes = 0, headerLength?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (from: number, to: number, shape: unknown = [(to - from) / 4], dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

describe('reading', () => {
  test('files written by Python: float64, float32, int32 and uint8', () => {
    const { tensors } = readSafetensors(golden('dense.safetensors'), 'dense');
    expect(tensors.get('dense_00/x')!.data).toBeInstanceOf(Float32Array);
    expect(tensors.get('dense_00/y')!.data).toBeInstanceOf(Float64Array);
    // y = x · w + b, by hand, shows that the bytes are where they should be.
    const [x, w, b, y] = ['x', 'w', 'b', 'y'].map((part) => tensors.get(`dense_00/${part}`)!);
    const [, inputs] = x.shape;
    const outputs = w.shape[1];
    y.data.forEach((value: number | bigint, at: number) => {
      let sum = Number(b.data[at % outputs]);
      for (let k = 0; k < inputs; k++)
        sum += Number(x.data[Math.floor(at / outputs) * inputs + k]) * Number(w.data[k * outputs + (at % outputs)]);
      expect(sum).toBeCloseTo(Number(value), 12);
    });
    expect(
      readSafetensors(golden('model_small.safetensors'), 'model').tensors.get('m16_f4_5_d7_train/batches')!.data,
    ).toBeInstanceOf(Int32Array);
    expect(readSafetensors(golden('images.safetensors'), 'images').tensors.get('png_gray8/rgb')!.data).toBeInstanceOf(
      Uint8Array,
    );
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /expects a safetensors file, got only 0 bytes/],
    ['a header longer than the file', file('{}', 0, 99n), /expects 107 bytes of safetensors header, got a file of 10/],
    ['a header beyond 100 MB', file('{}', 0, 100_000_001n), /header of at most 100000000 bytes, got 100000001/],
    ['a header of 2^63 bytes', file('{}', 0, 2n ** 63n), /at most 100000000/],
    ['a header that is no object', file('[1]'), /begins with '{'/],
    ['an empty header', file(''), /begins with '{', got an empty one/],
    ['broken JSON', file('{"a":'), /expects JSON in a safetensors header/],
    [
      'broken UTF-8',
      (() => {
        const bytes = file('{"__":1}');
        bytes[10] = 0xff;
        return bytes;
      })(),
      /JSON in UTF-8/,
    ],
    [
      'a key twice',
      file(`{"a":${JSON.stringify(entry(0, 4))},"a":${JSON.stringify(entry(0, 4))}}`, 4),
      /every key once in a safetensors header, got 'a' twice/,
    ],
    [
      'a key twice, once escaped',
      file(`{"a":${JSON.stringify(entry(0, 4))},"\\u0061":${JSON.stringify(entry(0, 4))}}`, 4),
      /'a' twice/,
    ],
    [
      'a field twice',
      file('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
      /every key once in a safetensors header, got 'shape' twice/,
    ],
    [
      'nesting that would exhaust the stack',
      file(`{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}`),
      /at most 128 levels deep/,
    ],
    [
      'more tensors than any model has',
      file(Object.fromEntries(Array.from({ length: 100_001 }, (_, i) => [`t${i}`, entry(0, 0)]))),
      /at most 100000 tensors, got 100001/,
    ],
    ['an unknown type', file({ a: entry(0, 4, [1], 'F8') }, 4), /tensor 'a' of type F64, .* got "F8"/],
    ['the name of an inherited property as type', file({ a: entry(0, 4, [1], 'constructor') }, 4), /got "constructor"/],
    ['overlap', file({ a: entry(0, 8), b: entry(4, 12) }, 12), /tensor 'b' to begin at byte 8 of the data, got 4/],
    ['a hole', file({ a: entry(0, 4), b: entry(8, 12) }, 12), /tensor 'b' to begin at byte 4 of the data, got 8/],
    ['truncated data', file({ a: entry(0, 8) }, 7), /bytes in all, got/],
    ['trailing bytes', file({ a: entry(0, 8) }, 9), /bytes in all, got/],
    ['a shape of another size', file({ a: entry(0, 8, [3]) }, 8), /F32 \[3\] to take 12 bytes, got 8/],
    ['a shape that overflows', file({ a: entry(0, 8, [2 ** 40, 2 ** 40]) }, 8), /a size that fits a file/],
    ['a shape that overflows before a 0', file({ a: entry(0, 0, [2 ** 40, 2 ** 40, 0]) }), /a size that fits a file/],
    ['a shape with a fraction', file({ a: entry(0, 8, [1.5]) }, 8), /a shape of lengths/],
    ['offsets that are missing', file({ a: { dtype: 'F32', shape: [1] } }, 4), /two offsets in order, got nothing/],
    ['a negative length', file({ a: entry(0, 8, [-2]) }, 8), /a shape of lengths/],
    ['offsets in the wrong order', file({ a: entry(8, 0, [2]) }, 8), /two offsets in order/],
    ['an entry that is no object', file({ a: 5 }), /described by an object, got 5/],
    ['metadata that are a list', file({ __metadata__: [] }), /texts as metadata, got \[\]/],
    ['metadata that is no text', file({ __metadata__: { a: 1 } }), /texts as metadata/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes, 'it')).toThrow(ModelFileError);
    expect(() => readSafetensors(bytes, 'it')).toThrow(message);
  });

  test('copies out of a Buffer, whose `slice` does not, at any address', () => {
    const whole = file({ x: entry(0, 16, [2], 'F64') }, 16);
    whole.set(new Uint8Array(Float64Array.of(1, -2).buffer), whole.length - 16);
    for (let shift = 0; shift < 8; shift++) {
      const buffer = Buffer.alloc(whole.length + 8).subarray(shift, shift + whole.length);
      buffer.set(whole);
      const { data } = readSafetensors(buffer, 'it').tensors.get('x')!;
      buffer.fill(0);
      expect(data).toEqual(Float64Array.of(1, -2));
    }
  });

  test('a key may stand in several objects, and text may look like a key', () => {
    const bytes = file({ __metadata__: { a: '"b":{"a":[', b: '\\' }, a: entry(0, 4), b: entry(4, 8) }, 8);
    const { tensors, metadata } = readSafetensors(bytes, 'it');
    expect([...tensors.keys()]).toEqual(['a', 'b']);
    expect(metadata).toEqual({ a: '"b":{"a":[', b: '\\' });
    expect(readSafetensors(file({ __metadata__: null }), 'it')).toEqual({ tensors: new Map(), metadata: {} });
  });

  test('takes scalars, empty tensors and data at odd addresses', () => {
    const bytes = file({ s: entry(0, 4, []), e: entry(4, 4, [0, 7]), x: entry(4, 12, [2]) }, 12);
    bytes.set(new Uint8Array(Float32Array.of(5, 6, 7).buffer), bytes.length - 12);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const { tensors } = readSafetensors(shifted.subarray(1), 'it');
    expect([...tensors].map(([key, { shape, data }]) => [key, shape, [...data]])).toEqual([
      ['s', [], [5]],
      ['e', [0, 7], []],
      ['x', [2], [6, 7]],
    ]);
  });

  test('16-bit and 64-bit floats become float32', () => {
    const f16 = Uint16Array.of(0x3c00, 0xc000, 0x7c00, 0x0001, 0x8000, 0x3555);
    expect([...toFloat32({ dtype: 'F16', shape: [6], data: f16 })]).toEqual([
      1,
      -2,
      Infinity,
      2 ** -24,
      -0,
      Math.fround(0.333251953125),
    ]);
    expect([...toFloat32({ dtype: 'BF16', shape: [2], data: Uint16Array.of(0x3f80, 0xc040) })]).toEqual([1, -3]);
    expect([...toFloat32({ dtype: 'F64', shape: [1], data: Float64Array.of(0.1) })]).toEqual([Math.fround(0.1)]);
    expect([...toFloat32({ dtype: 'I64', shape: [1], data: BigInt64Array.of(-7n) })]).toEqual([-7]);
  });
});

describe('writing', () => {
  test('what is written is read back, in the same order, and the same input gives the same bytes', () => {
    const tensors = fc.dictionary(
      fc
        .string({ minLength: 1 })
        .filter((name) => name !== '__metadata__' && name !== '__proto__' && !/^\d+$/.test(name)),
      fc
        .array(fc.float({ noNaN: true }))
        .map((values) => ({ shape: [values.length], data: Float32Array.from(values) })),
    );
    fc.assert(
      fc.property(
        tensors,
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          fc.string(),
        ),
        (given, metadata) => {
          const bytes = writeSafetensors(given, metadata);
          expect(bytes).toEqual(writeSafetensors(given, metadata));
          const read = readSafetensors(bytes, 'it');
          expect([...read.tensors.keys()]).toEqual(Object.keys(given));
          for (const [key, { shape, data }] of read.tensors) expect({ shape, data }).toEqual({ ...given[key] });
          expect({ ...read.metadata }).toEqual({ ...metadata });
          expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('what cannot be written', () => {
  const one = { shape: [], data: Float32Array.of(3) };

  test('data of another length than the shape, and the name of the metadata', () => {
    const tooShort = { x: { shape: [2], data: new Float32Array(1) } };
    expect(() => writeSafetensors(tooShort)).toThrow(ShapeError);
    expect(() => writeSafetensors(tooShort)).toThrow("expects tensor 'x' F32 [2] to take 8 bytes, got 4");
    expect(() => writeSafetensors({ __metadata__: one })).toThrow(UsageError);
  });

  test('but any other name', () => {
    const { tensors } = readSafetensors(writeSafetensors(Object.fromEntries([['__proto__', one]])), 'it');
    expect([...tensors.keys()]).toEqual(['__proto__']);
  });
});

describe('damaged files', () => {
  test('3,000 mutations give a result or a ModelFileError, nothing else', () => {
    const whole = writeSafetensors(
      { a: { shape: [2, 3], data: new Float32Array(6) }, b: { shape: [], data: new Float32Array(1) } },
      { format: 'x' },
    );
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const random = new Random(1, RandomStream.synthetic, i);
      const bytes = whole.slice(0, random.integer(8) === 0 ? random.integer(whole.length) : whole.length);
      for (let change = random.integer(3); change >= 0 && bytes.length > 0; change--)
        bytes[random.integer(bytes.length)] = random.integer(256);
      try {
        readSafetensors(bytes, 'it');
      } catch (error) {
        if (!(error instanceof ModelFileError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000); // most bytes are header, so most mutations matter
  });
});
