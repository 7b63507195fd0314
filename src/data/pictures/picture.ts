/** A decoded picture: 8-bit RGB, without alpha, rows from top to bottom. */
export interface Picture {
  /** Columns, in pixels. */
  readonly width: number;
  /** Rows, in pixels. */
  readonly height: number;
  /** RGB, [height, width, 3] */
  readonly data: Uint8Array;
}
