/** Many pictures on one, that says what they are: a title, and groups of pictures with headings and captions, on a light ground. */
import { expectArray, expectObject, expectText, expectWhole, listOf, objectWith, perhaps } from '../../expect.js';
import type { Picture } from '../pictures/picture.js';
import { resize, expectPicture } from '../pictures/resize.js';
import { drawText, LETTER, LINE, shortened, wrapped, type TextStyle } from './text.js';

const MARGIN = 20;
const GAP = 12;
/** Pixels from one group to the next. */
const BETWEEN = 22;
const GROUND = 250;

const title: TextStyle = { scale: 3, colour: [24, 28, 36] };
const heading: TextStyle = { scale: 2, colour: [24, 28, 36] };
const notes: TextStyle = { scale: 2, colour: [98, 104, 116] };
const caption: TextStyle = { scale: 2, colour: [60, 66, 78] };
/** Of frames, which show where black and white pictures end. */
const FRAME = [176, 180, 188] as const;

/** Marks say at a glance what a picture is for, or how the model judged it. */
const marks = {
  training: [31, 102, 178],
  test: [176, 90, 0],
  wrong: [186, 32, 38],
  right: [24, 122, 64],
  plain: [98, 104, 116],
} as const satisfies Record<string, readonly [number, number, number]>;
export type MarkColour = keyof typeof marks;

export interface SheetCell {
  readonly picture: Picture;
  /** Lines below it; what is too long loses its middle. */
  readonly caption?: readonly string[];
  /** A word in white on a colour, at the left upper corner. */
  readonly mark?: { readonly text: string; readonly colour: MarkColour };
}

export interface SheetGroup {
  readonly heading?: string;
  /** Smaller, below the heading. */
  readonly note?: string;
  readonly cells: readonly SheetCell[];
}

export interface Sheet {
  readonly title: string;
  /** Below the title: parameters, say. */
  readonly notes?: readonly string[];
  readonly groups: readonly SheetGroup[];
}

export interface SheetOptions {
  /** Side of a cell in pixels. Default 192. */
  readonly cell?: number;
  /** Most cells beside each other. Default 8. */
  readonly columns?: number;
}

/** A line of text, or a row of cells, from above. */
type Band =
  | { readonly kind: 'text'; readonly text: string; readonly style: TextStyle }
  | { readonly kind: 'cells'; readonly cells: readonly SheetCell[]; readonly height: number }
  | { readonly kind: 'space'; readonly height: number };

const expectSheet = objectWith({
  title: expectText,
  notes: perhaps(listOf(expectText)),
  groups: listOf(
    objectWith({
      heading: perhaps(expectText),
      note: perhaps(expectText),
      cells: listOf(
        objectWith({
          picture: (picture) => expectPicture(picture as Picture, 'contactSheet'),
          caption: perhaps(listOf(expectText)),
          mark: perhaps(objectWith({ text: expectText, colour: expectText })),
        }),
      ),
    }),
  ),
});

/**
 * Puts pictures on one. Each is shown whole in its cell: shrunk if it is larger (averaging), never enlarged beyond a whole
 * factor.
 */
export function contactSheet(sheet: Sheet, options: SheetOptions = {}): Picture {
  expectSheet(sheet, 'contactSheet: sheet');
  expectObject(options, 'contactSheet: options');
  const { cell = 192, columns = 8 } = options;
  expectWhole(cell, 'contactSheet: cell', 8, 4096);
  expectArray(sheet.groups, 'contactSheet: groups');
  expectWhole(columns, 'contactSheet: columns', 1, 256);
  const widest = Math.min(columns, Math.max(4, ...sheet.groups.map(({ cells }) => cells.length)));
  const width = 2 * MARGIN + widest * (cell + GAP) - GAP;
  const fitting = ({ scale }: TextStyle): number => Math.floor((width - 2 * MARGIN) / (LETTER * scale));
  const text = (words: string, style: TextStyle): Band[] =>
    wrapped(words, fitting(style)).map((line) => ({ kind: 'text', text: line, style }));
  const bands: Band[] = [
    ...text(sheet.title, title),
    ...(sheet.notes ?? []).flatMap((line) => text(line, notes)),
    ...sheet.groups.flatMap((group): Band[] => [
      { kind: 'space', height: BETWEEN },
      ...(group.heading === undefined ? [] : text(group.heading, heading)),
      ...(group.note === undefined ? [] : text(group.note, notes)),
      ...Array.from({ length: Math.ceil(group.cells.length / widest) }, (_, row): Band => {
        const cells = group.cells.slice(row * widest, (row + 1) * widest);
        const heights = cells.map(
          (each) => fittingSize(each.picture, cell - 2).height + (each.caption?.length ?? 0) * LINE * caption.scale,
        );
        return { kind: 'cells', cells, height: GAP + Math.max(...heights) + 10 };
      }),
    ]),
  ];
  const heightOf = (band: Band): number => {
    return band.kind === 'text' ? LINE * band.style.scale : band.height;
  };
  const height = 2 * MARGIN + bands.reduce((sum, band) => sum + heightOf(band), 0);
  const data = new Uint8Array(width * height * 3).fill(GROUND);
  let y = MARGIN;
  for (const band of bands) {
    if (band.kind === 'text') drawText(data, width, { x: MARGIN, y }, band.text, band.style);
    if (band.kind === 'cells')
      for (const [column, one] of band.cells.entries())
        drawCell(data, width, { x: MARGIN + column * (cell + GAP), y: y + GAP }, one, cell);
    y += heightOf(band);
  }
  return { width, height, data };
}

function drawCell(
  target: Uint8Array,
  width: number,
  { x, y }: { x: number; y: number },
  { picture, caption: lines = [], mark }: SheetCell,
  cell: number,
): void {
  const shown = fit(picture, cell - 2);
  const size = { width: shown.width + 2, height: shown.height + 2 };
  fill(target, width, { x, y, ...size }, FRAME);
  for (let row = 0; row < shown.height; row++) {
    const from = shown.data.subarray(row * shown.width * 3, (row + 1) * shown.width * 3);
    target.set(from, ((y + 1 + row) * width + x + 1) * 3);
  }
  if (mark) {
    const words = shortened(mark.text, Math.floor((cell - 8) / (LETTER * 2)));
    fill(target, width, { x, y, width: words.length * LETTER * 2 + 6, height: 22 }, marks[mark.colour]);
    drawText(target, width, { x: x + 4, y: y + 4 }, words, { scale: 2, colour: [255, 255, 255] });
  }
  const most = Math.floor(cell / (LETTER * caption.scale));
  for (const [index, line] of lines.entries())
    drawText(
      target,
      width,
      { x, y: y + size.height + 6 + index * LINE * caption.scale },
      shortened(line, most),
      caption,
    );
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function fill(target: Uint8Array, width: number, box: Box, colour: readonly [number, number, number]): void {
  for (let row = box.y; row < box.y + box.height; row++)
    for (let column = box.x; column < box.x + box.width; column++) target.set(colour, (row * width + column) * 3);
}

function fittingSize({ width, height }: Picture, cell: number): { width: number; height: number } {
  const longest = Math.max(width, height);
  const factor = longest > cell ? cell / longest : Math.floor(cell / longest);
  const side = (length: number): number => Math.max(1, Math.round(length * factor));
  return { width: side(width), height: side(height) };
}

function fit(picture: Picture, cell: number): Picture {
  const size = fittingSize(picture, cell);
  return resize(picture, size, size.width < picture.width || size.height < picture.height ? 'box' : 'nearest');
}
