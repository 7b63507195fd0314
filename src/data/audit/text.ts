/** Text as dots on a picture, for sheets: letters of 5×7 dots, as on the displays of machines. No font is needed anywhere. */

/** The characters from the space to ~, five columns each, the lowest bit on top; the eighth dot is for tails. */
const columns =
  '0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0005030000 001c224100 0041221c00 ' +
  '14083e0814 08083e0808 0050300000 0808080808 0060600000 2010080402 3e5149453e 00427f4000 4261514946 2141454b31 ' +
  '1814127f10 2745454539 3c4a494930 0171090503 3649494936 064949291e 0036360000 0056360000 0814224100 1414141414 ' +
  '0041221408 0201510906 324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a ' +
  '7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e 7f09090906 3e4151215e ' +
  '7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 3f4038403f 6314081463 0708700807 6151494543 007f414100 ' +
  '0204081020 0041417f00 0402010204 4040404040 0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418 ' +
  '087e090102 18a4a4a47c 7f08040478 00447d4000 4080847d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438 ' +
  'fc24242418 18242424fc 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c 4428102844 1ca0a0a07c ' +
  '4464544c44 0008364100 00007f0000 0041360800 0804081008';

const glyphs = columns.split(' ').map((one) => [0, 2, 4, 6, 8].map((at) => Number.parseInt(one.slice(at, at + 2), 16)));
/** For characters that are not there. */
const UNKNOWN = [0x7f, 0x41, 0x41, 0x41, 0x7f];

/** Dots from one letter, and one line, to the next. */
export const LETTER = 6;
export const LINE = 11;

/** Letters without their accents, and what else has a likeness. */
const likeness: Readonly<Record<string, string>> = { '×': 'x', '→': '>', '–': '-', '—': '-', '…': '...', ß: 'ss' };
const plain = (text: string): string =>
  text
    .replace(/[×→–—…ß]/g, (one) => likeness[one])
    .normalize('NFKD')
    .replace(/\p{M}/gu, '');

/** The text in `most` letters: what is too much is left out of its middle, so that the ends of file names stay. */
export function shortened(text: string, most: number): string {
  const letters = Array.from(plain(text));
  if (letters.length <= most) return letters.join('');
  const tail = Math.ceil((most - 2) / 2);
  return `${letters.slice(0, Math.max(0, most - 2 - tail)).join('')}..${letters.slice(letters.length - tail).join('')}`;
}

/** The text in lines of `most` letters, broken between words. */
export function wrapped(text: string, most: number): string[] {
  const lines: string[] = [];
  for (const word of plain(text).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(shortened(word, most));
  }
  return lines;
}

export interface TextStyle {
  /** Pixels a dot. */
  readonly scale: number;
  readonly colour: readonly [number, number, number];
}

/**
 * Draws one line; what lies outside of the picture is left out.
 *
 * @param target pixels [height, width, 3]
 * @param x left, and `y` top of the first letter, in pixels
 */
export function drawText(
  target: Uint8Array,
  width: number,
  { x, y }: { x: number; y: number },
  text: string,
  { scale, colour }: TextStyle,
): void {
  const height = target.length / width / 3;
  for (const [place, letter] of Array.from(plain(text)).entries()) {
    const dots = glyphs[(letter.codePointAt(0) ?? 0) - 32] ?? UNKNOWN;
    for (let column = 0; column < 5 * scale; column++) {
      const left = x + place * LETTER * scale + column;
      if (left < 0 || left >= width) continue;
      for (let row = 0; row < 8 * scale && y + row < height; row++)
        if ((dots[Math.floor(column / scale)] >> Math.floor(row / scale)) & 1)
          target.set(colour, ((y + row) * width + left) * 3);
    }
  }
}
