import { describe, expect, test } from 'vitest';
import { decode } from '../../src/data/pictures/decode.js';
import { DataError } from '../../src/errors.js';
import { difference, goldenCases, goldenFile, goldenPictures } from './golden.js';
import { makePng, plainJpeg, plainPng, pngChunk } from './make-pictures.js';

const pictures = goldenPictures('images.safetensors');

describe('decodes as Pillow does', () => {
  test.each(goldenCases('image_decode_resize'))('$name', ({ name, attributes }) => {
    // 16-bit gray: the high byte, as of all 16-bit pictures; Pillow clips it to white there.
    const key = name === 'png_gray16' ? `${name}/rgb_high_byte` : `${name}/rgb`;
    const { width, height, data } = decode(goldenFile(attributes.path), attributes.path);
    expect([height, width, 3]).toEqual(pictures.get(key)?.shape);
    expect(difference(data, pictures.get(key)?.data ?? []).max).toBe(0);
  });
});

test.each(goldenCases('image_decode_resize').filter(({ attributes }) => attributes['orientation']))(
  '$name upright',
  ({ name, attributes }) => {
    const expected = pictures.get(`${name}/rgb_exif_transposed`);
    const { width, height, data } = decode(goldenFile(attributes['path']), name, { exif: true });
    expect([height, width, 3]).toEqual(expected?.shape);
    expect(difference(data, expected?.data ?? []).max).toBe(0);
  },
);

test('16 bits to the nearest of 8', () => {
  const expected = pictures.get('png_gray16/rgb_scaled');
  const { data } = decode(goldenFile('images/png_gray16.png'), 'x', { sixteenBit: 'nearest' });
  expect(difference(data, expected?.data ?? []).max).toBe(0);
});

describe('a background shows through', () => {
  const background = [10, 200, 255] as const;
  // share of the colour, of 255, and what 100 becomes before the background: (100 · share + background · (255 − share)) / 255
  const mixed = (share: number) => background.map((level) => Math.round((100 * share + level * (255 - share)) / 255));

  test('RGB and gray with alpha', () => {
    const shares = [0, 1, 127, 254, 255];
    const rgba = Uint8Array.of(0, ...shares.flatMap((share) => [100, 100, 100, share]));
    const gray = Uint8Array.of(0, ...shares.flatMap((share) => [100, share]));
    for (const [colorType, rows] of [
      [6, rgba],
      [4, gray],
    ] as const) {
      const { data } = decode(makePng({ width: 5, height: 1, colorType, rows }), 'x', { background });
      expect(Array.from(data)).toEqual(shares.flatMap(mixed));
    }
  });

  test('a palette with alphas, and transparent colours', () => {
    const palette = [100, 100, 100, 100, 100, 100, 100, 100, 100];
    const alphas = pngChunk('tRNS', Uint8Array.of(0, 64)); // fewer than colours: the others are opaque
    const indexed = makePng({
      width: 3,
      height: 1,
      colorType: 3,
      palette,
      extra: [alphas],
      rows: Uint8Array.of(0, 0, 1, 2),
    });
    expect(Array.from(decode(indexed, 'x', { background }).data)).toEqual([0, 64, 255].flatMap(mixed));

    const gray = makePng({
      ...{ width: 2, height: 1, depth: 4, colorType: 0, rows: Uint8Array.of(0, 0x39) },
      extra: [pngChunk('tRNS', Uint8Array.of(0, 3))],
    });
    expect(Array.from(decode(gray, 'x', { background }).data)).toEqual([...background, 153, 153, 153]);

    const deep = Uint8Array.of(0, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 3);
    const rgb16 = makePng({
      ...{ width: 2, height: 1, depth: 16, rows: deep },
      extra: [pngChunk('tRNS', deep.subarray(1, 7))],
    });
    expect(Array.from(decode(rgb16, 'x', { background }).data)).toEqual([...background, 1, 1, 1]);
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
  expect(firstPixel(named123)).toEqual(ycc);
  expect(firstPixel(jfif, namedRgb)).toEqual(ycc);
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
    ['TIFF', 'II*\0'],
    ['TIFF', 'MM\0*'],
    ['HEIC', '\0\0\0\x18ftypheic'],
    ['AVIF', '\0\0\0\x18ftypavif'],
  ])('%s, with the way out', (format, start) =>
    expect(refusal(ascii(start))).toMatch(new RegExp(`got ${format}; convert it to PNG`)),
  );

  test('an empty file and other things', () => {
    expect(refusal(new Uint8Array(0))).toMatch(/got an empty file/);
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
    expect(refusal(jpeg)).toMatch(/got 65535×65535/);
  });

  test('a limit of the caller', () => {
    expect(() => decode(plainPng(10, 10, [1, 2, 3]), 'x', { maximumPixels: 99 })).toThrow(DataError);
    expect(decode(plainPng(10, 10, [1, 2, 3]), 'x', { maximumPixels: 100 }).width).toBe(10);
  });

  test('PNG pixel data that is too short or too long, also interlaced', () => {
    expect(refusal(makePng({ width: 1, height: 2, rows }))).toMatch(/expects 8 bytes of pixel data, got 4/);
    expect(refusal(makePng({ width: 1, height: 1, rows: new Uint8Array(5) }))).toMatch(
      /more pixel data than the 4 bytes/,
    );
    expect(refusal(makePng({ width: 1, height: 1, rows: new Uint8Array(50_000_000) }))).toMatch(
      /more pixel data than the 4 bytes/,
    );
    // 2×2 interlaced has passes of 1, 1 and 2 pixels: 4 + 4 + 7 bytes.
    const interlaced = (length: number) =>
      makePng({ width: 2, height: 2, interlaced: true, rows: new Uint8Array(length) });
    expect(refusal(interlaced(14))).toMatch(/expects 15 bytes of pixel data, got 14/);
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
    expect(refusal(makePng(index3))).toMatch(/colour 3 of a palette of 1/);
    const [noColours, fourBytes] = [[], [1, 2, 3, 4]];
    for (const palette of [noColours, fourBytes]) {
      expect(refusal(makePng({ ...index3, palette }))).toMatch(/expects a palette of 3 bytes .*, got [04];/);
      // In a truecolour picture it is a proposal for displays of few colours.
      expect([...decode(makePng({ width: 1, height: 1, palette, rows }), 'a.png').data]).toEqual([...rows.subarray(1)]);
    }
    expect(refusal(makePng({ width: 1, height: 1, rows: Uint8Array.of(7, 1, 2, 3) }))).toMatch(/filter 7/);
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
    expect(refusal(Buffer.concat([jpeg.subarray(0, -400), Buffer.of(0xff, 0xd9)]))).toMatch(
      new RegExp(`ends too early, at byte ${jpeg.length - 400}`),
    );
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
    expect(refusal(changed(4, 12))).toMatch(/expects 8 bits a sample, got 12/);
    expect(refusal(changed(11, 0x51))).toMatch(/sampling factors from 1 to 4 .* got 5/);
  });

  test('a JPEG that would keep us busy with scans', () => {
    const jpeg = plainJpeg(8, 8, 50);
    const scan = jpeg.subarray(jpeg.indexOf(Buffer.of(0xff, 0xda)), -2);
    expect(refusal(Buffer.concat([jpeg.subarray(0, -2), scan, jpeg.subarray(-2)]))).toMatch(/more pixel data follows/);
    const progressive = Buffer.from(goldenFile('images/jpeg_progressive.jpg'));
    const last = progressive.subarray(progressive.lastIndexOf(Buffer.of(0xff, 0xda)), -2);
    const scans = Array.from({ length: 100 }, () => last);
    const many = Buffer.concat([progressive.subarray(0, -2), ...scans, progressive.subarray(-2)]);
    expect(refusal(many)).toMatch(/more than 100 scans/);
  });

  test('a few bytes that ask for much memory', () => {
    const limits = { maximumPixels: 1e9, maximumMemory: 1e12 };
    const png = makePng({ width: 30_000, height: 30_000, rows: new Uint8Array(9) });
    expect(() => decode(png, 'x', limits)).toThrow(/\d+ bytes of compressed pixel data cannot be 30000×30000 pixels/);
    const jpeg = plainJpeg(8, 8, 50);
    jpeg.writeUInt32BE(0x7530_7530, jpeg.indexOf(Buffer.of(0xff, 0xc0)) + 5); // 30000 twice
    expect(() => decode(jpeg, 'x', limits)).toThrow(/pixel data ends too early, at byte/);
    expect(() => decode(plainPng(200, 200, [1, 2, 3]), 'x', { maximumMemory: 100_000 })).toThrow(
      /at most 0.1 MB of memory, it takes 0.1 MB/,
    );
    const progressive = goldenFile('images/jpeg_progressive.jpg');
    const needed = 37 * 53 * 3 + progressive.length; // the pixels, and the scans' data once more: no picture of coefficients
    expect(() => decode(progressive, 'x', { maximumMemory: needed - 1 })).toThrow(/MB of memory/);
    expect(decode(progressive, 'x', { maximumMemory: needed }).width).toBe(37);
  });
});

describe('BMP', () => {
  /** Headers of 14 and 40 bytes, a palette of black, red, green and blue, and what follows. */
  function makeBmp(width: number, height: number, depth: number, compression: number, data: readonly number[]): Buffer {
    const header = Buffer.alloc(70);
    header.write('BM');
    header.writeUInt32LE(70, 10);
    header.writeUInt32LE(40, 14);
    header.writeInt32LE(width, 18);
    header.writeInt32LE(height, 22);
    header.writeUInt16LE(depth, 28);
    header.writeUInt32LE(compression, 30);
    header.writeUInt32LE(4, 46);
    header.set([0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0], 58);
    return Buffer.concat([header, Buffer.from(data)]);
  }
  const colours = (bytes: Uint8Array) =>
    Array.from(
      { length: bytes.length / 3 },
      (_, pixel) => '.rgb'[bytes.subarray(3 * pixel, 3 * pixel + 3).indexOf(255) + 1],
    ).join('');
  const seen = (...parts: Parameters<typeof makeBmp>) => colours(decode(makeBmp(...parts), 'x').data);

  test('rows from the bottom up, or from the top down', () => {
    expect(seen(3, 2, 8, 0, [1, 2, 3, 0, 0, 1, 2, 0])).toBe('.rgrgb');
    expect(seen(3, -2, 8, 0, [1, 2, 3, 0, 0, 1, 2, 0])).toBe('rgb.rg');
  });

  test('runs of 8 and of 4 bits: repeated, side by side, skipped', () => {
    expect(seen(5, 1, 8, 1, [2, 1, 0, 3, 2, 3, 1, 0, 0, 1])).toBe('rrgbr');
    expect(seen(5, 1, 4, 2, [3, 0x12, 1, 0x30, 1, 0x10, 0, 1])).toBe('rgrbr');
    expect(seen(5, 1, 4, 2, [0, 5, 0x12, 0x31, 0x20, 0, 0, 1])).toBe('rgbrg');
    // a row that ends early, then one pixel and one row left out
    expect(seen(3, 3, 8, 1, [1, 1, 0, 0, 0, 2, 1, 1, 2, 3, 0, 1])).toBe('.bb...r..');
  });

  test('the smallest file: one pixel of 24 bits', () => {
    // Pillow 12.3: Image.new('RGB', (1, 1), (200, 50, 10)).save(…)
    const bmp = Buffer.from('424d3a000000000000003600000028000000010000000100000001001800000000000400000000', 'hex');
    const file = Buffer.concat([bmp, Buffer.alloc(54 - bmp.length), Buffer.of(10, 50, 200, 0)]);
    expect(Array.from(decode(file, 'x').data)).toEqual([200, 50, 10]);
  });

  test('what is damaged', () => {
    expect(refusal(makeBmp(3, 2, 8, 0, [1, 2, 3, 0, 0, 1]))).toMatch(/too early, after 76 bytes/);
    expect(refusal(makeBmp(3, 1, 8, 0, [1, 2, 4]))).toMatch(/colour 4 of a palette of 4/);
    expect(refusal(makeBmp(3, 1, 8, 1, [2, 1, 0, 1]))).toMatch(/runs end after 2 of 3 pixels/);
    expect(refusal(makeBmp(3, 1, 8, 1, [2, 1]))).toMatch(/too early, after 72 bytes/);
    expect(refusal(makeBmp(3, 1, 2, 0, [0, 0, 0, 0]))).toMatch(/got 2 with compression 0/);
    expect(refusal(makeBmp(3, 1, 24, 4, [0, 0, 0, 0]))).toMatch(/got 24 with compression 4/);
    expect(refusal(makeBmp(0, 1, 8, 0, []))).toMatch(/0×1/);
    expect(refusal(makeBmp(-3, 1, 8, 0, []))).toMatch(/-3 columns/);
    expect(refusal(makeBmp(60_000, 60_000, 8, 1, []))).toMatch(/at most 64 megapixels/);
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
