/** Coefficients of a component, for some or all of its rows of blocks. */
export interface CoefficientRows {
  /** [rows, blocksPerRow, 64], each block row by row */
  readonly coefficients: Int16Array;
  /** Of each block: the last coefficient that is not 0, in zigzag order. What lies behind need not be looked at again. */
  readonly lasts: Uint8Array;
  /** Whole units of interleaved scans, which may reach beyond the picture. */
  readonly blocksPerRow: number;
}

export function coefficientRows(
  rows: number,
  blocksPerRow: number,
  coefficients = new Int16Array(rows * blocksPerRow * 64),
): CoefficientRows {
  return { coefficients, lasts: new Uint8Array(rows * blocksPerRow), blocksPerRow };
}
