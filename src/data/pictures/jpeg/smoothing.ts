/**
 * A progressive file may lack the last bits of its coefficients, or coefficients altogether. As libjpeg does, the lowest of
 * them are then estimated from the first coefficients (DC) of the blocks around, which takes away the steps between blocks.
 * Source: libjpeg-turbo's jdcoefct.c (decompress_smooth_data), bit for bit; ITU-T T.81, K.8.
 */
import type { CoefficientRows } from './coefficient-rows.js';
import type { Component, Structure } from './structure.js';
import { zigzag } from './zigzag.js';

/** In zigzag order: the first coefficient and the nine that can be estimated. */
const COEFFICIENTS = 10;

// Weights of the first coefficients of 5 × 5 blocks, in 1/256, by coefficient in zigzag order.

/** Where some bits of some of the nine are known: only five are estimated. */
const weightsBesideOthers: readonly (readonly number[] | null)[] = [
  null,
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 50, 0, -50, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0, 0, -7, 0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, -50, 0, 0, 0, 0, 7, 0, 0],
  [0, 0, -1, 0, 0, 0, 0, 13, 0, 0, 0, 0, -24, 0, 0, 0, 0, 13, 0, 0, 0, 0, -1, 0, 0],
  [0, -1, 0, 1, 0, -1, 10, 0, -10, 1, 0, 0, 0, 0, 0, 1, -10, 0, 10, -1, 0, 1, 0, -1, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 13, -24, 13, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  null,
  null,
  null,
  null,
];

/** Where there is nothing but the first coefficient, which is smoothed as well. */
const weightsAlone: readonly (readonly number[])[] = [
  [-2, -6, -8, -6, -2, -6, 6, 42, 6, -6, -8, 42, 152, 42, -8, -6, 6, 42, 6, -6, -2, -6, -8, -6, -2],
  [-1, -1, 0, 1, 1, -3, 13, 0, -13, 3, -3, 38, 0, -38, 3, -3, 13, 0, -13, 3, -1, -1, 0, 1, 1],
  [-1, -3, -3, -3, -1, -1, 13, 38, 13, -1, 0, 0, 0, 0, 0, 1, -13, -38, -13, 1, 1, 3, 3, 3, 1],
  [0, 0, 1, 0, 0, 0, 2, 7, 2, 0, 0, -5, -14, -5, 0, 0, 2, 7, 2, 0, 0, 0, 1, 0, 0],
  [-1, 0, 0, 0, 1, 0, 9, 0, -9, 0, 0, 0, 0, 0, 0, 0, -9, 0, 9, 0, 1, 0, 0, 0, -1],
  [0, 0, 0, 0, 0, 0, 2, -5, 2, 0, 1, 7, -14, 7, 1, 0, 2, -5, 2, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, 2, 0, -2, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, -3, 1, 0, 0, 0, 0, 0, 0, 0, -1, 3, -1, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, -3, 0, 3, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, -1, -2, -1, 0, 0, 0, 0, 0, 0],
];

/**
 * What the scans leave open, by component and coefficient, [components, 10]: how many of the lowest bits are missing, or -1 where
 * all are.
 *
 * @returns null where nothing is missing, or too much to estimate it
 */
export function missingBits({ frame, scans, quantizations }: Structure): readonly Int8Array[] | null {
  const missing = frame.components.map(() => new Int8Array(COEFFICIENTS).fill(-1));
  for (const { parts, bandStart, bandEnd, lowBit } of scans) {
    for (const { component } of parts) missing[component].fill(lowBit, bandStart, Math.min(bandEnd + 1, COEFFICIENTS));
  }
  const isPossible = missing.every(
    (bits, component) =>
      bits[0] >= 0 && zigzag.subarray(0, COEFFICIENTS).every((place) => quantizations[component][place] > 0),
  );
  const isUseful = missing.some((bits) => bits.subarray(1).some((count) => count !== 0));
  return frame.isProgressive && isPossible && isUseful ? missing : null;
}

/**
 * Fills in what is missing in a row of units of a component.
 *
 * @param missing bits of this component
 * @param stored its coefficients, of rows of units around; a row's place is its number modulo how many are held
 * @param target those of the row, to be changed
 */
export function smooth(
  { blocksWide, blocksHigh, vertical }: Component,
  missing: Int8Array,
  quantization: Uint16Array,
  stored: CoefficientRows,
  target: CoefficientRows,
  unitRow: number,
  unitsHigh: number,
): void {
  const isAlone = missing.subarray(1).every((bits) => bits === -1);
  const weights = isAlone ? weightsAlone : weightsBesideOthers;
  const rows = unitRow < unitsHigh - 1 ? vertical : ((blocksHigh - 1) % vertical) + 1;
  const around = new Int16Array(25);
  const rowsHeld = stored.lasts.length / stored.blocksPerRow;
  for (let row = 0; row < rows; row++) {
    // Counted as libjpeg does, which is not quite right where the last units are not full.
    const counted = unitRow * rows + row;
    const left = unitsHigh * rows - 1 - counted;
    const offsets = [-Math.min(counted, 2), -Math.min(counted, 1), 0, Math.min(left, 1), Math.min(left, 2)];
    for (let column = 0; column < blocksWide; column++) {
      for (let index = 0; index < 25; index++) {
        const aroundRow = (unitRow * vertical + row + offsets[Math.floor(index / 5)]) % rowsHeld;
        const aroundColumn = Math.max(0, Math.min(blocksWide - 1, column + (index % 5) - 2));
        around[index] = stored.coefficients[(aroundRow * stored.blocksPerRow + aroundColumn) * 64];
      }
      const block = (row * stored.blocksPerRow + column) * 64;
      for (let index = COEFFICIENTS - 1; index >= 0; index--) {
        const place = zigzag[index];
        const isMissing = index === 0 ? isAlone : missing[index] !== 0 && target.coefficients[block + place] === 0;
        const own = weights[index];
        if (!isMissing || own === null) continue;
        let sum = 0;
        for (let at = 0; at < 25; at++) sum += own[at] * around[at];
        // What is missing is less than the lowest bit that is known.
        const most = index > 0 && missing[index] > 0 ? (1 << missing[index]) - 1 : Infinity;
        const levels = Math.abs(sum) * quantization[0] + quantization[place] * 128;
        const size = Math.min(most, Math.floor(levels / (quantization[place] * 256)));
        target.coefficients[block + place] = sum < 0 ? -size : size;
      }
    }
  }
}
