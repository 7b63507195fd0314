/**
 * Pictures of a belt from a seed: three lanes of baked portions seen from above, moving right. Class `ok` is a well-filled
 * belt, class `gap` one with an empty stretch across all lanes. A stand-in for a factory's own pictures.
 *
 * A picture is planned (belt-plan.ts: what lies where, under which light), painted (belt-paint.ts: the surfaces), and taken
 * (belt-camera.ts: light, lens and sensor).
 */
import { preview } from '../../options.js';
import { expectObject } from '../../expect.js';
import { UsageError } from '../../errors.js';
import { takePicture } from './belt-camera.js';
import { paintSurfaces } from './belt-paint.js';
import { emptyStretch, planBelt } from './belt-plan.js';
import type { BeltPictureOptions } from './belt-scene.js';
import type { Picture } from '../pictures/picture.js';

export type { BeltLabel, BeltPictureOptions } from './belt-scene.js';

/**
 * A picture of a belt. The same options give the same picture.
 *
 * @throws UsageError for options out of range
 */
export function beltPicture(options: BeltPictureOptions): Picture {
  checkBelt(options, 'beltPicture: options');
  const scene = planBelt(options);
  return takePicture(paintSurfaces(scene, options.width, options.height), scene);
}

/** Where such a picture's longest empty stretch is, as parts of its width: of a `gap` picture, its gap. */
export function beltGap(options: BeltPictureOptions): { start: number; end: number } {
  checkBelt(options, 'beltGap: options');
  const { portions, aspect } = planBelt(options);
  const { start, end } = emptyStretch(portions, aspect);
  return { start: start / aspect, end: end / aspect };
}

function checkBelt(options: BeltPictureOptions, what: string): void {
  expectObject(options, what);
  checkWhole('seed', options.seed, 0, Number.MAX_SAFE_INTEGER);
  checkWhole('index', options.index, 0, 2 ** 32 - 1);
  checkBeltSize(options.width, options.height);
}

/** @throws UsageError for a size that `beltPicture` cannot make */
export function checkBeltSize(width: number, height: number): void {
  checkWhole('width', width, 32, 4096);
  checkWhole('height', height, 32, width);
}

/** @throws UsageError unless `value` is a whole number from `least` to `most` */
export function checkWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new UsageError(`${name}: expects a whole number from ${least} to ${most}, got ${preview(value)}`);
}
