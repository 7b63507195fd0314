/** A pass over compressed data: which block comes next, and where its coefficients go. Source: ITU-T T.81, A.2 and E.2.4. */
import { BitReader } from './bit-reader.js';
import {
  decodeAcFirst,
  decodeAcRefinement,
  type DecodeBlock,
  decodeDcFirst,
  decodeDcRefinement,
  decodeSequential,
  type ScanComponent,
  type ScanState,
} from './blocks.js';
import type { CoefficientRows } from './coefficient-rows.js';
import type { Frame, ScanHeader } from './structure.js';

export class Scan implements ScanState {
  readonly bits: BitReader;
  readonly bandStart: number;
  readonly bandEnd: number;
  readonly lowBit: number;
  emptyBands = 0;
  /** Of units of this scan. */
  readonly #columns: number;
  readonly #rows: number;
  /** Rows of them in a row of the frame's units. */
  readonly #rowsPerUnit: number;
  #row = 0;
  readonly #components: readonly ScanComponent[];
  readonly #decodeBlock: DecodeBlock;
  readonly #restartInterval: number;
  #unitsToRestart: number;

  /** @param targets where the coefficients go, by component */
  constructor(file: Uint8Array, frame: Frame, header: ScanHeader, targets: readonly CoefficientRows[]) {
    this.bits = new BitReader(file, header.start, header.end);
    this.bandStart = header.bandStart;
    this.bandEnd = header.bandEnd;
    this.lowBit = header.lowBit;
    this.#restartInterval = this.#unitsToRestart = header.restartInterval || Infinity;
    this.#decodeBlock = blockDecoder(frame, header);
    // A unit of a scan with one component is one block, and there are only as many as the picture needs.
    const isInterleaved = header.parts.length > 1;
    const first = frame.components[header.parts[0].component];
    this.#columns = isInterleaved ? frame.unitsWide : first.blocksWide;
    this.#rows = isInterleaved ? frame.unitsHigh : first.blocksHigh;
    this.#rowsPerUnit = isInterleaved ? 1 : first.vertical;
    this.#components = header.parts.map(({ component, dcTable, acTable }) => {
      const { horizontal, vertical } = isInterleaved ? frame.components[component] : { horizontal: 1, vertical: 1 };
      return { target: targets[component], horizontal, vertical, dcTable, acTable, prediction: 0 };
    });
  }

  /** Decodes the next row of the frame's units. @param place in the targets */
  decodeUnits(place: number): void {
    const end = Math.min(this.#row + this.#rowsPerUnit, this.#rows);
    for (let row = place * this.#rowsPerUnit; this.#row < end; this.#row++, row++) this.#decodeRow(row);
  }

  #decodeRow(row: number): void {
    for (let unit = 0; unit < this.#columns; unit++) {
      if (this.#unitsToRestart === 0) this.#restart();
      this.#unitsToRestart--;
      for (const component of this.#components) {
        const { target, horizontal, vertical } = component;
        for (let y = 0; y < vertical; y++) {
          let block = (row * vertical + y) * target.blocksPerRow + unit * horizontal;
          for (const end = block + horizontal; block < end; block++) {
            this.#decodeBlock(this, component, block);
          }
        }
      }
      this.bits.checkEnd();
    }
  }

  #restart(): void {
    this.bits.restart();
    for (const component of this.#components) component.prediction = 0;
    this.emptyBands = 0;
    this.#unitsToRestart = this.#restartInterval;
  }
}

function blockDecoder({ isProgressive }: Frame, { bandStart, isRefinement }: ScanHeader): DecodeBlock {
  if (!isProgressive) return decodeSequential;
  if (bandStart === 0) return isRefinement ? decodeDcRefinement : decodeDcFirst;
  return isRefinement ? decodeAcRefinement : decodeAcFirst;
}
