/** The markers of JPEG files. Source: ITU-T T.81, table B.1 */
import { DamagedPicture } from '../damaged-picture.js';

export const Marker = {
  temporary: 0x01,
  baselineFrame: 0xc0,
  extendedFrame: 0xc1,
  progressiveFrame: 0xc2,
  huffmanTables: 0xc4,
  arithmeticConditions: 0xcc,
  restart0: 0xd0,
  restart7: 0xd7,
  startOfImage: 0xd8,
  endOfImage: 0xd9,
  scan: 0xda,
  quantizations: 0xdb,
  numberOfLines: 0xdc,
  restartInterval: 0xdd,
  application0: 0xe0,
  application1: 0xe1,
  application14: 0xee,
  application15: 0xef,
  comment: 0xfe,
} as const;

/** Frames of other kinds, by their marker. */
const otherFrames: Record<number, string> = {
  0xc3: 'lossless',
  0xc5: 'hierarchical',
  0xc6: 'hierarchical',
  0xc7: 'hierarchical',
  0xc9: 'arithmetic-coded',
  0xca: 'arithmetic-coded',
  0xcb: 'arithmetic-coded',
  0xcd: 'hierarchical',
  0xce: 'hierarchical',
  0xcf: 'hierarchical',
};

/** @throws DamagedPicture unless the marker starts a segment that has no influence on the pixels */
export function checkIgnored(marker: number, start: number): void {
  if (marker in otherFrames) {
    throw new DamagedPicture(
      `expects a baseline or progressive JPEG, got one that is ${otherFrames[marker]}`,
      'save it again with another program',
    );
  }
  const isApplication = marker >= Marker.application0 && marker <= Marker.application15;
  const isOther =
    marker === Marker.comment || marker === Marker.numberOfLines || marker === Marker.arithmeticConditions;
  if (!isApplication && !isOther) {
    throw new DamagedPicture(`the marker ff${marker.toString(16).padStart(2, '0')} at byte ${start} is unknown`);
  }
}

export const isRestart = (marker: number): boolean => marker >= Marker.restart0 && marker <= Marker.restart7;
