/** Undoes the filters, which store a byte as the difference to its neighbours. Source: PNG Specification, 9 (filtering). */
import { DamagedPicture } from '../damaged-picture.js';

/**
 * Undoes the filter of a row in place. What lies beyond the border counts as 0.
 *
 * @param above the row above, whose filter is undone
 * @param step bytes to the same sample of the next pixel
 * @throws DamagedPicture for an unknown filter
 */
export function unfilter(filter: number, row: Uint8Array, above: Uint8Array, step: number): void {
  const { length } = row;
  switch (filter) {
    case 0:
      return;
    case 1:
      for (let at = step; at < length; at++) row[at] += row[at - step];
      return;
    case 2:
      for (let at = 0; at < length; at++) row[at] += above[at];
      return;
    case 3:
      for (let first = 0; first < step; first++) {
        for (let at = first, left = 0; at < length; at += step) {
          left = (row[at] + ((left + above[at]) >> 1)) & 255;
          row[at] = left;
        }
      }
      return;
    case 4:
      for (let first = 0; first < step; first++) {
        for (let at = first, left = 0, corner = 0; at < length; at += step) {
          const up = above[at];
          // Paeth's predictor: the one of the three that is nearest to left + up − corner
          const toLeft = Math.abs(up - corner);
          const toUp = Math.abs(left - corner);
          const toCorner = Math.abs(left + up - 2 * corner);
          const nearest = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
          left = (row[at] + nearest) & 255;
          row[at] = left;
          corner = up;
        }
      }
      return;
    default:
      throw new DamagedPicture(`a row has the filter ${filter}, which does not exist`);
  }
}
