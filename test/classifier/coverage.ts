/** Simulations: in what part of drawn sets an interval holds what the sets were drawn from. */
import { clopperPearson } from '../../src/classifier/figures/binomial.js';
import { proportionInterval, rocAucInterval, type IntervalOrReason } from '../../src/classifier/figures/intervals.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const holdsIn = (value: number, interval: IntervalOrReason): boolean => {
  if ('reason' in interval) throw new Error(`expects an interval, got ${interval.reason}`);
  return interval.low <= value && value <= interval.high;
};

/** Exactly: over all outcomes, each by its probability. */
export function proportionCoverage(p: number, n: number): number {
  let covered = 0;
  let logarithm = n * Math.log(1 - p); // of the probability of k; the number itself is below the smallest for k = 0
  for (let k = 0; k <= n; k++) {
    if (holdsIn(p, clopperPearson(k, n))) covered += Math.exp(logarithm);
    logarithm += Math.log(((n - k) / (k + 1)) * (p / (1 - p)));
  }
  return covered;
}

/** Groups of `size` samples whose own part varies: with probability `alike` a sample does what its group's first draw did. */
export function clusterCoverage(p: number, groups: number, size: number, alike: number, sets: number): number {
  let held = 0;
  for (let set = 0; set < sets; set++) {
    const random = new Random(set, RandomStream.synthetic, groups, size);
    const holds: boolean[] = [];
    for (let group = 0; group < groups; group++) {
      const common = random.uniform() < p;
      for (let n = 0; n < size; n++) holds.push(random.uniform() < alike ? common : random.uniform() < p);
    }
    const names = holds.map((_, n) => Math.floor(n / size));
    if (holdsIn(p, proportionInterval(holds, { groups: names }))) held++;
  }
  return held / sets;
}

/** Distance of two normal distributions with that area, Φ(distance / √2). */
const DISTANCE = { 0.5: 0, 0.9: 1.812388, 0.95: 2.326174, 0.99: 3.289953 } as const;

export function areaCoverage(
  area: keyof typeof DISTANCE,
  positives: number,
  negatives: number,
  { sets, resamples }: { readonly sets: number; readonly resamples: number },
): number {
  const labels = Array.from({ length: positives + negatives }, (_, n) => Number(n < positives));
  let held = 0;
  for (let set = 0; set < sets; set++) {
    const random = new Random(set, RandomStream.synthetic, positives, negatives);
    const scores = labels.map((label) => random.normal() + label * DISTANCE[area]);
    if (holdsIn(area, rocAucInterval(labels, scores, { resamples, seed: set }))) held++;
  }
  return held / sets;
}
