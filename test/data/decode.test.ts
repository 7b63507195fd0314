import { describe, expect, test } from 'vitest';
import { decode } from '../../src/data/decode.node.js';
import { DataError } from '../../src/errors.js';
import { difference, goldenCases, goldenFile, goldenPictures } from './golden.js';
import { makePng, plainJpeg, plainPng, pngChunk } from './make-pictures.js';

const pictures = goldenPictures('images.safetensors');

describe('decodes as Pillow does', () => {
  test.each(goldenCases('image_decode_resize'))('$name', ({ name, attributes, tolerance }) => {
    // 16-bit gray: the high byte, as of all 16-bit pictures; Pillow clips it to white there.
    const key = name === 'png_gray16' ? `${name}/rgb_high_byte` : `${name}/rgb`;
    const { width, height, data } = decode(goldenFile(attributes.path), attributes.path);
    expect([height, width, 3]).toEqual(pictures.get(key)?.shape);
    const { max, mean } = difference(data, pictures.get(key)?.data ?? []);
    // PNG is exact. JPEG decoders differ by their inverse transform and chroma upsampling: the set states by how much.
    const allowed = attributes.path.endsWith('.png') ? { max: 0, mean: 0 } : tolerance.rgb;
    expect(max).toBeLessThanOrEqual(allowed.max);
    expect(mean).toBeLessThanOrEqual(allowed.mean);
  });
});

test('a transparent colour keeps its colour', () => {
  const transparent = pngChunk('tRNS', Uint8Array.of(0, 10, 0, 20, 0, 30));
  const rows = Uint8Array.of(0, 10, 20, 30, 40, 50, 60);
  expect(Array.from(decode(makePng({ width: 2, height: 1, extra: [transparent], rows }), 'x').data)).toEqual([
    10, 20, 30, 40, 50, 60,
  ]);
});

test.each([
  [1, [0b10110000], [255, 0, 255, 255]],
  [2, [0b00011011], [0, 85, 170, 255]],
  [4, [0x0f, 0x18], [0, 255, 17, 136]],
  [16, [0, 255, 1, 0, 1, 255, 255, 0], [0, 1, 1, 255]],
])('gray of %i bits is spread over 0…255, of 16 bits the high byte stays', (depth, samples, expected) => {
  const png = makePng({ width: 4, height: 1, depth, colorType: 0, rows: Uint8Array.of(0, ...samples) });
  expect(Array.from(decode(png, 'x').data).filter((_, index) => index % 3 === 1)).toEqual(expected);
});

test('an RGB JPEG is told from YCbCr by JFIF, else by Adobe, else by the names of its components', () => {
  // Pillow 12.3: Image.new('RGB', (8, 8), (200, 50, 10)).save(…, keep_rgb=True, optimize=True); it reads the colour back.
  const jpeg = Buffer.from(
    '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAIBgYHBgUIBwcHCQkICgwUDQwLCwwZEhMPFB0aHx4dGhwcICQuJyAiLCMcHCg3KSwwMTQ0NB8nOT04MjwuMzQy' +
      '/8AAEQgACAAIA1IRAEcRAEIRAP/EABQAAQAAAAAAAAAAAAAAAAAAAAf/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADANSAEcAQgAAPwBIGIJf/9k=',
    'base64',
  );
  const start = jpeg.subarray(0, 2);
  const adobe = jpeg.subarray(2, 18);
  const namedRgb = jpeg.subarray(18);
  const named123 = Buffer.from(namedRgb); // in the frame and the scan, behind 69 bytes of quantisation table
  for (const [index, letter] of ['R', 'G', 'B'].entries()) {
    for (let at = named123.indexOf(letter, 69); at >= 0; at = named123.indexOf(letter, at)) named123[at] = index + 1;
  }
  const jfif = Buffer.from('ffe000104a46494600010100000100010000', 'hex');
  const firstPixel = (...parts: Uint8Array[]) =>
    Array.from(decode(Buffer.concat([start, ...parts]), 'x').data.slice(0, 3));
  const rgb = [200, 50, 10];
  // The same numbers read as Y, Cb, Cr: R = 200 + 1.402 · (10 − 128), G = 200 − 0.344 · (50 − 128) − 0.714 · (10 − 128), …
  const ycc = [35, 255, 62];
  expect(firstPixel(adobe, namedRgb)).toEqual(rgb);
  expect(firstPixel(namedRgb)).toEqual(rgb);
  expect(firstPixel(adobe, named123)).toEqual(rgb);
  // One level: jpeg-js cuts 34.6 to 34.
  expect(difference(firstPixel(named123), ycc).max).toBeLessThanOrEqual(1);
  expect(difference(firstPixel(jfif, namedRgb), ycc).max).toBeLessThanOrEqual(1);
});

test('a gray JPEG may end within a restart interval', () => {
  // Pillow 12.3: four blocks of gray 100, 200, 50, 150, saved with restart_marker_blocks=3, optimize=True.
  const jpeg = Buffer.from(
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4z' +
      'NDL/wAALCAAQABABAREA/8QAFgABAQEAAAAAAAAAAAAAAAAABQcI/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/dAAQAA//aAAgBAQAAPwANZGaX/9BZ/9k=',
    'base64',
  );
  const { width, data } = decode(jpeg, 'x');
  const gray = (column: number, row: number) => data[(row * width + column) * 3];
  expect([gray(0, 0), gray(15, 0), gray(0, 15), gray(15, 15)]).toEqual([100, 200, 50, 150]);
});

/** The message of the DataError that refuses a file; '' if it is decoded. */
function refusal(bytes: Uint8Array): string {
  try {
    decode(bytes, 'folder/picture');
    return '';
  } catch (error) {
    if (!(error instanceof DataError) || !error.message.startsWith('folder/picture: ')) throw error;
    return error.message;
  }
}

describe('refuses with a DataError that names the file', () => {
  const ascii = (text: string) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(32)]);
  const rows = Uint8Array.of(0, 1, 2, 3);

  test.each([
    ['GIF', 'GIF89a'],
    ['WebP', 'RIFF\x10\0\0\0WEBPVP8 '],
    ['BMP', 'BM'],
    ['TIFF', 'II*\0'],
    ['TIFF', 'MM\0*'],
    ['HEIC', '\0\0\0\x18ftypheic'],
    ['AVIF', '\0\0\0\x18ftypavif'],
  ])('%s, with the way out', (format, start) =>
    expect(refusal(ascii(start))).toMatch(new RegExp(`received ${format}; convert it to PNG`)),
  );

  test('an empty file and other things', () => {
    expect(refusal(new Uint8Array(0))).toMatch(/received an empty file/);
    expect(refusal(ascii('<html>'))).toMatch(/bytes 3c68746d6c3e0000/);
  });

  test('sizes that nobody could hold, from the header alone', () => {
    // A few bytes that ask for 8 TB.
    expect(refusal(makePng({ width: 999_999, height: 999_999, depth: 16, colorType: 6, rows }))).toMatch(
      /at most 64 megapixels/,
    );
    expect(refusal(makePng({ width: 0xffffffff, height: 1, rows }))).toMatch(/at most 1000000 pixels/);
    expect(refusal(makePng({ width: 0, height: 1, rows }))).toMatch(/0×1/);
    const jpeg = plainJpeg(8, 8, 50);
    jpeg.fill(0xff, jpeg.indexOf(Buffer.of(0xff, 0xc0)) + 5, jpeg.indexOf(Buffer.of(0xff, 0xc0)) + 9);
    expect(refusal(jpeg)).toMatch(/received 65535×65535/);
  });

  test('a limit of the caller', () => {
    expect(() => decode(plainPng(10, 10, [1, 2, 3]), 'x', { maximumPixels: 99 })).toThrow(DataError);
    expect(decode(plainPng(10, 10, [1, 2, 3]), 'x', { maximumPixels: 100 }).width).toBe(10);
  });

  test('PNG pixel data that is too short or too long, also interlaced', () => {
    expect(refusal(makePng({ width: 1, height: 2, rows }))).toMatch(/expected 8 bytes of pixel data, received 4/);
    expect(refusal(makePng({ width: 1, height: 1, rows: new Uint8Array(5) }))).toMatch(
      /more pixel data than the 4 bytes/,
    );
    expect(refusal(makePng({ width: 1, height: 1, rows: new Uint8Array(50_000_000) }))).toMatch(
      /more pixel data than the 4 bytes/,
    );
    // 2×2 interlaced has passes of 1, 1 and 2 pixels: 4 + 4 + 7 bytes.
    const interlaced = (length: number) =>
      makePng({ width: 2, height: 2, interlaced: true, rows: new Uint8Array(length) });
    expect(refusal(interlaced(14))).toMatch(/expected 15 bytes of pixel data, received 14/);
    expect(refusal(interlaced(16))).toMatch(/more pixel data than the 15 bytes/);
    expect(decode(interlaced(15), 'x').data).toEqual(new Uint8Array(12));
  });

  test('PNG structure', () => {
    const damaged = plainPng(4, 4, [1, 2, 3]);
    damaged[45]++;
    expect(refusal(damaged)).toMatch(/checksum of chunk IDAT at byte 33 is wrong/);
    expect(refusal(makePng({ width: 1, height: 1, depth: 3, rows }))).toMatch(/colour type 2 with 3 bits/);
    expect(refusal(makePng({ width: 1, height: 1, colorType: 3, rows: rows.subarray(0, 2) }))).toMatch(
      /palette is missing/,
    );
    const index3 = { width: 1, height: 1, colorType: 3, palette: [9, 9, 9], rows: Uint8Array.of(0, 3) };
    expect(refusal(makePng(index3))).toMatch(/index 3 not in palette/);
    expect(refusal(makePng({ width: 1, height: 1, rows: Uint8Array.of(7, 1, 2, 3) }))).toMatch(/filter type - 7/);
    expect(refusal(makePng({ width: 1, height: 1, rows: { compressed: rows } }))).toMatch(/pixel data is damaged/);
    expect(refusal(makePng({ width: 1, height: 1, rows, extra: [pngChunk('CgBI', rows)] }))).toMatch(
      /unknown chunk CgBI/,
    );
  });

  test('PNG and JPEG cut off anywhere', () => {
    for (const whole of [plainPng(5, 4, [1, 2, 3]), plainJpeg(16, 16, 77)]) {
      for (let length = 8; length < whole.length; length++)
        expect(refusal(whole.subarray(0, length))).toMatch(/ends too early/);
    }
  });

  test('a JPEG whose pixel data is cut out, though it ends properly', () => {
    const jpeg = goldenFile('images/jpeg_big_420.jpg');
    expect(refusal(Buffer.concat([jpeg.subarray(0, -400), Buffer.of(0xff, 0xd9)]))).toMatch(/unexpected marker: ffd9/);
    const beforeScan = Buffer.from(jpeg).indexOf(Buffer.of(0xff, 0xda));
    expect(refusal(Buffer.concat([jpeg.subarray(0, beforeScan), Buffer.of(0xff, 0xd9)]))).toMatch(
      /colour channel is missing/,
    );
  });

  test('kinds of JPEG that are not decoded', () => {
    const jpeg = plainJpeg(8, 8, 50);
    const frame = jpeg.indexOf(Buffer.of(0xff, 0xc0));
    const changed = (offset: number, value: number) =>
      Buffer.from(jpeg).fill(value, frame + offset, frame + offset + 1);
    expect(refusal(changed(1, 0xc9))).toMatch(/arithmetic-coded/);
    expect(refusal(changed(1, 0xc3))).toMatch(/lossless/);
    expect(refusal(changed(4, 12))).toMatch(/expected 8 bits a sample, received 12/);
    expect(refusal(changed(11, 0x51))).toMatch(/impossible sampling 5×1/);
  });

  test('a JPEG that would keep us busy with scans', () => {
    const jpeg = plainJpeg(8, 8, 50);
    const scan = jpeg.subarray(jpeg.indexOf(Buffer.of(0xff, 0xda)), -2);
    const many = Buffer.concat([jpeg.subarray(0, -2), ...Array.from({ length: 100 }, () => scan), jpeg.subarray(-2)]);
    expect(refusal(many)).toMatch(/more than 100 scans/);
  });
});

test('what follows the picture in its file is ignored', () => {
  for (const whole of [plainPng(5, 4, [1, 2, 3]), plainJpeg(16, 16, 77)]) {
    const longer = Buffer.concat([whole, Buffer.from('more')]);
    expect(decode(longer, 'x')).toEqual(decode(whole, 'x'));
  }
});

test('the bytes given are not changed', () => {
  for (const bytes of [goldenFile('images/png_interlaced_rgb.png'), goldenFile('images/jpeg_420.jpg')]) {
    const before = bytes.slice();
    decode(bytes, 'x');
    expect(bytes).toEqual(before);
  }
});
