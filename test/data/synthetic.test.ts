/** The belt pictures: what a class promises, that no simple figure gives the class away, and the folder of files. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LONGEST_OK_STRETCH, planBelt, SHORTEST_GAP_STRETCH } from '../../src/data/belt/belt-plan.js';
import type { BeltLabel, BeltScene } from '../../src/data/belt/belt-scene.js';
import { decode } from '../../src/data/pictures/decode.js';
import type { Picture } from '../../src/data/pictures/picture.js';
import { synthesize } from '../../src/data/belt/synthetic.node.js';
import { beltPicture } from '../../src/data/belt/synthetic.js';
import { DiskError, UsageError } from '../../src/errors.js';

const labels: readonly BeltLabel[] = ['gap', 'ok'];

/** A turn in degrees. */
const circle = Array.from({ length: 360 }, (_, degree) => {
  const angle = (degree * Math.PI) / 180;
  return { cosine: Math.cos(angle), sine: Math.sin(angle) };
});

/** The columns of a picture that portions cover, by the points of their outlines in the picture: [columns], 1 where covered */
function coveredColumns({ portions, aspect, camera }: BeltScene, columns: number): Uint8Array {
  const covered = new Uint8Array(columns);
  const [tiltCosine, tiltSine] = [Math.cos(camera.tilt), Math.sin(camera.tilt)];
  for (const { x, y, halfLength, halfWidth, corner, rotation } of portions) {
    const [turnCosine, turnSine] = [Math.cos(rotation), Math.sin(rotation)];
    const centre = aspect / 2 + (x - aspect / 2) * tiltCosine - (y - 0.5) * tiltSine;
    for (const { cosine, sine } of circle) {
      // points of the outline: those of the inner rectangle's corners, moved outwards by the corner's radius
      const alongX = Math.sign(cosine) * (halfLength - corner) + corner * cosine;
      const alongY = Math.sign(sine) * (halfWidth - corner) + corner * sine;
      const beltX = x + alongX * turnCosine - alongY * turnSine - aspect / 2;
      const beltY = y + alongX * turnSine + alongY * turnCosine - 0.5;
      const seen = aspect / 2 + beltX * tiltCosine - beltY * tiltSine;
      const [from, to] = seen < centre ? [seen, centre] : [centre, seen];
      const first = Math.max(0, Math.ceil((from / aspect) * columns));
      covered.fill(1, first, Math.max(0, Math.floor((to / aspect) * columns)));
    }
  }
  return covered;
}

/** Longest run of columns without a portion, as a share of all, and where it begins and ends. */
function longestRun(covered: Uint8Array): { share: number; start: number; end: number } {
  let best = { share: 0, start: 0, end: 0 };
  let start = 0;
  for (let column = 0; column <= covered.length; column++) {
    if (column < covered.length && covered[column] === 0) continue;
    const share = (column - start) / covered.length;
    if (share > best.share) best = { share, start: start / covered.length, end: column / covered.length };
    start = column + 1;
  }
  return best;
}

describe('what a class promises', () => {
  /** The uneven outline lies within 0.008 heights of the smooth one, on both sides of a stretch: as a share of the width. */
  const uneven = (width: number, height: number) => (2 * 0.008 * height) / width;
  const runs = (label: BeltLabel, width: number, height: number) =>
    Array.from({ length: 200 }, (_, index) =>
      longestRun(coveredColumns(planBelt({ seed: 7, index, label, width, height }), 1000)),
    );

  test.each([
    [320, 240],
    [240, 240],
    [640, 240],
  ])('ok: no empty stretch across all lanes, at %d×%d', (width, height) => {
    for (const { share } of runs('ok', width, height)) {
      expect(share + uneven(width, height)).toBeLessThan(LONGEST_OK_STRETCH);
    }
  });

  const gaps = runs('gap', 320, 240);

  test('gap: a long one, well within view', () => {
    for (const { share, start, end } of gaps) {
      expect(share - uneven(320, 240)).toBeGreaterThan(SHORTEST_GAP_STRETCH);
      // a zoom of 0.2 shows at most the middle 80 %: the gap must be in it
      expect(Math.min(end, 0.9) - Math.max(start, 0.1)).toBeGreaterThan(SHORTEST_GAP_STRETCH);
    }
  });

  test('gaps vary in length and place, and ok pictures have missing portions too', () => {
    const lengths = gaps.map(({ share }) => share);
    const middles = gaps.map(({ start, end }) => (start + end) / 2);
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeGreaterThan(0.15);
    expect(Math.max(...middles) - Math.min(...middles)).toBeGreaterThan(0.15);
    const holes = Array.from({ length: 100 }, (_, index) => {
      const { portions } = planBelt({ seed: 7, index, label: 'ok', width: 320, height: 240 });
      return portions.some(
        (portion, at) =>
          portions[at + 1]?.lane === portion.lane &&
          portions[at + 1].x - portion.x > 1.8 * (portion.halfLength + portions[at + 1].halfLength),
      );
    });
    expect(holes.filter(Boolean).length).toBeGreaterThan(30);
  });

  test('the picture shows the plan: a portion differs from the belt beside it', () => {
    let told = 0;
    let asked = 0;
    for (let index = 0; index < 40; index++) {
      const options = { seed: 7, index, label: 'gap', width: 320, height: 240 } as const;
      const scene = planBelt(options);
      const { data, width, height } = beltPicture(options);
      const colourAt = (x: number, y: number): number[] => {
        const sums = [0, 0, 0];
        for (let row = -4; row <= 4; row++) {
          for (let column = -4; column <= 4; column++) {
            const at = (Math.round(y * height + row) * width + Math.round(x * height + column)) * 3;
            for (let channel = 0; channel < 3; channel++) sums[channel] += data[at + channel] / 81;
          }
        }
        return sums;
      };
      const gap = longestRun(coveredColumns(scene, 1000));
      const belt = colourAt(((gap.start + gap.end) / 2) * scene.aspect, 0.5);
      for (const { x, y } of scene.portions.filter((portion) => portion.x > 0.1 && portion.x < scene.aspect - 0.1)) {
        const portion = colourAt(x, y);
        asked++;
        if (Math.hypot(...portion.map((level, channel) => level - belt[channel])) > 25) told++;
      }
    }
    expect(asked).toBeGreaterThan(200);
    // chips, shadows and a sloping light may hide a few; a wrong plan would hide about half
    expect(told / asked).toBeGreaterThan(0.95);
  });
});

describe('no simple figure tells the classes apart', () => {
  const count = 1000;
  /** Figures of a picture, smaller than those of a set: a mean over a picture hardly depends on its resolution. */
  const figures: Record<string, (picture: Picture) => number> = {
    'mean brightness': ({ data }) => mean(data, 0, 1),
    'mean red': ({ data }) => mean(data, 0, 3),
    'mean green': ({ data }) => mean(data, 1, 3),
    'mean blue': ({ data }) => mean(data, 2, 3),
    contrast: ({ data }) => deviation(data, mean(data, 0, 1)),
    'contrast of red': ({ data }) => deviation(data, mean(data, 0, 3), 0, 3),
    'red less blue': ({ data }) => mean(data, 0, 3) - mean(data, 2, 3),
  };
  const values = new Map(Object.keys(figures).map((name) => [name, { gap: [] as number[], ok: [] as number[] }]));

  beforeAll(() => {
    for (const label of labels) {
      for (let index = 0; index < count; index++) {
        const picture = beltPicture({ seed: 11, index, label, width: 80, height: 60 });
        for (const [name, figure] of Object.entries(figures)) values.get(name)![label].push(figure(picture));
      }
    }
  });

  test.each([
    ['mean brightness', 0.65],
    ['mean red', 0.75],
    ['mean green', 0.75],
    ['mean blue', 0.75],
    ['contrast', 0.75],
    ['contrast of red', 0.75],
    ['red less blue', 0.75],
  ])('%s: the best threshold is right for at most %d', (name, most) => {
    const { gap, ok } = values.get(name)!;
    expect(gap).toHaveLength(count);
    expect(bestThresholdAccuracy(gap, ok)).toBeLessThan(most);
  });

  test('the search for a threshold finds one', () => {
    expect(bestThresholdAccuracy([1, 2, 3], [4, 5, 6])).toBe(1);
    expect(bestThresholdAccuracy([4, 5, 6], [1, 2, 3])).toBe(1);
    expect(bestThresholdAccuracy([1, 2, 9], [4, 5, 6])).toBe(5 / 6);
  });
});

function mean(data: Uint8Array, first: number, step: number): number {
  let sum = 0;
  for (let at = first; at < data.length; at += step) sum += data[at];
  return (sum * step) / data.length;
}

function deviation(data: Uint8Array, centre: number, first = 0, step = 1): number {
  let sum = 0;
  for (let at = first; at < data.length; at += step) sum += (data[at] - centre) ** 2;
  return Math.sqrt((sum * step) / data.length);
}

/** Accuracy of the best rule "one class above, the other below", in either direction. */
function bestThresholdAccuracy(gap: readonly number[], ok: readonly number[]): number {
  const total = gap.length + ok.length;
  const sorted = [...gap.map((value) => ({ value, sign: 1 })), ...ok.map((value) => ({ value, sign: -1 }))].toSorted(
    (a, b) => a.value - b.value,
  );
  let right = ok.length; // with all called ok
  let best = Math.max(right, total - right);
  for (const [index, { value, sign }] of sorted.entries()) {
    right += sign;
    if (sorted[index + 1]?.value !== value) best = Math.max(best, right, total - right);
  }
  return best / total;
}

describe('a picture', () => {
  const options = { seed: 3, index: 5, label: 'ok', width: 96, height: 64 } as const;

  test('depends on its options, on each of them, and on nothing else', () => {
    const { width, height, data } = beltPicture(options);
    expect([width, height, data.length]).toEqual([96, 64, 96 * 64 * 3]);
    beltPicture({ ...options, index: 6 }); // what is made in between does not matter
    expect(beltPicture(options).data).toEqual(data);
    for (const other of [{ seed: 4 }, { seed: 3 + 2 ** 32 }, { index: 6 }, { label: 'gap' } as const]) {
      expect(beltPicture({ ...options, ...other }).data).not.toEqual(data);
    }
  });

  test.each([
    [{ width: 31, height: 31 }, 'width: expects a whole number from 32 to 4096, got 31'],
    [{ width: 64, height: 65 }, 'height: expects a whole number from 32 to 64, got 65'],
    [{ width: 64.5 }, 'width: expects'],
    [{ seed: -1 }, 'seed: expects'],
    [{ index: 2 ** 32 }, 'index: expects'],
  ])('refuses %o', (wrong, message) => {
    expect(() => beltPicture({ ...options, ...wrong })).toThrow(UsageError);
    expect(() => beltPicture({ ...options, ...wrong })).toThrow(message);
  });
});

describe('a set of files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'beltnet-synthetic-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const small = { count: 10, width: 64, height: 48, seed: 2 };
  const filesOf = (directory: string): string[] =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.jpg'))
      .toSorted();

  test('has both classes in both sets, and each file holds its picture', async () => {
    const directory = join(folder, 'new', 'set');
    const progress: [number, number][] = [];
    const summary = await synthesize(directory, {
      ...small,
      onProgress: (done, total) => progress.push([done, total]),
    });
    expect(summary).toEqual({ directory, training: { gap: 4, ok: 4 }, test: { gap: 1, ok: 1 } });
    expect(progress).toEqual(Array.from({ length: 10 }, (_, index) => [index + 1, 10]));
    expect(readdirSync(directory).toSorted()).toEqual(['test_set', 'training_set']);
    expect(filesOf(directory).map((name) => name.replaceAll('\\', '/'))).toEqual([
      'test_set/gap/gap_00004.jpg',
      'test_set/ok/ok_00004.jpg',
      ...labels.flatMap((label) => [0, 1, 2, 3].map((index) => `training_set/${label}/${label}_0000${index}.jpg`)),
    ]);
    const decoded = decode(readFileSync(join(directory, 'training_set/ok/ok_00002.jpg')), 'ok_00002.jpg');
    const original = beltPicture({ ...small, label: 'ok', index: 2 });
    const other = beltPicture({ ...small, label: 'ok', index: 3 });
    const error = (a: Picture, b: Picture) =>
      a.data.reduce((sum, level, at) => sum + Math.abs(level - b.data[at]), 0) / a.data.length;
    expect([decoded.width, decoded.height]).toEqual([64, 48]);
    // the encoder's loss at quality 70 takes the noise away, of at most 0.03 · 255 = 8 levels
    expect(error(decoded, original)).toBeLessThan(8);
    expect(error(decoded, other)).toBeGreaterThan(16);
  });

  test('the same seed gives the same bytes, also in worker threads; another seed others', async () => {
    await synthesize(join(folder, 'here'), { ...small, workers: 0 });
    await synthesize(join(folder, 'threads'), { ...small, workers: 3 });
    await synthesize(join(folder, 'other'), { ...small, seed: 3 });
    const files = filesOf(join(folder, 'here'));
    expect(files).toHaveLength(10);
    expect(filesOf(join(folder, 'threads'))).toEqual(files);
    for (const file of files) {
      const bytes = readFileSync(join(folder, 'here', file));
      expect(readFileSync(join(folder, 'threads', file)).equals(bytes)).toBe(true);
      expect(readFileSync(join(folder, 'other', file)).equals(bytes)).toBe(false);
    }
  });

  test('takes an empty folder, and refuses one with anything in it, which stays as it is', async () => {
    const directory = join(folder, 'empty');
    mkdirSync(directory);
    await synthesize(directory, small);
    const own = join(folder, 'own');
    mkdirSync(own);
    writeFileSync(join(own, '.hidden'), 'mine');
    await expect(synthesize(own, small)).rejects.toThrow(DiskError);
    await expect(synthesize(own, small)).rejects.toThrow(
      `${own}: expects a new or an empty folder, it holds '.hidden'; choose another folder, or empty this one`,
    );
    expect(readdirSync(own)).toEqual(['.hidden']);
    await expect(synthesize(join(own, '.hidden'), small)).rejects.toThrow(DiskError); // a file
  });

  test.each([0, 2])(
    'a folder that vanishes is the disk’s fault, and nothing unfinished stays (%d threads)',
    async (workers) => {
      const directory = join(folder, `vanishing-${workers}`);
      let gone = false;
      const onProgress = () => {
        // At one blow: removing file by file would race with the threads that write them.
        if (!gone) renameSync(join(directory, '.unfinished'), `${directory}-gone`);
        gone = true;
      };
      const made = synthesize(directory, { ...small, count: 40, workers, onProgress });
      await expect(made).rejects.toThrow(DiskError);
      await expect(made).rejects.toThrow(/pictures cannot be written: ENOENT.*choose another folder/);
      expect(readdirSync(directory)).toEqual([]);
    },
  );

  test.each([0, 2])('a callback that throws ends it with its error (%d threads)', async (workers) => {
    const directory = join(folder, `thrown-${workers}`);
    const onProgress = () => {
      throw new Error('of the caller');
    };
    await expect(synthesize(directory, { ...small, count: 40, workers, onProgress })).rejects.toThrow('of the caller');
    expect(readdirSync(directory)).toEqual([]);
  });

  test.each([0, 2])('a signal stops it, and nothing unfinished stays (%d threads)', async (workers) => {
    const directory = join(folder, `stopped-${workers}`);
    const stop = new AbortController();
    const onProgress = () => stop.abort(new Error('enough'));
    const made = synthesize(directory, { ...small, count: 40, workers, onProgress, signal: stop.signal });
    await expect(made).rejects.toThrow('enough');
    expect(readdirSync(directory)).toEqual([]);
  });

  test.each([
    [{ count: 3 }, 'count: expects a whole number from 4'],
    [{ testFraction: 1 }, 'testFraction: expects a number above 0 and below 1, got 1'],
    [{ workers: -1 }, 'workers: expects'],
    [{ width: 10 }, 'width: expects'],
  ])('refuses %o before it makes a folder', async (wrong, message) => {
    const directory = join(folder, 'refused');
    await expect(synthesize(directory, { ...small, ...wrong })).rejects.toThrow(UsageError);
    await expect(synthesize(directory, { ...small, ...wrong })).rejects.toThrow(message);
    expect(readdirSync(folder)).not.toContain('refused');
  });
});
