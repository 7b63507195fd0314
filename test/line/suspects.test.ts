/** Cameras that are frozen or look elsewhere, by scenes that are made here: rails that stand still, a belt that runs, noise, changing light. */
import { expect, test } from 'vitest';
import type { Picture } from 'beltnet';
import { FrozenWatch, MovedWatch } from '../../src/line/suspects.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const [WIDTH, HEIGHT] = [80, 60];

interface Scene {
  /** Of the whole picture, in half pixels. */
  readonly x?: number;
  readonly y?: number;
  readonly light?: number;
  readonly noise?: number;
  readonly isOther?: boolean;
}

/** Two rails, a post and a lamp that stand still; between the rails clods that are elsewhere in every frame. */
function scene(seed: number, { x = 0, y = 0, light = 1, noise = 3, isOther = false }: Scene = {}): Picture {
  const random = new Random(seed, RandomStream.synthetic, 0);
  const clods = Array.from({ length: 25 }, () => [
    20 + random.integer(120),
    45 + random.integer(30),
    random.integer(80),
  ]);
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let row = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const [u, v] = [2 * column - x, 2 * row - y];
      let level = 90;
      if (isOther) level = (Math.hypot(u - 80, v - 60) / 6) % 2 < 1 ? 60 : 150;
      else {
        if ((v > 30 && v < 38) || (v > 84 && v < 92)) level = 180;
        if (u > 120 && u < 130) level = 30;
        if (Math.hypot(u - 30, v - 15) < 10) level = 220;
        for (const [cx, cy, bright] of clods) if (Math.hypot(u - cx, v - cy) < 5) level = 60 + bright;
      }
      const value = light * level + noise * (random.uniform() + random.uniform() - 1);
      data.fill(
        Math.max(0, Math.min(255, Math.round(value))),
        3 * (row * WIDTH + column),
        3 * (row * WIDTH + column) + 3,
      );
    }
  }
  return { width: WIDTH, height: HEIGHT, data };
}

const reference = Array.from({ length: 10 }, (_, n) => scene(n));
const after = (given: Scene): string | null => {
  const watch = new MovedWatch(reference, 0.05);
  let result: string | null = null;
  for (let n = 0; n < 15; n++) result = watch.look(scene(100 + n, given), n * 300);
  return result;
};

test.each([
  ['where it was', {}],
  ['darker', { light: 0.6 }],
  ['brighter', { light: 1.3 }],
  ['noisier', { noise: 20 }],
  ['a little shaken', { x: 3, y: -2 }],
])('has not moved: %s', (_, given) => {
  expect(after(given)).toBeNull();
});

test.each([
  [{ x: 20 }, '13 % of the width to the right and 0 % of the height down'],
  [{ x: -15, y: 9 }, '-9 % of the width to the right and 8 % of the height down'],
])('has moved: %j', (given, where) => {
  expect(after(given)).toContain(where);
});

test('another scene is told from one that moved', () => {
  expect(after({ isOther: true })).toContain('is it another scene?');
});

test('frozen: frames without the noise that this camera has; not one that stands still before its noise', () => {
  const watch = new FrozenWatch(10);
  const quiet = scene(5, { noise: 0 });
  const still = (n: number): Picture => {
    const picture = { ...quiet, data: Uint8Array.from(quiet.data) };
    const random = new Random(n, RandomStream.synthetic, 1);
    for (let at = 0; at < picture.data.length; at++) picture.data[at] += random.integer(3);
    return picture;
  };
  for (let n = 0; n < 120; n++) expect(watch.look(still(n), n * 200)).toBeNull();
  const last = still(119);
  const seen: (string | null)[] = [];
  for (let n = 0; n < 60; n++) {
    const data = Uint8Array.from(last.data);
    data[3 * (n % 50)] ^= 1; // encoded anew: hardly another
    seen.push(watch.look({ ...last, data }, (120 + n) * 200));
  }
  expect(seen.findIndex((one) => one !== null)).toBe(49); // 10 s after the last one that was new
  expect(seen.at(-1)).toMatch(/no noise|same pixels/);
  expect(watch.look(still(7), 1e6)).toBeNull();
});
