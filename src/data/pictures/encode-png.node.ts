/** Writes PNG: 8-bit RGB, each row filtered by the one above. Source: Portable Network Graphics (PNG) Specification, W3C. */
import { crc32, deflateSync } from 'node:zlib';
import type { Picture } from './picture.js';
import { expectPicture } from './resize.js';

/** @throws UsageError for what is no picture */
export function encodePng(picture: Picture): Uint8Array {
  expectPicture(picture, 'encodePng');
  const { width, height, data } = picture;
  const length = width * 3;
  const rows = Buffer.alloc(height * (1 + length));
  for (let row = 0; row < height; row++) {
    const at = row * (1 + length);
    rows[at] = 2; // "up"
    for (let i = 0; i < length; i++) {
      const above = row === 0 ? 0 : data[(row - 1) * length + i];
      rows[at + 1 + i] = data[row * length + i] - above;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // bits, RGB
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}
