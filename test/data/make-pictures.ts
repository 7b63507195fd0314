/** Writes small picture files for the tests, sound and damaged. Independent of the code under test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import jpegJs from 'jpeg-js';
import { onTestFinished } from 'vitest';

export interface PngOptions {
  readonly width: number;
  readonly height: number;
  readonly depth?: number;
  readonly colorType?: number;
  readonly interlaced?: boolean;
  readonly palette?: readonly number[];
  /** Chunks between palette and pixel data. */
  readonly extra?: readonly Buffer[];
  /** The filtered rows, or the compressed data itself. */
  readonly rows: Uint8Array | { readonly compressed: Uint8Array };
}

export function makePng({ width, height, depth = 8, colorType = 2, interlaced = false, ...parts }: PngOptions): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colorType, 0, 0, interlaced ? 1 : 0], 8);
  const compressed = parts.rows instanceof Uint8Array ? deflateSync(parts.rows) : parts.rows.compressed;
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    pngChunk('IHDR', header),
    ...(parts.palette ? [pngChunk('PLTE', Uint8Array.from(parts.palette))] : []),
    ...(parts.extra ?? []),
    pngChunk('IDAT', compressed),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}

export function pngChunk(type: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/** An RGB PNG of one colour. */
export function plainPng(width: number, height: number, [red, green, blue]: readonly [number, number, number]): Buffer {
  const row = [0, ...Array.from({ length: width }, () => [red, green, blue]).flat()];
  return makePng({ width, height, rows: Uint8Array.from(Array.from({ length: height }, () => row).flat()) });
}

export function plainJpeg(width: number, height: number, gray: number): Buffer {
  const data = Buffer.alloc(width * height * 4, gray);
  return Buffer.from(jpegJs.encode({ width, height, data }, 90).data);
}

/** A folder that goes away after the test, with these files: path → content. */
export function temporaryFolder(files: Record<string, Uint8Array | string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'beltnet-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}
