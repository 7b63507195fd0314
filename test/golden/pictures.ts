/**
 * The golden cases of pictures: whole numbers, made by Pillow, which nothing but the very same levels may answer. The set
 * itself allows for other decoders' rounding and upsampling; ours are Pillow's (libjpeg-turbo's), so the tolerance is 0.
 * They need no device.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, type DecodeOptions } from '../../src/data/pictures/decode.js';
import type { Picture } from '../../src/data/pictures/picture.js';
import { type Interpolation, resize } from '../../src/data/pictures/resize.js';
import { difference } from '../data/golden.js';
import type { Case, GoldenTensor } from './checks.js';

/**
 * Largest difference in levels; Infinity where the size is another.
 * @param outputs names of what the case gives
 * @param directory of the set, with its pictures
 */
export type PictureCheck = (golden: Case, outputs: readonly string[], directory: string) => number;

const asPicture = ({ shape, data }: GoldenTensor): Picture => ({
  ...{ width: shape[1], height: shape[0] },
  data: Uint8Array.from(data),
});

function distance(got: Picture, expected: GoldenTensor): number {
  const [height, width] = expected.shape;
  return got.width === width && got.height === height ? difference(got.data, expected.data).max : Infinity;
}

function checkResize(golden: Case): number {
  const { width, height } = golden.attributes as unknown as { width: number; height: number };
  const picture = asPicture(golden.get('x'));
  const interpolations: Interpolation[] = ['nearest', 'bilinear', 'box'];
  return Math.max(
    ...interpolations.map((name) => distance(resize(picture, { width, height }, name), golden.get(name))),
  );
}

const fromSixteenBits = ({ shape, data }: GoldenTensor, toEight: (value: number) => number): GoldenTensor => ({
  shape: [shape[0], shape[1], 3],
  data: Array.from({ length: shape[0] * shape[1] * 3 }, (_, i) =>
    toEight(data[shape.length === 3 ? i : Math.floor(i / 3)]),
  ),
});

const checkDecoding: PictureCheck = (golden, outputs, directory) => {
  const path = golden.attributes['path'] as string;
  const bytes = readFileSync(join(directory, path));
  const see = (options: DecodeOptions): Picture => decode(bytes, path, options);
  // Pillow clips 16-bit gray to white; ours takes the high byte, as of all 16-bit pictures.
  const isClipped = outputs.includes('rgb_high_byte');
  const original = isClipped ? asPicture(golden.get('rgb')) : see({});
  const errorOf = (output: string): number => {
    const expected = golden.get(output);
    const upright = output.endsWith('_exif_transposed');
    const [, size, interpolation] = /^resize(\d+)_([a-z]+)/.exec(output) ?? [];
    if (size) {
      const picture = upright ? see({ exif: true }) : original;
      return distance(resize(picture, { width: +size, height: +size }, interpolation as Interpolation), expected);
    }
    if (output === 'alpha') {
      const { data: rgb } = golden.get('rgb');
      const onBlack = Array.from(rgb, (level, i) => Math.round((level * expected.data[Math.floor(i / 3)]) / 255));
      return distance(see({ background: [0, 0, 0] }), { shape: [...expected.shape.slice(0, 2), 3], data: onBlack });
    }
    if (output === 'gray16' || output === 'rgb16') {
      const high = fromSixteenBits(expected, (value) => value >> 8);
      const nearest = fromSixteenBits(expected, (value) => Math.round(value / 257));
      return Math.max(distance(see({}), high), distance(see({ sixteenBit: 'nearest' }), nearest));
    }
    if (output === 'rgb') return distance(original, expected);
    if (output === 'rgb_high_byte') return distance(see({}), expected);
    if (output === 'rgb_scaled') return distance(see({ sixteenBit: 'nearest' }), expected);
    if (upright) return distance(see({ exif: true }), expected);
    throw new Error(`${path}: nothing is known of the output ${output}`);
  };
  return Math.max(...outputs.map(errorOf));
};

/** By op and path through the decoder. */
export const pictureChecks: Readonly<Record<string, Readonly<Record<string, PictureCheck>>>> = {
  resize: { host: checkResize },
  image_decode_resize: { host: checkDecoding },
};
