/**
 * Defects that make a test set harder, by a dial from 0 (none) to 1: the belt loses a lane, dirt lies on the lens, focus is
 * lost, the sensor is noisy. Drawn here, applied on the device (kernels/augment/augment.ts), in that order.
 */
import { Random, RandomStream } from '../../tensor/random.js';

/** Numbers that `drawDefects` writes a picture. */
export const DEFECTS_LENGTH = 20;

const MOST_BLOBS = 3;
/** Standard deviation of the strongest noise, in levels. */
const MOST_NOISE = 30;
const LANES = 3;

/**
 * Draws the defects of one picture and writes them as `[noise, seed, blur, lane from, lane to, 3 × (row, column, radius, level),
 * 0, 0, 0]`: noise as standard deviation in levels, blur as radius of a box in pixels, the lane as rows (none where both are
 * equal), blobs in pixels with a level of brightness (none where the radius is 0). The result depends only on difficulty and
 * size and on (seed, pass, sample).
 */
export function drawDefects(
  difficulty: number,
  height: number,
  width: number,
  seed: number,
  pass: number,
  sample: number,
  out: Float32Array,
  offset: number,
): void {
  const random = new Random(seed, RandomStream.defects, pass, sample);
  const side = Math.min(height, width);
  out.fill(0, offset, offset + DEFECTS_LENGTH);
  out[offset] = difficulty * random.uniform() * MOST_NOISE;
  out[offset + 1] = random.integer(2 ** 24); // exact in float32
  const mostBlur = Math.max(1, Math.round(side / 32));
  out[offset + 2] = Math.floor(difficulty * random.uniform() * (mostBlur + 1) * (1 - 1e-9));
  const losesLane = random.uniform() < difficulty / 2;
  const lane = random.integer(LANES);
  if (losesLane) {
    out[offset + 3] = Math.floor((lane * height) / LANES);
    out[offset + 4] = Math.floor(((lane + 1) * height) / LANES);
  }
  const blobs = Math.floor(difficulty * random.uniform() * (MOST_BLOBS + 1) * (1 - 1e-9));
  for (let blob = 0; blob < blobs; blob++) {
    const at = offset + 5 + 4 * blob;
    out[at] = random.uniform(0, height - 1);
    out[at + 1] = random.uniform(0, width - 1);
    out[at + 2] = side * random.uniform(0.02, 0.04 + 0.1 * difficulty);
    out[at + 3] = random.uniform(0, 255);
  }
}
