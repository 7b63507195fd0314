/**
 * Writing protocol buffers: each function gives one field of a message as its key (number and wire type) and value.
 * Source: protobuf.dev/programming-guides/encoding.
 */

/** Bytes of a message in pieces, which are joined once, at the end: weights are not copied at every level. */
export type Fields = readonly Uint8Array[];

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/** Seven bits a byte, the lowest first; all but the last have the high bit set. */
function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value)); // negative integers take all 64 bits
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.of(...bytes, Number(rest));
}

const key = (field: number, wireType: number): Uint8Array => varint((field << 3) | wireType);

export const integer = (field: number, value: number | bigint): Fields => [key(field, VARINT), varint(value)];

export function float(field: number, value: number): Fields {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [key(field, FIXED_32), bytes];
}

export function double(field: number, value: number): Fields {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return [key(field, FIXED_64), bytes];
}

/** A message within a message, or bytes as they are. */
export function message(field: number, fields: Fields): Fields {
  const length = fields.reduce((sum, piece) => sum + piece.length, 0);
  return [key(field, LENGTH_DELIMITED), varint(length), ...fields];
}

export const text = (field: number, value: string): Fields => message(field, [new TextEncoder().encode(value)]);

/** A whole message as bytes. */
export function join(fields: Fields): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of fields) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
