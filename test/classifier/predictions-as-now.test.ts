/** predictions.csv says what the model said when it was trained: rows as it says them now have its temperature and its threshold. */
import { expect, test } from 'vitest';
import { parsePredictions, predictionsTable, rowsAsNow, type ModelInfo, type PredictionRow } from 'beltnet';

const info = (threshold: number, temperature?: number): ModelInfo => ({
  classNames: ['gap', 'ok'],
  preprocessing: { rescale: 1 / 255 } as ModelInfo['preprocessing'],
  alert: { className: 'gap', threshold },
  ...(temperature !== undefined && { sections: { calibration: { value: { temperature }, required: true } } }),
});

const row = (gap: number, alert: boolean): PredictionRow => ({
  ...{ file: 'gap/1.jpg', label: 'gap', split: 'test', class: gap > 0.5 ? 'gap' : 'ok', alert },
  probabilities: { gap, ok: 1 - gap },
});

test('the temperature divides the logit, and the alert is of the threshold of now', () => {
  for (const p of [0.001, 0.2, 0.5, 0.97])
    for (const [threshold, temperature] of [
      [0.5, undefined],
      [0.3, 2],
      [0.9, 0.5],
    ] as const) {
      const [now] = rowsAsNow([row(p, p >= 0.5)], info(threshold, temperature));
      const wanted = 1 / (1 + Math.exp(-Math.log(p / (1 - p)) / (temperature ?? 1)));
      expect(now.probabilities['gap']).toBeCloseTo(wanted, 12);
      expect(now.probabilities['gap'] + now.probabilities['ok']).toBeCloseTo(1, 12);
      expect(now.alert).toBe(wanted >= threshold);
      expect([now.file, now.label, now.split, now.class]).toEqual(['gap/1.jpg', 'gap', 'test', p > 0.5 ? 'gap' : 'ok']);
    }
  const unjudged = { ...row(0.5, false), class: '', probabilities: { gap: Number.NaN, ok: Number.NaN } };
  expect(rowsAsNow([unjudged], info(0.1, 2))).toEqual([unjudged]);
});

test('pixel hashes go through the table, which is read without them, too', async () => {
  const verdict = { class: 'gap', alert: true, probability: 0.75, probabilities: { gap: 0.75, ok: 0.25 } };
  const judged = { verdicts: [verdict], files: ['gap/1.jpg'], labels: [0], indices: [0] };
  const sets = { test: { judged, unjudged: [] } } as never;
  const line = { set: 'test', file: 'gap/1.jpg', label: 'gap', sha256: '00', pixels: 2 ** 52 + 1 };
  const other = { ...line, set: 'training', pixels: 7 };
  const manifest = `${JSON.stringify(other)}\n${JSON.stringify(line)}\n`;
  const table = predictionsTable(sets, info(0.5), manifest);
  expect(table).toBe(
    `file,label,split,class,alert,unlike,unknown,pixels,p(gap),p(ok)\ngap/1.jpg,gap,test,gap,true,,,${2 ** 52 + 1},0.75,0.25\n`,
  );
  expect((await parsePredictions(table, 'predictions.csv'))[0]).toMatchObject({ pixels: 2 ** 52 + 1 });
  const old = predictionsTable(sets, info(0.5));
  expect(old).toMatch(/^file,label,split,class,alert,unlike,unknown,p\(gap\),p\(ok\)\n/);
  expect((await parsePredictions(old, 'predictions.csv'))[0]).toEqual({
    ...{ file: 'gap/1.jpg', label: 'gap', split: 'test', class: 'gap', alert: true },
    probabilities: { gap: 0.75, ok: 0.25 },
  });
});
