/** Runs beside each other: their states and figures, the test on shared pictures, what was done otherwise. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compareRuns, listRuns } from 'beltnet';
import { afterAll, expect, test } from 'vitest';
import { beltnet, beltnetWorks, writeFiles } from '../cli/run-beltnet.js';

const folder = mkdtempSync(join(tmpdir(), 'beltnet-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Made {
  readonly epochs?: number;
  readonly config?: object;
  /** [file, label, split, probability of gap]; the class is the more probable one, the alert from 0.5 on */
  readonly rows?: readonly (readonly [string, string, string, number])[];
}

function makeRun(name: string, { epochs = 5, config = {}, rows }: Made): void {
  const results = ['epoch,loss', ...Array.from({ length: epochs }, (_, n) => `${n + 1},0.5`), ''].join('\n');
  const lines = rows?.map(([file, label, split, p]) =>
    [file, label, split, p >= 0.5 ? 'gap' : 'ok', p >= 0.5, '', '', p, 1 - p].join(','),
  );
  const pictures = rows?.map(([file, label, set]) =>
    JSON.stringify({ set, file, label, sha256: `of ${file.replace(/.*\//, '')}` }),
  );
  writeFiles(join(folder, name), {
    'config.json': JSON.stringify({
      ...{ beltnet: '0.1.0', started: '2026-01-02T03:04:05.000Z', data: { directory: 'belt' } },
      ...{ alert: { className: 'gap', threshold: 0.5 }, options: { epochs: 5, lr: 0.001, name }, ...config },
    }),
    'results.csv': results,
    ...(lines && {
      'predictions.csv': ['file,label,split,class,alert,unlike,unknown,p(gap),p(ok)', ...lines, ''].join('\n'),
      'pictures.jsonl': `${pictures?.join('\n')}\n`,
    }),
  });
}

/** 12 pictures that judge, of which the first `wrong` are wrong; and one of the training. */
const judged = (wrong: number, at: string): (readonly [string, string, string, number])[] => [
  ...Array.from({ length: 12 }, (_, n) => {
    const isGap = n % 2 === 0;
    return [`${at}/${n}.png`, isGap ? 'gap' : 'ok', 'validation', isGap === n >= wrong ? 0.9 : 0.1] as const;
  }),
  [`${at}/trained.png`, 'gap', 'training', 0.1],
];

makeRun('runs/better', { rows: judged(0, 'belt') });
makeRun('runs/worse', { rows: judged(7, 'moved/belt'), config: { options: { epochs: 5, lr: 0.1, name: 'worse' } } });
makeRun('runs/equal', {
  rows: judged(0, 'copy'),
  config: { options: { epochs: 5, lr: 0.001, name: 'equal', checkpointSeconds: 5, live: true } },
});
makeRun('runs/stopped', { epochs: 2 });
makeRun('runs/other', { config: { data: { directory: 'another' } } });
writeFiles(join(folder, 'runs/damaged'), { 'config.json': '{' });
writeFiles(join(folder, 'runs/no run'), { 'notes.txt': '' });

test('are listed by their pictures, the best first, those that did not come to their end told', async () => {
  const runs = await listRuns(join(folder, 'runs'));
  expect(runs.map(({ run, state, figures }) => [run.slice(folder.length + 6), state, figures?.accuracy])).toEqual([
    ['other', 'finished', undefined],
    ['better', 'finished', 1],
    ['equal', 'finished', 1],
    ['worse', 'finished', 5 / 12],
    ['stopped', 'stopped', undefined],
    ['damaged', 'damaged', undefined],
  ]);
  expect(runs[3].figures).toEqual({
    ...{ split: 'validation', pictures: 12, accuracy: 5 / 12, balancedAccuracy: (2 / 6 + 3 / 6) / 2 },
    ...{
      missedAlerts: 4,
      falseAlarms: 3,
      alertPictures: 6,
      rocAuc: expect.closeTo(1 / 3 / 2 + 1 / 2 / 2, 9) as unknown,
    },
  });
  const { stdout, stderr } = await beltnet(['runs', 'runs'], { cwd: folder });
  expect(stdout).toMatch(
    /^Pictures: another\n[^]*\nPictures: belt\nrun .*balanced +missed.*\nruns\/better +finished +1\.0000 +0 of 6 /,
  );
  expect(stderr).toContain(
    'note: runs/stopped stopped after 2 epochs of 5; beltnet train --resume runs/stopped goes on\n',
  );
  expect(stderr).toContain('beltnet: runs/damaged/config.json: expects the config.json of a run');
});

test('are compared on the pictures that all judged, whatever their files are called', async () => {
  const [better, worse] = ['runs/better', 'runs/worse'].map((name) => join(folder, name));
  const { runs, sharedPictures, differences } = await compareRuns([better, worse]);
  expect(sharedPictures).toBe(12);
  // Seven of seven fall one way: 2 / 2⁷
  expect(runs.map(({ mcNemar }) => mcNemar && [mcNemar.onlyFirst, mcNemar.onlySecond, mcNemar.exact])).toEqual([
    null,
    [7, 0, expect.closeTo(2 / 2 ** 7, 12)],
  ]);
  expect(differences).toEqual({ lr: [0.001, 0.1] });
  const text = await beltnetWorks(['compare', 'runs/better', 'runs/worse'], { cwd: folder });
  expect(text).toContain(
    'runs/worse is right on 0 pictures where runs/better is wrong, and wrong on 7 where that is right: p = 0.0156, more than chance\n',
  );
  expect(text).toContain('Done otherwise:\n  lr: 0.001 | 0.1\n');
  const equal = await beltnetWorks(['compare', 'runs/better', 'runs/equal'], { cwd: folder });
  expect(equal).toContain('runs/equal decides all 12 pictures as runs/better does, with the same probabilities\n');
  expect(equal).toContain('Nothing was done otherwise');
  expect(equal).not.toContain('chance');
  await expect(compareRuns([better])).rejects.toThrow('expects two runs or more, got 1');
  await expect(compareRuns([better, folder])).rejects.toThrow('expects the folder of a run');
  const unfinished = await compareRuns([better, join(folder, 'runs/stopped')]);
  expect([unfinished.sharedPictures, unfinished.runs[1].mcNemar]).toEqual([0, null]);
});
