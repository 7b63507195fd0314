/** Compressed pixel data of PNG back to bytes. Source: RFC 1950 (zlib). */
import { Inflate as Stream } from 'pako';
import { DamagedPicture } from './damaged-picture.js';

export interface InflateRequest {
  /** What the data must become, in bytes; however much it would become, no more is handed over. */
  readonly length: number;
  /** Bytes that may be taken, if that is quicker, besides the data itself. */
  readonly spareMemory: number;
  /** Takes what comes out, piece by piece, and may change it. */
  readonly take: (piece: Uint8Array) => void;
}

/**
 * @param compressed the data, in pieces of any length
 * @throws DamagedPicture when it is damaged, or becomes shorter or longer
 */
export type Inflate = (compressed: readonly Uint8Array[], request: InflateRequest) => void;

/** By zlib in JavaScript, which runs everywhere, in pieces of 64 kB. */
export const inflateAnywhere: Inflate = (compressed, { length, take }) => {
  let received = 0;
  const stream = new Stream({ windowBits: 15 }); // no other format than zlib's
  stream.onData = (piece) => {
    received += piece.length;
    if (received > length) throw tooLong(length);
    take(piece);
  };
  stream.onEnd = () => {};
  for (const [index, piece] of compressed.entries()) stream.push(piece, index === compressed.length - 1);
  if (stream.err !== 0) throw damagedPixels(stream.msg);
  if (received !== length) throw wrongLength(received, length);
};

export const tooLong = (length: number): DamagedPicture =>
  new DamagedPicture(`it holds more pixel data than the ${length} bytes that its header asks for`);

export const wrongLength = (received: number, length: number): DamagedPicture =>
  new DamagedPicture(`expects ${length} bytes of pixel data, got ${received}`);

export const damagedPixels = (problem: string): DamagedPicture =>
  new DamagedPicture(`its pixel data is damaged (${problem})`);
