/** Augmentation in plain loops, step by step: defects, warp, and the changes of values. */
import { square } from '../../tensor/exact-math.js';
import type { Numbers } from '../../tensor/kernel.js';
import {
  type AugmentAttributes,
  BLOBS,
  BRIGHTNESS,
  EPSILON,
  type FillMode,
  NOISE_SCALE,
  SHIFT,
  STRETCH_MARGIN,
} from './attributes.js';

/** A coordinate's way back into 0 … last. In mode 'constant' it may stay outside. */
function fold(at: number, last: number, mode: FillMode): number {
  if (mode === 'constant') return at;
  if (mode === 'nearest') return Math.min(Math.max(at, 0), last);
  if (mode === 'reflect') {
    const period = 2 * (last + 1);
    const shifted = at + 0.5 - period * Math.floor((at + 0.5) / period);
    return Math.min(Math.max(Math.min(shifted, period - shifted) - 0.5, 0), last);
  }
  if (last === 0) return 0;
  if (at < 0) return at + last * (Math.floor(-at / last) + 1);
  return at > last ? at - last * Math.floor(at / last) : at;
}

/** PCG's output function. Source: Jarzynski, Olano, "Hash functions for GPU rendering" (JCGT 2020). */
function hash(seed: number): number {
  const state = (Math.imul(seed, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}

/** One picture with its defects: [H,W,C] levels. */
export function spoiled(
  pictures: Numbers,
  picture: number,
  [height, width, channels]: readonly number[],
  defects: Numbers,
  d: number,
): Float64Array {
  const [noise, seed, radius, first, end] = [0, 1, 2, 3, 4].map((i) => defects[d + i]);
  const scene = new Float64Array(height * width * channels);
  const plain = (row: number, column: number, c: number): number =>
    pictures[picture + (row * width + column) * channels + c];
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let c = 0; c < channels; c++, at++) {
        scene[at] = plain(row, column, c);
        if (row >= first && row < end) {
          const above = plain(first > 0 ? first - 1 : end, column, c);
          const below = plain(end < height ? end : first - 1, column, c);
          const part = (row - first + 1) / (end - first + 1);
          scene[at] = above * (1 - part) + below * part;
        }
        for (let blob = d + 5; blob < d + 5 + 4 * BLOBS; blob += 4) {
          const blobRadius = defects[blob + 2];
          if (blobRadius <= 0) continue;
          const distance = Math.sqrt(square(row - defects[blob]) + square(column - defects[blob + 1]));
          const cover = Math.min(Math.max(blobRadius - distance + 0.5, 0), 1);
          scene[at] = scene[at] * (1 - cover) + defects[blob + 3] * cover;
        }
      }
    }
  }
  const out = new Float64Array(scene.length);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let c = 0; c < channels; c++, at++) {
        let sum = 0;
        for (let i = -radius; i <= radius; i++) {
          for (let j = -radius; j <= radius; j++) {
            const y = Math.min(Math.max(row + i, 0), height - 1);
            const x = Math.min(Math.max(column + j, 0), width - 1);
            sum += scene[(y * width + x) * channels + c];
          }
        }
        const a = hash((seed ^ hash(at)) >>> 0);
        const b = hash(a);
        const uniform = (a & 65535) + (a >>> 16) + (b & 65535) + (b >>> 16) - 131070;
        out[at] = Math.min(Math.max(sum / square(2 * radius + 1) + noise * uniform * NOISE_SCALE, 0), 255);
      }
    }
  }
  return out;
}

/** One picture, warped: [H,W,C] values 0 … 255 from `batch[at]` on. */
export function warp(
  { pictures, batch, transforms }: { pictures: Numbers; batch: Numbers; transforms: Numbers },
  [height, width, channels]: readonly number[],
  { interpolation, fillMode = 'nearest', fillValue = 0 }: AugmentAttributes,
  picture: number,
  m: number,
  at: number,
): void {
  const [m0, m1, m2, m3, m4, m5] = [0, 1, 2, 3, 4, 5].map((i) => transforms[m + i]);
  const [lastRow, lastColumn] = [height - 1, width - 1];
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const row = fold(m0 * i + m1 * j + m2, lastRow, fillMode);
      const column = fold(m3 * i + m4 * j + m5, lastColumn, fillMode);
      if (fillMode === 'constant' && (row < 0 || row > lastRow || column < 0 || column > lastColumn)) {
        for (let c = 0; c < channels; c++) batch[at++] = fillValue;
        continue;
      }
      if (interpolation === 'nearest') {
        const from = picture + (Math.floor(row + 0.5) * width + Math.floor(column + 0.5)) * channels;
        for (let c = 0; c < channels; c++) batch[at++] = pictures[from + c];
        continue;
      }
      const top = Math.floor(row);
      const left = Math.floor(column);
      const down = row - top;
      const along = column - left;
      const upper = picture + (top * width + left) * channels;
      const lower = top + 1 < height ? upper + width * channels : upper;
      const next = left + 1 < width ? channels : 0;
      for (let c = 0; c < channels; c++) {
        const above = pictures[upper + c] * (1 - along) + pictures[upper + next + c] * along;
        const below = pictures[lower + c] * (1 - along) + pictures[lower + next + c] * along;
        batch[at++] = above * (1 - down) + below * down;
      }
    }
  }
}

/** The values of one warped picture, from `start` on, through all further steps. */
export function finish(
  batch: Numbers,
  transforms: Numbers,
  start: number,
  size: number,
  channels: number,
  m: number,
  attributes: AugmentAttributes,
): void {
  const { channelShift, brightness = 'none', rescale, samplewiseCenter, samplewiseStdNormalization } = attributes;
  const { featurewiseMean, featurewiseStd } = attributes;
  const end = start + size;
  if (channelShift) {
    let [low, high] = [batch[start], batch[start]];
    for (let at = start; at < end; at++) {
      low = Math.min(low, batch[at]);
      high = Math.max(high, batch[at]);
    }
    for (let at = start; at < end; at++) {
      const shift = transforms[m + SHIFT + Math.min((at - start) % channels, 2)];
      batch[at] = Math.min(Math.max(batch[at] + shift, low), high);
    }
  }
  if (brightness === 'stretched') {
    let most = 0;
    for (let at = start; at < end; at++) most = Math.max(most, batch[at]);
    for (let at = start; at < end; at++) if (most > 0) batch[at] = (batch[at] * 255) / most + STRETCH_MARGIN;
  }
  const factor = transforms[m + BRIGHTNESS];
  for (let at = start; at < end; at++) {
    if (brightness !== 'none') {
      const whole = Math.floor(Math.min(Math.max(batch[at], 0), 255));
      batch[at] = Math.floor(Math.min(Math.fround(whole * factor), 255)); // Pillow multiplies in float32
    }
    batch[at] = rescale * batch[at];
  }
  if (samplewiseCenter || samplewiseStdNormalization) {
    let sum = 0;
    for (let at = start; at < end; at++) sum += batch[at];
    const mean = sum / size;
    let squares = 0;
    for (let at = start; at < end; at++) squares += square(batch[at] - mean);
    const divisor = samplewiseStdNormalization ? Math.sqrt(squares / size) + EPSILON : 1;
    for (let at = start; at < end; at++) batch[at] = (batch[at] - (samplewiseCenter ? mean : 0)) / divisor;
  }
  if (!featurewiseMean && !featurewiseStd) return;
  for (let at = start; at < end; at++) {
    const c = (at - start) % channels;
    batch[at] =
      (batch[at] - (featurewiseMean ? featurewiseMean[c] : 0)) / (featurewiseStd ? featurewiseStd[c] + EPSILON : 1);
  }
}
