/** What thresholds of an alarm miss and stop for nothing, and which is cheapest: counts on sorted probabilities of the alarm's class. */

/** Thresholds from 0 to 1, closer together where probabilities crowd: at both ends. */
export const thresholds = Array.from({ length: 401 }, (_, at) => 1 / (1 + Math.exp(-(at - 200) / 20)));

/** How many of the sorted are below. */
function below(sorted, threshold) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * @param {{ alerts: ArrayLike<number>, others: ArrayLike<number> }} scores sorted: of pictures of the alarm's class, and of the others
 * @param {number} threshold
 */
export const outcomeAt = ({ alerts, others }, threshold) => ({
  missed: below(alerts, threshold),
  stops: others.length - below(others, threshold),
});

/**
 * @param {{ alerts: ArrayLike<number>, others: ArrayLike<number> }} scores
 * @param {number} ratio what a miss costs, in false stops
 * @param {number} share of pictures on the belt that are of the alarm's class
 * @returns the place in `thresholds`: the middle of the cheapest
 */
export function cheapest(scores, ratio, share) {
  const costs = thresholds.map((threshold) => {
    const { missed, stops } = outcomeAt(scores, threshold);
    return ratio * share * (missed / scores.alerts.length) + (1 - share) * (stops / scores.others.length);
  });
  const least = Math.min(...costs);
  const cheap = thresholds.flatMap((_, at) => (costs[at] === least ? [at] : []));
  return cheap[cheap.length >> 1];
}
