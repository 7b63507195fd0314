/** Paths without a disk are divided into classes and parts as folders on one are. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { openSplits, placesOf } from 'beltnet';
const encodeBmp = (): Uint8Array => new Uint8Array(2); // lists do not decode

const layouts: Record<string, readonly string[]> = {
  'class folders': ['belt/gap/1.bmp', 'belt/gap/2.bmp', 'belt/ok/1.bmp', 'belt/ok/night/1.bmp'],
  parts: [
    'belt/training_set/gap/1.bmp',
    'belt/training_set/ok/1.bmp',
    'belt/test_set/gap/1.bmp',
    'belt/test_set/ok/2.bmp',
  ],
  'parts with validation': [
    'p/train/a/1.bmp',
    'p/train/b/1.bmp',
    'p/val/a/1.bmp',
    'p/val/b/1.bmp',
    'p/test/a/1.bmp',
    'p/test/b/1.bmp',
  ],
};

test.each(Object.entries(layouts))('%s: the same classes and parts as on a disk', async (_, paths) => {
  const root = mkdtempSync(join(tmpdir(), 'beltnet-places-'));
  try {
    for (const path of paths) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), encodeBmp());
    }
    const splits = await openSplits(join(root, paths[0].split('/')[0]));
    const places = placesOf(paths);
    for (const part of ['training', 'validation', 'test'] as const) {
      const list = splits[part];
      const onDisk =
        list?.files.map(({ path, label }) => `${list.classNames[label]} ${path.slice(root.length + 1)}`) ?? [];
      const here = paths.flatMap((path, n) =>
        (places[n].part ?? 'training') === part ? [`${places[n].className} ${path}`] : [],
      );
      expect(here.toSorted()).toEqual(onDisk.toSorted());
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('what no folder says', () => {
  expect(placesOf(['gap/1.jpg', 'ok/1.jpg'])).toEqual([
    { part: null, className: 'gap', name: '1.jpg' },
    { part: null, className: 'ok', name: '1.jpg' },
  ]);
  expect(placesOf(['a/ok/day/1.jpg', 'a/ok/2.jpg'])).toEqual([
    { part: null, className: 'ok', name: 'day/1.jpg' },
    { part: null, className: 'ok', name: '2.jpg' },
  ]);
  expect(placesOf(['1.jpg'])).toEqual([{ part: null, className: null, name: '1.jpg' }]);
  expect(placesOf(['test/1.jpg', 'train/1.jpg'])[0]).toEqual({ part: null, className: 'test', name: '1.jpg' });
  expect(placesOf([])).toEqual([]);
});
