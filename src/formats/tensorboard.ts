/**
 * Event files of TensorBoard: scalars by step. A file is records, each a length, its checksum, an `Event` message and its checksum.
 * Source: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto.
 */
import { double, float, integer, join, message, text, type Fields } from './onnx/protobuf.js';

/** What a file begins with. @param wallTime in seconds since 1970 */
export const eventFileStart = (wallTime: number): Uint8Array =>
  recordOf([...double(1, wallTime), ...text(3, 'brain.Event:2')]);

/** Scalars of a step, by tags such as `loss/training`. @param wallTime in seconds since 1970 */
export function scalarEvent(wallTime: number, step: number, scalars: Readonly<Record<string, number>>): Uint8Array {
  const values = Object.entries(scalars).flatMap(([tag, value]) => message(1, [...text(1, tag), ...float(2, value)]));
  return recordOf([...double(1, wallTime), ...integer(2, step), ...message(5, values)]);
}

function recordOf(event: Fields): Uint8Array {
  const data = join(event);
  const record = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedChecksum(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedChecksum(data), true);
  return record;
}

/** CRC-32C, turned and shifted, so that a checksum of data that holds checksums is no problem. */
function maskedChecksum(bytes: Uint8Array): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}

/** Castagnoli's polynomial, reflected; the CRC-32 of zip and PNG is another. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  return rest;
});

function crc32c(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) rest = table[(rest ^ byte) & 0xff] ^ (rest >>> 8);
  return ~rest >>> 0;
}
