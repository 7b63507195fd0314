import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { profileLines } from '../../cli/terminal/kernel-profile.js';
import { epochFigure, epochLine } from 'beltnet';
import { ProgressLine } from '../../cli/terminal/epoch-log.js';
import { fittingTable, note, printable, quoted, showProgress, table, wrapped } from '../../cli/terminal/output.js';

describe("Keras' log", () => {
  test('figures: four decimals, or an exponent of two digits from 1e-3 down', () => {
    expect([0.1437, 0.94, 1, 12.3456789, 0.00100001].map((value) => epochFigure(value))).toEqual([
      '0.1437',
      '0.9400',
      '1.0000',
      '12.3457',
      '0.0010',
    ]);
    expect([0.001, 8.12e-4, 2.5e-6, 1e-12, 0].map((value) => epochFigure(value))).toEqual([
      '1.0000e-03',
      '8.1200e-04',
      '2.5000e-06',
      '1.0000e-12',
      '0.0000e+00',
    ]);
  });

  test('the line of an epoch, with validation and without', () => {
    const log = { epoch: 1, seconds: 23.2, loss: 0.1437, accuracy: 0.94 };
    expect(epochLine({ ...log, valLoss: 0.4083, valAccuracy: 0.5 })).toBe(
      ' - 23s - loss: 0.1437 - acc: 0.9400 - val_loss: 0.4083 - val_acc: 0.5000',
    );
    expect(epochLine({ ...log, valLoss: 0.4083, valAccuracy: 0.5, missedAlerts: 2, alertPictures: 24 })).toMatch(
      / - val_acc: 0\.5000 - missed: 2\/24$/,
    );
    expect(epochLine(log)).toBe(' - 23s - loss: 0.1437 - acc: 0.9400');
  });

  test('the moving line has its parts and fits the terminal', () => {
    const progress = { epoch: 1, step: 50, steps: 100, loss: 0.5, accuracy: 0.75, picturesPerSecond: 512.3 };
    const line = new ProgressLine(2).text(progress, 200);
    expect(line).toMatch(/^ {2}50\/100 \[={15}>\.{14}\] - loss: 0\.5000 - acc: 0\.7500 - 512 pictures\/s - ETA 0s$/);
    expect(new ProgressLine(2).text({ ...progress, step: 100 }, 200)).toContain(`[${'='.repeat(30)}]`);
    expect(new ProgressLine(2).text(progress, 79).length).toBeLessThanOrEqual(79);
    expect(new ProgressLine(2).text(progress, 60)).not.toContain('[');
    expect(new ProgressLine(2).text(progress, 39)).toBe('  50/100 - loss: 0.5000 - ETA 0s');
    expect(new ProgressLine(2).text(progress, 20)).toBe('  50/100 - ETA 0s');
  });
});

describe('the profile of kernels', () => {
  const kernel = { kernel: 'conv2d', variant: null, isTwin: false, inputs: [[2, 3]], launches: 1, bytes: 1e6 };
  const peak = { operationsPerSecond: 1e9, bytesPerSecond: 1e9 };

  test('says how a kernel can do more than the measured peak, and only then', () => {
    const lines = (operations: number) =>
      profileLines({ kernels: [{ ...kernel, milliseconds: 10, operations }], peak }, 32).join('\n');
    expect(lines(1.47e7)).toContain('147 %');
    expect(lines(1.47e7)).toContain('More than 100 % of the peak');
    expect(lines(9e6)).not.toContain('More than 100 %');
  });
});

describe('the terminal', () => {
  afterEach(() => vi.restoreAllMocks());

  function catchStderr(isTTY: boolean): string[] {
    const written: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    const stderr = process.stderr as { isTTY: boolean | undefined }; // not there at all where stderr is a pipe
    const before = stderr.isTTY;
    stderr.isTTY = isTTY;
    onTestFinished(() => void (stderr.isTTY = before));
    return written;
  }

  test('the moving line is cut, and gone before anything else is printed', () => {
    const written = catchStderr(true);
    showProgress(() => 'x'.repeat(500));
    note('a note');
    expect(written[0].length).toBeLessThan(500);
    expect([written[0].startsWith('\rxxx'), written[0].endsWith('xxx\u001b[K')]).toEqual([true, true]);
    expect(written.slice(1)).toEqual(['\r\u001b[K', 'a note\n']);
  });

  test('without a terminal nothing moves', () => {
    const written = catchStderr(false);
    showProgress(() => 'moving');
    note('a note');
    expect(written).toEqual(['a note\n']);
  });

  test('control characters in names neither break lines nor steer the terminal', () => {
    expect(printable('a\nb\u001b[31mc\u0085d\u007f')).toBe('a\\nb\\u001b[31mc\\u0085d\\u007f');
    expect(printable('grün 漢字')).toBe('grün 漢字');
  });

  test('tables: text to the left, numbers to the right', () => {
    expect(
      table([
        ['class', 'of'],
        ['gap', 5],
        ['ok', 100],
      ]),
    ).toEqual(['class   of', 'gap      5', 'ok     100']);
  });

  test('arguments can be pasted into a shell', () => {
    expect(quoted('runs/1/model.safetensors')).toBe('runs/1/model.safetensors');
    expect(quoted("it's a $belt")).toBe(process.platform === 'win32' ? `"it's a $belt"` : `'it'\\''s a $belt'`);
  });
});

describe('a table', () => {
  const rows = [
    ['run', 'state', 'balanced', 'started'],
    ['experiments/of-this-year/first', 'finished', '0.9876', '2026-01-02 03:04'],
  ];

  test.each([40, 60, 80, 120])(
    'fits %i columns: names are cut at their front, then columns left out and named',
    (columns) => {
      const lines = fittingTable(rows, { columns });
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      expect(lines[1]).toContain('first');
      expect(lines[1].includes('2026')).toBe(columns >= 60);
      expect(lines.slice(2)).toEqual(columns >= 60 ? [] : ['(not shown: started)']);
    },
  );

  test('is whole where no terminal is: names and columns of any length', () => {
    const name = 'n'.repeat(500);
    expect(
      fittingTable(
        [
          ['file', 'class'],
          [name, 'gap'],
        ],
        { columns: Infinity },
      )[1],
    ).toBe(`${name}  gap`);
  });
});

test('prose is broken between words, never before a per cent sign', () => {
  expect(wrapped('  at most 1 % are missed', { columns: 12, indent: '    ' })).toEqual([
    '  at most',
    '    1 % are',
    '    missed',
  ]);
});
