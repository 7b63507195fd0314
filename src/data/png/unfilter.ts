/** Undoes the filters, which store a byte as the difference to its neighbours. Source: PNG Specification, 9 (filtering). */
import { DamagedPicture } from '../damaged-picture.js';

/**
 * Undoes the filter of a row in place.
 *
 * @param at the row's first byte, which names the filter; `length` bytes follow
 * @param above the same of the row above, whose filter has been undone; or -1 for the first row, above which all is 0
 * @param step bytes to the same sample of the pixel to the left
 * @throws DamagedPicture for an unknown filter
 */
export function unfilter(bytes: Uint8Array, at: number, above: number, length: number, step: number): void {
  const start = at + 1;
  const end = start + length;
  const up = above - at; // to the byte above
  switch (bytes[at]) {
    case 0:
      break;
    case 1:
      for (let i = start + step; i < end; i++) bytes[i] += bytes[i - step];
      break;
    case 2:
      if (above >= 0) for (let i = start; i < end; i++) bytes[i] += bytes[i + up];
      break;
    case 3:
      if (above < 0) {
        for (let i = start + step; i < end; i++) bytes[i] += bytes[i - step] >> 1;
      } else {
        for (let i = start; i < start + step && i < end; i++) bytes[i] += bytes[i + up] >> 1;
        for (let i = start + step; i < end; i++) bytes[i] += (bytes[i - step] + bytes[i + up]) >> 1;
      }
      break;
    case 4:
      if (above < 0) {
        for (let i = start + step; i < end; i++) bytes[i] += bytes[i - step];
      } else {
        for (let i = start; i < start + step && i < end; i++) bytes[i] += bytes[i + up];
        for (let i = start + step; i < end; i++) {
          bytes[i] += nearest(bytes[i - step], bytes[i + up], bytes[i + up - step]);
        }
      }
      break;
    default:
      throw new DamagedPicture(`a row has the filter ${bytes[at]}, which does not exist`);
  }
}

/** Paeth's predictor: the one of left, up and their corner that is nearest to left + up − corner. */
function nearest(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
