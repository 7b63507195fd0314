/** WebAssembly against the plain functions: the same bytes, for whatever numbers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Arithmetic, openArithmetic, plainArithmetic } from '../../src/data/pictures/jpeg/arithmetic.js';

const BYTES = 1 << 16;
const [FIRST, SECOND, THIRD, TO] = [0x1010, 0x2010, 0x3010, 0x8000];

/** Runs something on both memories, filled alike. @returns what is then at `TO` */
function both(
  fill: (memory: ArrayBuffer) => void,
  run: (arithmetic: Arithmetic) => void,
  length: number,
): Uint8Array[] {
  return [openArithmetic(BYTES), plainArithmetic(BYTES)].map((arithmetic) => {
    new Uint8Array(arithmetic.memory).fill(0);
    fill(arithmetic.memory);
    run(arithmetic);
    return new Uint8Array(arithmetic.memory, TO, length).slice();
  });
}

test('WebAssembly is there', () => {
  expect(openArithmetic(BYTES).memory.byteLength % 65536).toBe(0);
  expect(openArithmetic(3 * 65536).memory.byteLength).toBeGreaterThanOrEqual(3 * 65536);
  expect(openArithmetic(1).inverseDct.toString()).toMatch(/native code/);
});

describe('equal', () => {
  const word = fc.integer({ min: -32768, max: 32767 });
  const coefficient = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -300, max: 300 }), word);
  const block = fc.oneof(
    fc.array(coefficient, { minLength: 64, maxLength: 64 }),
    fc.array(coefficient, { minLength: 1, maxLength: 8 }), // nothing but a first row
  );
  const factors = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 65535 })), {
    minLength: 64,
    maxLength: 64,
  });

  test('inverse cosine transform', () => {
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 5 }), factors, (blocks, quantization) => {
        const stride = 8 * blocks.length;
        const fill = (memory: ArrayBuffer): void => {
          const words = new Int16Array(memory);
          for (const [index, numbers] of blocks.entries()) words.set(numbers, 0x2000 / 2 + 64 * index);
          new Uint16Array(memory).set(quantization, 0x1000 / 2);
        };
        const [fast, plain] = both(fill, (a) => a.inverseDct(0x2000, 0x1000, 0, blocks.length, TO, stride), 8 * stride);
        expect(fast).toEqual(plain);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  const row = fc.uint8Array({ minLength: 1, maxLength: 90 });

  test.each<[string, number, (arithmetic: Arithmetic, width: number) => void]>([
    ['columns doubled', 2, (a, width) => a.doubleColumns(FIRST, width, TO)],
    ['between rows, above', 1, (a, width) => a.betweenRows(FIRST, SECOND, 1, width, TO)],
    ['between rows, below', 1, (a, width) => a.betweenRows(FIRST, SECOND, 2, width, TO)],
    ['columns doubled between rows', 2, (a, width) => a.doubleColumnsBetweenRows(FIRST, SECOND, width, TO)],
    ['RGB of YCbCr', 3, (a, width) => a.rgbFromYcc(FIRST, SECOND, THIRD, width, TO)],
    ['RGB of planes', 3, (a, width) => a.rgbFromPlanes(FIRST, SECOND, THIRD, width, TO)],
  ])('%s', (_, growth, run) => {
    fc.assert(
      fc.property(row, fc.uint8Array({ minLength: 400, maxLength: 400 }), ({ length }, random) => {
        const fill = (memory: ArrayBuffer): void => {
          for (const [index, place] of [FIRST, SECOND, THIRD].entries()) {
            new Uint8Array(memory).set(random.subarray(100 * index, 100 * index + length + 2), place - 1);
          }
        };
        const [fast, plain] = both(fill, (arithmetic) => run(arithmetic, length), growth * length);
        expect(fast).toEqual(plain);
      }),
      { numRuns: 500, seed: 2 },
    );
  });

  test('RGB of every colour', () => {
    for (let cb = 0; cb < 256; cb += 5) {
      const fill = (memory: ArrayBuffer): void => {
        const bytes = new Uint8Array(memory);
        for (let at = 0; at < 256; at++) {
          bytes[FIRST + at] = (at * 7 + cb) & 255;
          bytes[SECOND + at] = cb;
          bytes[THIRD + at] = at;
        }
      };
      const [fast, plain] = both(fill, (a) => a.rgbFromYcc(FIRST, SECOND, THIRD, 256, TO), 768);
      expect(fast).toEqual(plain);
    }
  });
});
