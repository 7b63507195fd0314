// Labels and a batch's figures (src/kernels/loss), in a table of five numbers a row. AssemblyScript. Addresses are bytes. Batches are small: all in one part.
import { partEnd } from './range';

/** targets[samples, classes] = hit at the label's place, else miss */
export function oneHot(
  part: i32,
  labels: usize,
  targets: usize,
  samples: i32,
  classes: i32,
  hit: f32,
  miss: f32,
): void {
  for (let n = 0; n < samples; n++) {
    const label = <i32>load<f32>(labels + ((<usize>n) << 2));
    for (let k = 0; k < classes; k++) {
      store<f32>(targets, k == label ? hit : miss);
      targets += 4;
    }
  }
}

/** output[n] = weights[labels[n]] */
export function classWeights(part: i32, labels: usize, weights: usize, output: usize, samples: i32): void {
  for (let at: usize = 0; at < (<usize>samples) << 2; at += 4) {
    store<f32>(output + at, load<f32>(weights + ((<usize>load<f32>(labels + at)) << 2)));
  }
}

// @ts-ignore: decorator
@inline
function isBad(value: f32): i32 {
  return value - value == 0 ? 0 : 1;
}

/** Row row[0] of the table: mean loss, correct answers, samples, values that are not finite, 0. */
export function batchMetrics(
  part: i32,
  loss: usize,
  scores: usize,
  labels: usize,
  row: usize,
  table: usize,
  losses: i32,
  samples: i32,
  units: i32,
  threshold: f32,
): void {
  let total: f64 = 0;
  for (let i = 0; i < losses; i++) total += <f64>load<f32>(loss + ((<usize>i) << 2));
  let bad = isBad(<f32>total),
    correct = 0;
  for (let n = 0; n < samples; n++) {
    let best = 0;
    const first = load<f32>(scores);
    let largest = first;
    for (let unit = 0; unit < units; unit++) {
      const score = load<f32>(scores);
      bad += isBad(score);
      if (score > largest) {
        largest = score;
        best = unit;
      }
      scores += 4;
    }
    if (units == 1) best = first > threshold ? 1 : 0;
    if (best == <i32>(load<f32>(labels + ((<usize>n) << 2)) + 0.5)) correct++;
  }
  const to = table + <usize>load<u32>(row) * 20;
  store<f32>(to, <f32>(total / <f64>losses));
  store<f32>(to, <f32>correct, 4);
  store<f32>(to, <f32>samples, 8);
  store<f32>(to, <f32>bad, 12);
  store<f32>(to, 0, 16);
}

/** counts[part] = how many of the part's values are NaN or infinite */
export function countNotFinite(part: i32, values: usize, counts: usize, count: i32, chunk: i32): void {
  const end = values + ((<usize>partEnd(part, chunk, count)) << 2);
  values += (<usize>(part * chunk)) << 2;
  const limit = i32x4.splat(0x7f800000);
  let found = i32x4.splat(0);
  for (; values + 16 <= end; values += 16) {
    found = i32x4.sub(found, i32x4.eq(v128.and(v128.load(values), limit), limit)); // a match is −1
  }
  let total =
    i32x4.extract_lane(found, 0) +
    i32x4.extract_lane(found, 1) +
    i32x4.extract_lane(found, 2) +
    i32x4.extract_lane(found, 3);
  for (; values < end; values += 4) total += isBad(load<f32>(values));
  store<i32>(counts + ((<usize>part) << 2), total);
}

/** Σ counts, added to the last number of row row[0] of the table */
export function addCounts(part: i32, counts: usize, parts: i32, row: usize, table: usize): void {
  const to = table + <usize>load<u32>(row) * 20 + 16;
  let total = 0;
  for (let other = 0; other < parts; other++) total += load<i32>(counts + ((<usize>other) << 2));
  store<f32>(to, load<f32>(to) + <f32>total);
}
