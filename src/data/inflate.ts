/** Compressed pixel data of PNG back to bytes. Source: RFC 1950 (zlib). */
import { Inflate as Stream } from 'pako';
import { DamagedPicture } from './damaged-picture.js';

/**
 * @param length what it must become, in bytes; however much it would become, no more is kept
 * @throws DamagedPicture when it is damaged, or becomes shorter or longer
 */
export type Inflate = (compressed: Uint8Array, length: number) => Uint8Array;

/** By zlib in JavaScript, which runs everywhere. */
export const inflateAnywhere: Inflate = (compressed, length) => {
  const out = new Uint8Array(length);
  let received = 0;
  const stream = new Stream({ windowBits: 15 }); // no other format than zlib's
  stream.onData = (chunk) => {
    if (received + chunk.length > length) throw tooLong(length);
    out.set(chunk, received);
    received += chunk.length;
  };
  stream.onEnd = () => {};
  if (!stream.push(compressed, true)) throw damagedPixels(stream.msg);
  if (received !== length) throw wrongLength(received, length);
  return out;
};

export const tooLong = (length: number): DamagedPicture =>
  new DamagedPicture(`it holds more pixel data than the ${length} bytes that its header asks for`);

export const wrongLength = (received: number, length: number): DamagedPicture =>
  new DamagedPicture(`expected ${length} bytes of pixel data, received ${received}`);

export const damagedPixels = (problem: string): DamagedPicture =>
  new DamagedPicture(`its pixel data is damaged (${problem})`);
