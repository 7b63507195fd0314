/** Rows of components to rows of RGB, bit for bit as libjpeg (jdcolor.c) and Pillow (cmyk2rgb in Convert.c) do it. */

/** Of JFIF's conversion from YCbCr: 1.402, −0.34414, −0.71414 and 1.772, times 2^16. */
const RED_FROM_CR = 91881;
const GREEN_FROM_CB = -22554;
const GREEN_FROM_CR = -46802;
const BLUE_FROM_CB = 116130;
const HALF = 1 << 15;

/** [width], [width], [width] → [width, 3] */
export function rgbFromYcc(
  memory: Uint8ClampedArray,
  y: number,
  cb: number,
  cr: number,
  width: number,
  to: number,
): void {
  for (let column = 0; column < width; column++, to += 3) {
    const luminance = memory[y + column];
    const blueness = memory[cb + column] - 128;
    const redness = memory[cr + column] - 128;
    memory[to] = luminance + ((RED_FROM_CR * redness + HALF) >> 16);
    memory[to + 1] = luminance + ((GREEN_FROM_CB * blueness + GREEN_FROM_CR * redness + HALF) >> 16);
    memory[to + 2] = luminance + ((BLUE_FROM_CB * blueness + HALF) >> 16);
  }
}

/** [width], [width], [width] → [width, 3] */
export function rgbFromPlanes(
  memory: Uint8ClampedArray,
  red: number,
  green: number,
  blue: number,
  width: number,
  to: number,
): void {
  for (let column = 0; column < width; column++, to += 3) {
    memory[to] = memory[red + column];
    memory[to + 1] = memory[green + column];
    memory[to + 2] = memory[blue + column];
  }
}

/**
 * Takes inks away from white. Cyan, magenta and yellow, [width, 3] at `rgb`, become red, green and blue. Black is [width] at
 * `black`. All are stored as Adobe's programs do: 255 is no ink.
 */
export function rgbFromInks(memory: Uint8ClampedArray, black: number, width: number, rgb: number): void {
  for (let column = 0; column < width; column++) {
    const light = memory[black + column];
    for (const end = rgb + 3; rgb < end; rgb++) memory[rgb] = light - divideBy255((255 - memory[rgb]) * light);
  }
}

export function invert(memory: Uint8Array, length: number, at: number): void {
  for (const end = at + length; at < end; at++) memory[at] = 255 - memory[at];
}

/** Rounded, for numbers up to 255². */
function divideBy255(number: number): number {
  const rounded = number + 128;
  return (rounded + (rounded >> 8)) >> 8;
}
