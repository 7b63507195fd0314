/** Philox against the known answers of its authors, and the properties that training rests on. */
import { describe, expect, test } from 'vitest';
import { philox4x32, Random, RandomStream } from '../../src/tensor/random.js';

const hex = (words: Uint32Array): string[] => Array.from(words, (word) => word.toString(16).padStart(8, '0'));

describe('philox4x32', () => {
  // Source: kat_vectors of Random123 1.14, "philox4x32 10".
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8'],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      ['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd'],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      ['d16cfe09', '94fdcceb', '5001e420', '24126ea1'],
    ],
  ])('counter %j, key %j', (counter, key, expected) => {
    expect(hex(philox4x32(counter, key))).toEqual(expected);
  });
});

describe('Random', () => {
  test('many numbers at once are those that come one by one, and what follows is the same', () => {
    for (const length of [0, 15, 255, 256, 257, 2 ** 16, 2 ** 17 + 37]) {
      for (const before of [0, 1, 3, 5]) {
        const [one, many] = [0, 1].map(() => new Random(123_456_789_012, RandomStream.weights, 7, 2 ** 32 - 1));
        for (let draw = 0; draw < before; draw++) expect(one.bits()).toBe(many.bits());
        const expected = Float32Array.from({ length }, () => one.uniform(-0.03, 0.07));
        const differing = many
          .fillUniform(new Float32Array(length), -0.03, 0.07)
          .findIndex((value, at) => value !== expected[at]);
        expect(differing, `${length} after ${before}`).toBe(-1);
        expect(many.bits()).toBe(one.bits());
      }
    }
  });

  test('an address alone decides the numbers', () => {
    const draw = (...address: ConstructorParameters<typeof Random>) =>
      Array.from({ length: 9 }, () => new Random(...address).bits());
    expect(draw(1, RandomStream.weights, 2, 3)).toEqual(draw(1, RandomStream.weights, 2, 3));
    const addresses: ConstructorParameters<typeof Random>[] = [
      [1, RandomStream.weights, 2, 3],
      [2, RandomStream.weights, 2, 3],
      [1 + 2 ** 32, RandomStream.weights, 2, 3],
      [1, RandomStream.shuffle, 2, 3],
      [1, RandomStream.weights, 3, 3],
      [1, RandomStream.weights, 2, 4],
    ];
    expect(new Set(addresses.map((address) => new Random(...address).bits())).size).toBe(addresses.length);
  });

  test('uniform: range, mean and variance', () => {
    const random = new Random(5, RandomStream.synthetic);
    const values = Array.from({ length: 20_000 }, () => random.uniform(-1, 3));
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...values)).toBeLessThan(3);
    // Five standard errors of the mean (deviation 4/√12) and of the variance (√(4⁴/180) for a uniform).
    expect(Math.abs(mean - 1)).toBeLessThan((5 * 4) / Math.sqrt(12 * 20_000));
    expect(Math.abs(variance - 16 / 12)).toBeLessThan(5 * Math.sqrt(256 / 180 / 20_000));
  });

  test('normal: mean and variance', () => {
    const random = new Random(6, RandomStream.synthetic);
    const values = Array.from({ length: 20_000 }, () => random.normal());
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(20_000)); // five standard errors
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(2 / 20_000));
  });

  test('permutation: every index once, every place equally likely', () => {
    const places = [0, 0, 0, 0, 0];
    for (let pass = 0; pass < 5000; pass++) {
      const order = new Random(1, RandomStream.shuffle, pass).permutation(5);
      expect([...order].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
      places[order.indexOf(0)]++;
    }
    // Five standard errors of a count with p = 1/5.
    for (const count of places) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(5000 * 0.2 * 0.8));
  });
});
