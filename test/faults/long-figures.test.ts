/** Figures of very many pictures leave the event loop its turns, so that Ctrl-C is heard: before, 100,000 pictures were deaf for a minute. */
import { expect, test } from 'vitest';
import { evidenceOf, evidenceStepwise } from '../../src/classifier/evidence.js';
import { chooseThreshold, chooseThresholdInTurns } from '../../src/classifier/figures/threshold.js';
import type { ModelInfo } from '../../src/formats/beltnet/info.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { inTurns } from '../../src/turns.js';

const PICTURES = 6000;
const random = new Random(1, RandomStream.synthetic);
const labels = Array.from({ length: PICTURES }, () => Number(random.uniform() < 0.2));
const scores = labels.map((label) => 0.3 * label + 0.7 * random.uniform());

/** Turns of the event loop while `work` goes on, and what it gives. */
async function watch<Result>(work: () => Promise<Result>): Promise<{ turns: number; result: Result }> {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  try {
    return { result: await work(), turns };
  } finally {
    clearInterval(timer);
  }
}

test('choosing a threshold', async () => {
  const costs = { costMiss: 20, costFalse: 1 };
  const { turns, result } = await watch(() => chooseThresholdInTurns(labels, scores, costs));
  expect(turns).toBeGreaterThan(2);
  expect(result).toEqual(chooseThreshold(labels, scores, costs));
});

test('the evidence of an evaluation', async () => {
  const info: ModelInfo = {
    classNames: ['ok', 'gap'],
    preprocessing: { interpolation: 'nearest', rescale: 1 },
    alert: { className: 'gap', threshold: 0.5 },
  };
  const verdicts = scores.map((score) => ({
    ...{ class: score > 0.5 ? 'gap' : 'ok', probability: Math.max(score, 1 - score) },
    ...{ probabilities: { ok: 1 - score, gap: score }, alert: score >= 0.5 },
  }));
  const judged = { labels, verdicts, files: labels.map(String), pixels: [...labels.keys()] };
  const { turns, result } = await watch(() => inTurns(evidenceStepwise(judged, info)));
  expect(turns).toBeGreaterThan(2);
  expect(result).toEqual(evidenceOf(judged, info));
});
