/** What an evaluation's figures are worth: copies count once, guessing stands beside, mistakes come worst first. */
import {
  averagePrecision,
  evidenceOf,
  isNoEvidence,
  judge,
  pixelHashes,
  rocAuc,
  type Dataset,
  type Evidence,
} from 'beltnet';
import { describe, expect, test } from 'vitest';
import { info } from './tiny-model.js';

const verdict = (gap: number) => judge({ probabilities: [gap, 1 - gap], unlike: null }, info, 'x');
/** 30 gaps and 90 others, five mistakes among them. */
const labels = Array.from({ length: 120 }, (_, n) => Number(n % 4 !== 0));
const gaps = labels.map((label, n) => (n % 25 === 0 ? 0.1 + label * 0.7 : 0.9 - label * 0.8 + (n % 7) / 100));
const files = labels.map((_, n) => `${n}.png`);
const all = { labels, verdicts: gaps.map(verdict), files, pixels: files };
const evidence = (given: Parameters<typeof evidenceOf>[0]): Evidence => {
  const found = evidenceOf(given, info);
  if (!found) throw new Error('no evidence');
  return found;
};

describe('evidence', () => {
  test('guessing, intervals, areas of every class', () => {
    const found = evidence(all);
    expect(found).toMatchObject({ distinctPictures: 120, groups: null, majorityAccuracy: 0.75, calibrationBins: 15 });
    expect(found.accuracy).toMatchObject({ low: expect.closeTo(0.9054, 3) as unknown });
    const isGap = labels.map((label) => 1 - label);
    expect(found.areas['gap']).toEqual({
      rocAuc: rocAuc(isGap, gaps),
      averagePrecision: averagePrecision(isGap, gaps),
    });
    expect(found.rocAuc).toHaveProperty('low');
    expect(isNoEvidence(found)).toBe(false);
  });

  test('mistakes, worst first', () => {
    const { mistakes } = evidence(all);
    expect(mistakes.map(({ file }) => file)).toEqual(['0.png', '100.png', '25.png', '50.png', '75.png']);
    expect(mistakes[0]).toEqual({ file: '0.png', label: 'gap', class: 'ok', probability: 0.9 });
  });

  test('copies of four pictures are no evidence, whatever their number', () => {
    const found = evidence({ ...all, pixels: labels.map((_, n) => n % 4) });
    expect(found).toMatchObject({ distinctPictures: 4, groups: 4, accuracy: { reason: 'too few groups (4)' } });
    expect(isNoEvidence(found)).toBe(true);
  });

  test('groups that are known go before copies', () => {
    expect(evidence({ ...all, groups: labels.map((_, n) => `belt ${n % 3}`) })).toMatchObject({
      distinctPictures: 120,
      groups: 3,
      rocAuc: { reason: 'too few groups of the class (3)' },
    });
  });

  test('none of no picture', () => {
    expect(evidenceOf({ labels: [], verdicts: [], files: [], pixels: [] }, info)).toBeNull();
  });
});

test('pixels that are equal have equal hashes, in memory and in a store; others do not', async () => {
  const length = 2 * 3 * 3;
  const pictures = Uint8Array.from({ length: 200 * length }, (_, n) => (Math.floor(n / length) % 100) + (n % length));
  const set: Dataset = {
    name: 'x',
    pictures,
    labels: new Uint8Array(200),
    classNames: ['a', 'b'],
    pictureShape: [2, 3, 3],
    files: Array<string>(200).fill('x'),
    skipped: [],
  };
  const hashes = await pixelHashes(set);
  expect(new Set(hashes).size).toBe(100);
  expect(hashes[0]).toBe(hashes[100]);
  const store = {
    count: 200,
    forwardOnly: false,
    read: async (indices: Uint32Array, target: Uint8Array) => {
      for (const [at, n] of indices.entries()) target.set(pictures.subarray(n * length, (n + 1) * length), at * length);
    },
  };
  expect(await pixelHashes({ ...set, pictures: store })).toEqual(hashes);
});
