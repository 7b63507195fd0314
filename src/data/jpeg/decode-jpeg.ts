/** JPEG: baseline, extended and progressive, 8 bits; the pixels are those of libjpeg-turbo, as Pillow uses it. */
import type { CheckLimits } from '../limits.js';
import type { Orientation } from '../orientation.js';
import type { Picture } from '../picture.js';
import { Renderer } from './renderer.js';
import { coefficientRows, type CoefficientRows, Scan } from './scan.js';
import { missingBits, smooth } from './smoothing.js';
import { type Frame, isOneScan, readStructure, type Structure } from './structure.js';

/**
 * @param bytes a whole file that starts with the marker "start of image"
 * @throws DamagedPicture
 */
export function decodeJpeg(
  bytes: Uint8Array,
  checkLimits: CheckLimits,
): { readonly picture: Picture; readonly orientation: Orientation } {
  const structure = readStructure(bytes, ({ width, height }) => checkLimits(width, height, 3 * width * height));
  const { frame, scans, orientation } = structure;
  const { width, height } = frame;
  const isOnePass = isOneScan(frame, scans[0]);
  if (!isOnePass) checkLimits(width, height, 3 * width * height + storedBytes(frame));
  const renderer = new Renderer(structure);
  if (isOnePass) renderScan(bytes, structure, renderer);
  else renderStored(readScans(bytes, structure), structure, renderer);
  return { picture: { width, height, data: renderer.pixels }, orientation };
}

/** Of a scan that brings everything, pixels are made row by row. */
function renderScan(bytes: Uint8Array, { frame, scans }: Structure, renderer: Renderer): void {
  const { targets } = renderer;
  const scan = new Scan(bytes, frame, scans[0], targets);
  for (let row = 0; row < frame.unitsHigh; row++) {
    for (const { coefficients } of targets) coefficients.fill(0);
    scan.decodeUnits(0);
    renderer.render(row);
  }
}

/** All coefficients, by component, of scans that bring a part of them each. */
function readScans(bytes: Uint8Array, { frame, scans }: Structure): CoefficientRows[] {
  const stored = frame.components.map(({ horizontal, vertical }) =>
    coefficientRows(frame.unitsHigh * vertical, frame.unitsWide * horizontal),
  );
  for (const header of scans) {
    const scan = new Scan(bytes, frame, header, stored);
    for (let row = 0; row < frame.unitsHigh; row++) scan.decodeUnits(row);
  }
  return stored;
}

function storedBytes({ components, unitsWide, unitsHigh }: Frame): number {
  const blocks = components.reduce((sum, { horizontal, vertical }) => sum + horizontal * vertical, 0);
  return blocks * unitsWide * unitsHigh * 64 * Int16Array.BYTES_PER_ELEMENT;
}

function renderStored(stored: readonly CoefficientRows[], structure: Structure, renderer: Renderer): void {
  const { frame, quantizations } = structure;
  const missing = missingBits(structure);
  for (let row = 0; row < frame.unitsHigh; row++) {
    for (const [index, target] of renderer.targets.entries()) {
      const { length } = target.coefficients;
      target.coefficients.set(stored[index].coefficients.subarray(row * length, (row + 1) * length));
      if (missing === null) continue;
      const component = frame.components[index];
      smooth(component, missing[index], quantizations[index], stored[index], target, row, frame.unitsHigh);
    }
    renderer.render(row);
  }
}
