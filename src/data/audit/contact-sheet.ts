/** Many pictures on one: rows of cells, each row with its number, on a dark ground. */
import type { Picture } from '../pictures/picture.js';
import { resize } from '../pictures/resize.js';

const GAP = 4;
const GROUND = 32;
const DIGIT_SCALE = 2;
/** Room for the number of a row. */
const MARGIN = 44;

/** Digits in 3×5 dots, row by row from the top, three bits each. */
const dots: readonly (readonly number[])[] = [
  [7, 5, 5, 5, 7],
  [2, 6, 2, 2, 7],
  [7, 1, 7, 4, 7],
  [7, 1, 7, 1, 7],
  [5, 5, 7, 1, 1],
  [7, 4, 7, 1, 7],
  [7, 4, 7, 5, 7],
  [7, 1, 1, 1, 1],
  [7, 5, 7, 5, 7],
  [7, 5, 7, 1, 7],
];

/** A row of pictures; `number` stands before it. */
export interface SheetRow {
  readonly number: number;
  readonly pictures: readonly Picture[];
}

/**
 * Puts pictures on one. Each is shown whole in its cell: shrunk if it is larger (averaging), never enlarged beyond a whole
 * factor.
 *
 * @param cell side of a cell in pixels
 */
export function contactSheet(rows: readonly SheetRow[], cell: number): Picture {
  const columns = rows.reduce((most, { pictures }) => Math.max(most, pictures.length), 1);
  const width = MARGIN + columns * (cell + GAP) + GAP;
  const height = Math.max(1, rows.length) * (cell + GAP) + GAP;
  const data = new Uint8Array(width * height * 3).fill(GROUND);
  for (const [row, { number, pictures }] of rows.entries()) {
    const top = GAP + row * (cell + GAP);
    drawNumber(data, width, GAP, top, number);
    for (const [column, picture] of pictures.entries()) {
      paste(data, width, MARGIN + column * (cell + GAP) + GAP, top, fit(picture, cell));
    }
  }
  return { width, height, data };
}

function fit(picture: Picture, cell: number): Picture {
  const longest = Math.max(picture.width, picture.height);
  const factor = longest > cell ? cell / longest : Math.floor(cell / longest);
  const side = (length: number): number => Math.max(1, Math.round(length * factor));
  const size = { width: side(picture.width), height: side(picture.height) };
  return resize(picture, size, factor < 1 ? 'box' : 'nearest');
}

function paste(target: Uint8Array, width: number, x: number, y: number, picture: Picture): void {
  for (let row = 0; row < picture.height; row++) {
    const from = picture.data.subarray(row * picture.width * 3, (row + 1) * picture.width * 3);
    target.set(from, ((y + row) * width + x) * 3);
  }
}

function drawNumber(target: Uint8Array, width: number, x: number, y: number, number: number): void {
  for (const [place, digit] of Array.from(String(number), Number).entries()) {
    for (let row = 0; row < 5 * DIGIT_SCALE; row++) {
      for (let column = 0; column < 3 * DIGIT_SCALE; column++) {
        const bits = dots[digit][Math.floor(row / DIGIT_SCALE)];
        if (((bits >> (2 - Math.floor(column / DIGIT_SCALE))) & 1) === 0) continue;
        const at = ((y + row) * width + x + place * 4 * DIGIT_SCALE + column) * 3;
        target.fill(255, at, at + 3);
      }
    }
  }
}
