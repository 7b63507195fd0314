/**
 * From bits to the coefficients of one block. A sequential scan brings whole blocks; a progressive scan brings either the
 * first coefficient (DC) or a band of the others (AC), and of these the upper bits, or, as a refinement, one bit more.
 * Source: ITU-T T.81, F.2.2 (sequential) and annex G (progressive).
 */
import { nextBits, type BitReader } from './bit-reader.js';
import type { CoefficientRows } from './coefficient-rows.js';
import { entryLength, entryNumber, entryRun, entrySize, findLongCode, LOOKUP_SHIFT, signed } from './huffman-table.js';
import type { HuffmanTable } from './huffman-table.js';
import { zigzag } from './zigzag.js';

/** What decoding a block needs to know of its scan. */
export interface ScanState {
  readonly bits: BitReader;
  /** First and last coefficient of the band, in zigzag order. */
  readonly bandStart: number;
  readonly bandEnd: number;
  /** The lowest bit that the scan brings. */
  readonly lowBit: number;
  /** Of how many blocks to come the band is known to be empty. */
  emptyBands: number;
}

/** A component that has a part in the scan. */
export interface ScanComponent {
  readonly target: CoefficientRows;
  /** Columns and rows of blocks in a unit. */
  readonly horizontal: number;
  readonly vertical: number;
  readonly dcTable: HuffmanTable;
  readonly acTable: HuffmanTable;
  /** The first coefficient (DC) of the last block. */
  prediction: number;
}

/** @param block index among those of `component.target`; its coefficients are 0 unless an earlier scan brought them */
export type DecodeBlock = (scan: ScanState, component: ScanComponent, block: number) => void;

export const decodeSequential: DecodeBlock = (scan, component, block) => {
  decodeDcFirst(scan, component, block);
  decodeAcBand(scan, component, block);
};

export const decodeDcFirst: DecodeBlock = ({ bits, lowBit }, component, block) => {
  const entry = bits.takeCode(component.dcTable);
  const size = entrySize(entry);
  component.prediction += size > 0 ? signed(bits.take(size), size) : entryNumber(entry);
  component.target.coefficients[block * 64] = component.prediction << lowBit;
};

export const decodeDcRefinement: DecodeBlock = ({ bits, lowBit }, { target }, block) => {
  if (bits.take(1) === 1) target.coefficients[block * 64] |= 1 << lowBit;
};

export const decodeAcFirst: DecodeBlock = (scan, component, block) => {
  if (scan.emptyBands > 0) {
    scan.emptyBands--;
    return;
  }
  const run = decodeAcBand(scan, component, block);
  if (run > 0) scan.emptyBands = (1 << run) - 1 + scan.bits.take(run);
};

/** @returns 0, or in progressive scans, the number of bits that say how many of the next bands are empty */
function decodeAcBand(
  { bits, bandStart, bandEnd, lowBit }: ScanState,
  { acTable, target }: ScanComponent,
  block: number,
): number {
  const { coefficients, lasts } = target;
  const { view } = bits;
  let { position } = bits; // a copy stays in a register
  let endRun = 0;
  let last = lasts[block];
  for (let index = bandStart; index <= bandEnd; index++) {
    const next = nextBits(view, position);
    const entry = acTable.lookup[next >>> LOOKUP_SHIFT] || findLongCode(acTable, next);
    if (entry === 0) throw bits.unknownCode();
    position += entryLength(entry);
    let number = entryNumber(entry);
    const size = entrySize(entry);
    if (size > 0) {
      number = signed(nextBits(view, position) >>> (32 - size), size);
      position += size;
    }
    const run = entryRun(entry);
    if (number !== 0) {
      index += run;
      if (index > bandEnd) throw bits.behindBlock();
      coefficients[block * 64 + zigzag[index]] = number << lowBit;
      last = index;
    } else if (run === 15) {
      index += 15;
    } else {
      endRun = run;
      break;
    }
  }
  lasts[block] = last;
  bits.position = position;
  return endRun;
}

/**
 * One more bit of all coefficients of the band that are not 0, in their order; among them new ones, each given by the number
 * of zeros before it and its sign.
 */
export const decodeAcRefinement: DecodeBlock = (scan, { acTable, target }, block) => {
  const { bits, bandEnd, lowBit } = scan;
  let index = scan.bandStart;
  for (; scan.emptyBands === 0 && index <= bandEnd; index++) {
    const entry = bits.takeCode(acTable);
    const run = entryRun(entry);
    const size = entrySize(entry);
    const sign = size > 0 ? signed(bits.take(size), size) : entryNumber(entry);
    if (sign < -1 || sign > 1) throw bits.damage('a new coefficient of more than one bit in a refinement');
    if (sign === 0 && run < 15) {
      scan.emptyBands = (1 << run) + (run > 0 ? bits.take(run) : 0); // this block's is the first
      break;
    }
    index = refineBand(scan, target, block, index, run);
    if (sign === 0) continue;
    if (index > bandEnd) throw bits.behindBlock();
    target.coefficients[block * 64 + zigzag[index]] = sign << lowBit;
    if (index > target.lasts[block]) target.lasts[block] = index;
  }
  if (scan.emptyBands === 0) return;
  refineBand(scan, target, block, index, 64);
  scan.emptyBands--;
};

/** Adds a bit to each coefficient that is not 0. @returns the index of the one behind it that is 0, as are `zeros` before */
function refineBand(
  { bits, bandEnd, lowBit }: ScanState,
  { coefficients, lasts }: CoefficientRows,
  block: number,
  index: number,
  zeros: number,
): number {
  const step = 1 << lowBit;
  let { position } = bits;
  for (const end = Math.min(lasts[block], bandEnd); index <= end; index++) {
    const place = block * 64 + zigzag[index];
    const value = coefficients[place];
    if (value === 0) {
      if (zeros === 0) break;
      zeros--;
      continue;
    }
    // a bit that is there already, by a broken scan, stays
    if (nextBits(bits.view, position) < 0 && (value & step) === 0)
      coefficients[place] = value + (value > 0 ? step : -step);
    position++;
  }
  bits.position = position;
  return Math.min(index + zeros, bandEnd + 1); // behind the last there are only zeros
}
