/** Files of a folder that change while they are looked at: each has one frame, of what it is at last. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decode } from '../../src/index.node.js';
import { FolderSource } from '../../src/line/sources/folder.node.js';
import type { SourceContext } from '../../src/line/source.js';
import { noisyPng } from '../cli/run-beltnet.js';
import { temporaryFolder } from '../data/make-pictures.js';

/** A writer that is at work at the moments when the source looks. */
function contextWith(hooks: {
  beforeRead?: (name: string) => void;
  whileDecoding?: (name: string) => void;
}): SourceContext {
  return {
    name: 'camera',
    now: () => performance.now(),
    fault: () => {},
    dropped: () => {},
    note: () => {},
    lastTaken: 0,
    isJudged(name) {
      hooks.beforeRead?.(name);
      return false;
    },
    async look(given, name) {
      const picture = given instanceof Uint8Array ? decode(given, name) : given;
      hooks.whileDecoding?.(name);
      return { picture, cuts: [] };
    },
  };
}

/** Names of the frames that come until nothing more does: ten looks at the folder after the first of them. */
async function framesOf(source: FolderSource): Promise<string[]> {
  const names: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  for (;;) {
    const frames = await source.next();
    if (frames.length === 0) break;
    timer ??= setTimeout(() => void source.close(), 500);
    for (const frame of frames) {
      names.push(`${frame.name} ${frame.bytes?.length}`);
      await frame.done?.();
    }
  }
  clearTimeout(timer);
  return names;
}

const config = (path: string) =>
  ({ kind: 'folder', path, pollSeconds: 0.05, every: true, giveUpSeconds: 10 }) as ConstructorParameters<
    typeof FolderSource
  >[0];

test('one that is completed between its listing and its reading', async () => {
  const folder = temporaryFolder();
  const picture = noisyPng('dark', 1);
  writeFileSync(join(folder, 'a.png'), picture.subarray(0, 20));
  let isComplete = false;
  const complete = (): void => {
    if (isComplete) return;
    isComplete = true;
    appendFileSync(join(folder, 'a.png'), picture.subarray(20));
  };
  const source = new FolderSource(config(folder), contextWith({ beforeRead: complete }));
  expect(await framesOf(source)).toEqual([`a.png ${picture.length}`]);
});

test('one that another picture is written over while it is decoded: that is the one which is judged', async () => {
  const folder = temporaryFolder();
  const [first, second] = [noisyPng('dark', 1), noisyPng('bright', 2, 40, 40)];
  writeFileSync(join(folder, 'a.png'), first);
  let isOver = false;
  const writeOver = (): void => {
    if (isOver) return;
    isOver = true;
    writeFileSync(join(folder, 'a.png'), second);
  };
  const source = new FolderSource(config(folder), contextWith({ whileDecoding: writeOver }));
  expect(await framesOf(source)).toEqual([`a.png ${second.length}`]);
});
