/** JPEG: baseline, extended and progressive, 8 bits; the pixels are those of libjpeg-turbo, as Pillow uses it. */
import type { CheckLimits } from '../limits.js';
import type { Orientation } from '../orientation.js';
import type { Picture } from '../picture.js';
import { Renderer } from './renderer.js';
import { coefficientRows, type CoefficientRows } from './coefficient-rows.js';
import { Scan } from './scan.js';
import { missingBits, smooth } from './smoothing.js';
import { type Frame, readStructure, type Structure } from './structure.js';

/**
 * @param bytes a whole file that starts with the marker "start of image"
 * @throws DamagedPicture
 */
export function decodeJpeg(
  bytes: Uint8Array,
  checkLimits: CheckLimits,
): { readonly picture: Picture; readonly orientation: Orientation } {
  const structure = readStructure(bytes, ({ width, height }) => checkLimits(width, height, 3 * width * height));
  const { frame, orientation } = structure;
  const { width, height } = frame;
  checkLimits(width, height, 3 * width * height + bytes.length); // scans are copied to be read
  const renderer = new Renderer(structure);
  const missing = missingBits(structure);
  if (missing === null) renderRows(bytes, structure, renderer);
  else renderSmoothly(bytes, structure, renderer, missing);
  return { picture: { width, height, data: renderer.pixels }, orientation };
}

/** All scans side by side, row by row: however many bring a part of the coefficients each, only one row of them is held. */
function renderRows(bytes: Uint8Array, { frame, scans: headers }: Structure, renderer: Renderer): void {
  const { targets } = renderer;
  const scans = headers.map((header) => new Scan(bytes, frame, header, targets));
  for (let row = 0; row < frame.unitsHigh; row++) {
    clearUnits(targets, frame, 0);
    for (const scan of scans) scan.decodeUnits(0);
    renderer.render(row);
  }
}

/** Blocks are estimated from two rows of blocks above and below, which as many rows of units hold for certain. */
const ROWS_AROUND = 2;

/** The same with what is missing filled in. Coefficients are held of the rows of units around, each in the place of an older one. */
function renderSmoothly(
  bytes: Uint8Array,
  { frame, scans: headers, quantizations }: Structure,
  renderer: Renderer,
  missing: readonly Int8Array[],
): void {
  const held = 2 * ROWS_AROUND + 1;
  const stored = frame.components.map(({ horizontal, vertical }) =>
    coefficientRows(held * vertical, frame.unitsWide * horizontal),
  );
  const scans = headers.map((header) => new Scan(bytes, frame, header, stored));
  let decoded = 0;
  for (let row = 0; row < frame.unitsHigh; row++) {
    for (; decoded < Math.min(row + ROWS_AROUND + 1, frame.unitsHigh); decoded++) {
      clearUnits(stored, frame, decoded % held);
      for (const scan of scans) scan.decodeUnits(decoded % held);
    }
    for (const [index, target] of renderer.targets.entries()) {
      const { length } = target.coefficients;
      const from = (row % held) * length;
      target.coefficients.set(stored[index].coefficients.subarray(from, from + length));
      smooth(
        frame.components[index],
        missing[index],
        quantizations[index],
        stored[index],
        target,
        row,
        frame.unitsHigh,
      );
    }
    renderer.render(row);
  }
}

/** Makes the coefficients of a row of units 0. @param place in the targets */
function clearUnits(targets: readonly CoefficientRows[], { components }: Frame, place: number): void {
  for (const [index, { coefficients, lasts, blocksPerRow }] of targets.entries()) {
    const blocks = components[index].vertical * blocksPerRow;
    coefficients.fill(0, place * blocks * 64, (place + 1) * blocks * 64);
    lasts.fill(0, place * blocks, (place + 1) * blocks);
  }
}
