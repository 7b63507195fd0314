// DEFLATE back to bytes: Huffman codes by tables, up to three literals for one look at the input, copies of 16 bytes at a time.
// AssemblyScript. What is done and why, says the twin, src/data/inflate/plain-inflater.ts. Addresses are bytes. Behind its end the
// input may be read, and the output written, for the twin's SLACK; below 16 kB lie the tables.
// Source: RFC 1951. The layout of the tables' entries is much as in Eric Biggers' libdeflate.

const WANTS_INPUT: i32 = 0,
  WANTS_ROOM: i32 = 1,
  DONE: i32 = 2;
const ENDS_TOO_EARLY: i32 = 3,
  BAD_BLOCK: i32 = 4,
  BAD_STORED: i32 = 5,
  BAD_CODE_LENGTHS: i32 = 6,
  BAD_CODE: i32 = 7,
  TOO_FAR_BACK: i32 = 8;
/** Between two parts of a block. */
const GO_ON: i32 = -1;

const NO_BLOCK: i32 = -1,
  STORED: i32 = 0,
  FIXED: i32 = 1,
  DYNAMIC: i32 = 2;
/** Bytes that hold any block's header: 14 bits, 19 lengths of 3 bits, 316 lengths of at most 14 bits. */
const LONGEST_HEADER: usize = 600;

/** Bits that are looked up at once; longer codes have a second table. */
const LITERAL_BITS: i32 = 11,
  DISTANCE_BITS: i32 = 8,
  LENGTH_BITS: i32 = 7;
/** Tables of u32, as large as 286 (30, 19) codes can make them (zlib's examples/enough.c). */
const LITERALS: usize = 0,
  DISTANCES: usize = 2342 * 4,
  CODE_LENGTHS: usize = DISTANCES + 402 * 4;
/** Lengths of codes by symbol (u8); how many have each length, where those begin (u16 [16] each), symbols by length (u16). */
const LENGTHS: usize = CODE_LENGTHS + 128 * 4,
  COUNTS: usize = LENGTHS + 320,
  OFFSETS: usize = COUNTS + 32,
  SORTED: usize = OFFSETS + 32;
/** For distances below 16: which bytes repeat the last ones (u8 [16, 16]), and how many of 16 are whole repetitions (u8 [16]). */
const PATTERNS: usize = SORTED + 288 * 2,
  STRIDES: usize = PATTERNS + 256;

// An entry: in bits 0…5 the bits to drop, extra ones included; in 8…11 those of the code alone; from 16 on the literal, the smallest
// length or distance, or the place of a second table, with its index bits in 8…11.
const LITERAL: u32 = 1 << 31,
  NO_LENGTH: u32 = 1 << 15,
  SECOND_TABLE: u32 = 1 << 14,
  END_OF_BLOCK: u32 = 1 << 13;

// Where a stream stands, also between two calls. Of the input at most 7 bits are kept then.
let bits: u64, count: u64, from: usize, to: usize;
let block: i32, isFinal: bool, stored: usize, tablesAreFixed: bool;

/** Begins a stream. */
export function begin(): void {
  bits = count = 0;
  block = NO_BLOCK;
  isFinal = false;
  for (let distance: usize = 1; distance < 16; distance++) {
    for (let at: usize = 0; at < 16; at++) store<u8>(PATTERNS + distance * 16 + at, at % distance);
    store<u8>(STRIDES + distance, 16 - (16 % distance));
  }
}

export function inputPosition(): usize {
  return from;
}

export function outputPosition(): usize {
  return to;
}

/** @param window where the oldest byte lies that a distance may reach */
export function inflate(
  input: usize,
  inputEnd: usize,
  isLast: bool,
  window: usize,
  output: usize,
  outputEnd: usize,
): i32 {
  from = input;
  to = output;
  let status = GO_ON;
  while (status === GO_ON) {
    if (block === STORED) status = copyStored(inputEnd, outputEnd);
    else if (block !== NO_BLOCK) status = decode(isLast ? inputEnd + 8 : inputEnd - 16, window, outputEnd);
    else if (isFinal) status = DONE;
    else if (!isLast && from + LONGEST_HEADER > inputEnd) status = WANTS_INPUT;
    else status = readHeader();
    from -= <usize>(count >> 3);
    count &= 7;
    bits &= (1 << count) - 1;
  }
  return from > inputEnd || (isLast && status === WANTS_INPUT) ? ENDS_TOO_EARLY : status;
}

// @ts-ignore: decorator
@inline
function refill(): void {
  bits |= load<u64>(from) << count;
  from += <usize>((63 - count) >> 3);
  count |= 56;
}

// @ts-ignore: decorator
@inline
function drop(entry: u32): void {
  bits >>= entry & 63;
  count -= entry & 63;
}

function take(width: u32): u32 {
  refill();
  const value = <u32>bits & ((1 << width) - 1);
  drop(width);
  return value;
}

function readHeader(): i32 {
  isFinal = take(1) !== 0;
  block = take(2);
  if (block === DYNAMIC) return readCodes();
  if (block === FIXED) return tablesAreFixed ? GO_ON : fixCodes();
  if (block !== STORED) return BAD_BLOCK;
  take(<u32>count & 7);
  stored = take(16);
  return take(16) === (stored ^ 0xffff) ? GO_ON : BAD_STORED;
}

function copyStored(inputEnd: usize, outputEnd: usize): i32 {
  const length = min(stored, from < inputEnd ? inputEnd - from : 0, to < outputEnd ? outputEnd - to : 0);
  memory.copy(to, from, length);
  from += length;
  to += length;
  stored -= length;
  if (stored > 0) return to < outputEnd ? WANTS_INPUT : WANTS_ROOM;
  block = NO_BLOCK;
  return GO_ON;
}

// @ts-ignore: decorator
@inline
function min(a: usize, b: usize, c: usize): usize {
  const least = a < b ? a : b;
  return least < c ? least : c;
}

function fixCodes(): i32 {
  memory.fill(LENGTHS, 8, 144);
  memory.fill(LENGTHS + 144, 9, 112);
  memory.fill(LENGTHS + 256, 7, 24);
  memory.fill(LENGTHS + 280, 8, 8);
  build(LENGTHS, 288, LITERALS, LITERAL_BITS);
  memory.fill(LENGTHS, 5, 32);
  build(LENGTHS, 32, DISTANCES, DISTANCE_BITS);
  tablesAreFixed = true;
  return GO_ON;
}

function readCodes(): i32 {
  const literals = take(5) + 257,
    distances = take(5) + 1,
    lengths = take(4) + 4;
  if (literals > 286 || distances > 30) return BAD_CODE_LENGTHS;
  memory.fill(LENGTHS, 0, 19);
  for (let index: u32 = 0; index < lengths; index++) store<u8>(LENGTHS + symbolOfLength(index), take(3));
  if (!build(LENGTHS, 19, CODE_LENGTHS, LENGTH_BITS)) return BAD_CODE_LENGTHS;
  tablesAreFixed = false;
  const all = literals + distances;
  for (let have: u32 = 0; have < all;) {
    refill();
    const entry = find(CODE_LENGTHS, bits, LENGTH_BITS);
    if (entry & NO_LENGTH) return BAD_CODE_LENGTHS;
    drop(entry);
    const symbol = entry >> 16;
    if (symbol < 16) {
      store<u8>(LENGTHS + have++, symbol);
      continue;
    }
    if (symbol === 16 && have === 0) return BAD_CODE_LENGTHS;
    const repeated = symbol === 16 ? load<u8>(LENGTHS + have - 1) : 0;
    const times = symbol === 16 ? 3 + take(2) : symbol === 17 ? 3 + take(3) : 11 + take(7);
    if (have + times > all) return BAD_CODE_LENGTHS;
    memory.fill(LENGTHS + have, repeated, times);
    have += times;
  }
  const isSound =
    load<u8>(LENGTHS + 256) > 0 &&
    build(LENGTHS, literals, LITERALS, LITERAL_BITS) &&
    build(LENGTHS + literals, distances, DISTANCES, DISTANCE_BITS);
  return isSound ? GO_ON : BAD_CODE_LENGTHS;
}

/** 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1 15 */
function symbolOfLength(index: u32): u32 {
  return index < 3 ? 16 + index : index === 3 ? 0 : index & 1 ? 7 - ((index - 4) >> 1) : 8 + ((index - 4) >> 1);
}

/**
 * Makes the table of a canonical code.
 * @returns whether there is such a code: no prefix too many, and none missing, but for a code of one bit or none at all
 */
function build(lengths: usize, symbols: usize, table: usize, tableBits: u32): bool {
  memory.fill(COUNTS, 0, 32);
  for (let symbol: usize = 0; symbol < symbols; symbol++) {
    const at = COUNTS + 2 * load<u8>(lengths + symbol);
    store<u16>(at, load<u16>(at) + 1);
  }
  let left: i32 = 1,
    longest: u32 = 0;
  store<u16>(OFFSETS, 0);
  for (let length: u32 = 1, offset: u32 = 0; length < 16; length++) {
    const codes = <i32>load<u16>(COUNTS + 2 * length);
    left = 2 * left - codes;
    if (left < 0) return false;
    if (codes > 0) longest = length;
    store<u16>(OFFSETS + 2 * length, offset);
    offset += codes;
  }
  if (left > 0 && (longest > 1 || table === CODE_LENGTHS)) return false;
  for (let symbol: usize = 0; symbol < symbols; symbol++) {
    const length = load<u8>(lengths + symbol);
    if (length === 0) continue;
    const at = OFFSETS + 2 * length,
      place = load<u16>(at);
    store<u16>(SORTED + 2 * place, <u16>symbol);
    store<u16>(at, place + 1);
  }
  // A table of more bits is the one of fewer bits twice, with what has just so many bits put in.
  let code: u32 = 0,
    sorted = SORTED,
    size: u32 = 1;
  store<u32>(table, NO_LENGTH);
  for (let length: u32 = 1; length <= tableBits; length++, size *= 2) {
    memory.copy(table + 4 * size, table, 4 * size);
    for (let codes = load<u16>(COUNTS + 2 * length); codes > 0; codes--, sorted += 2) {
      store<u32>(table + 4 * code, entryOf(table, load<u16>(sorted), length));
      code = following(code, length);
    }
  }
  // What has more is in a table of its own for each beginning.
  let second: u32 = 0,
    secondBits: u32 = 0,
    beginning: u32 = 0;
  for (let length = tableBits + 1; length <= longest; length++) {
    for (let codes = load<u16>(COUNTS + 2 * length); codes > 0; codes--, sorted += 2) {
      if (second === 0 || (code & (size - 1)) !== beginning) {
        second = second === 0 ? size : second + (1 << secondBits);
        beginning = code & (size - 1);
        secondBits = length - tableBits;
        let room: i32 = (1 << secondBits) - codes;
        while (room > 0 && secondBits + tableBits < longest) {
          room = 2 * room - <i32>load<u16>(COUNTS + 2 * (++secondBits + tableBits));
        }
        store<u32>(table + 4 * beginning, (second << 16) | NO_LENGTH | SECOND_TABLE | (secondBits << 8));
      }
      const entry = entryOf(table, load<u16>(sorted), length);
      for (let index = code >> tableBits; index < (<u32>1) << secondBits; index += 1 << (length - tableBits)) {
        store<u32>(table + 4 * (second + index), entry);
      }
      code = following(code, length);
    }
  }
  return true;
}

/** The next code of so many bits, the first of which is the lowest. */
// @ts-ignore: decorator
@inline
function following(code: u32, length: u32): u32 {
  let bit: u32 = 1 << (length - 1);
  while (code & bit) bit >>= 1;
  return bit === 0 ? 0 : (code & (bit - 1)) | bit;
}

function entryOf(table: usize, symbol: u32, length: u32): u32 {
  if (table === CODE_LENGTHS) return (symbol << 16) | length;
  const codeLength = length << 8;
  if (table === DISTANCES) {
    if (symbol > 29) return NO_LENGTH;
    if (symbol < 4) return ((1 + symbol) << 16) | codeLength | length;
    const extra = (symbol >> 1) - 1;
    return ((1 + ((2 + (symbol & 1)) << extra)) << 16) | codeLength | (length + extra);
  }
  if (symbol < 256) return LITERAL | (symbol << 16) | length;
  if (symbol === 256) return NO_LENGTH | END_OF_BLOCK | length;
  const index = symbol - 257;
  if (index < 8) return ((3 + index) << 16) | codeLength | length;
  if (index === 28) return (258 << 16) | codeLength | length;
  if (index > 28) return NO_LENGTH;
  const extra = (index >> 2) - 1;
  return ((3 + ((4 + (index & 3)) << extra)) << 16) | codeLength | (length + extra);
}

// @ts-ignore: decorator
@inline
function find(table: usize, input: u64, tableBits: u32): u32 {
  const entry = load<u32>(table + 4 * (<u32>input & ((1 << tableBits) - 1)));
  return entry & SECOND_TABLE ? findSecond(table, entry, <u32>input >> tableBits) : entry;
}

// @ts-ignore: decorator
@inline
function findSecond(table: usize, entry: u32, input: u32): u32 {
  return load<u32>(table + 4 * ((entry >> 16) + (input & ((1 << ((entry >> 8) & 15)) - 1))));
}

/** The smallest length or distance of an entry, with the extra bits added. */
// @ts-ignore: decorator
@inline
function valueOf(entry: u32, input: u64): u32 {
  return (entry >> 16) + ((<u32>input & ((1 << (entry & 63)) - 1)) >> ((entry >> 8) & 15));
}

/** A compressed block, as far as the input (which is looked at from 8 bytes before) and the room reach. */
function decode(inputLimit: usize, window: usize, outputEnd: usize): i32 {
  // As locals, which stay in registers.
  let input = bits,
    have = count,
    at = from,
    end = to,
    status = GO_ON;
  while (true) {
    if (end >= outputEnd) {
      status = WANTS_ROOM;
      break;
    }
    if (at > inputLimit) {
      status = WANTS_INPUT;
      break;
    }
    input |= load<u64>(at) << have;
    at += <usize>((63 - have) >> 3);
    have |= 56;
    let entry = find(LITERALS, input, LITERAL_BITS);
    if (entry & LITERAL) {
      store<u8>(end++, entry >> 16);
      input >>= entry & 63;
      have -= entry & 63;
      entry = find(LITERALS, input, LITERAL_BITS);
      if (entry & LITERAL) {
        store<u8>(end++, entry >> 16);
        input >>= entry & 63;
        have -= entry & 63;
        entry = find(LITERALS, input, LITERAL_BITS);
        if (entry & LITERAL) {
          store<u8>(end++, entry >> 16);
          input >>= entry & 63;
          have -= entry & 63;
          continue;
        }
      }
    }
    if (entry & NO_LENGTH) {
      status = entry & END_OF_BLOCK ? GO_ON : BAD_CODE;
      block = NO_BLOCK;
      input >>= entry & 63;
      have -= entry & 63;
      break;
    }
    const length = valueOf(entry, input);
    input >>= entry & 63;
    have -= entry & 63;
    input |= load<u64>(at) << have;
    at += <usize>((63 - have) >> 3);
    have |= 56;
    entry = find(DISTANCES, input, DISTANCE_BITS);
    if (entry & NO_LENGTH) {
      status = BAD_CODE;
      break;
    }
    const distance = valueOf(entry, input);
    input >>= entry & 63;
    have -= entry & 63;
    if (distance > end - window) {
      status = TOO_FAR_BACK;
      break;
    }
    repeat(end, distance, end + length);
    end += length;
  }
  bits = input;
  count = have;
  from = at;
  to = end;
  return status;
}

// @ts-ignore: decorator
@inline
function repeat(to: usize, distance: usize, end: usize): void {
  let source = to - distance;
  if (distance >= 16) {
    do {
      v128.store(to, v128.load(source));
      to += 16;
      source += 16;
    } while (to < end);
  } else {
    const pattern = i8x16.swizzle(v128.load(source), v128.load(PATTERNS + 16 * distance));
    const stride = load<u8>(STRIDES + distance);
    do {
      v128.store(to, pattern);
      to += stride;
    } while (to < end);
  }
}

/** Adler-32 (RFC 1950) of what came before, with the bytes from `at` to `end`. */
export function adler32(sum: u32, at: usize, end: usize): u32 {
  let a = sum & 0xffff,
    b = sum >> 16;
  while (at < end) {
    const stop = end - at > 5552 ? at + 5552 : end; // as many as 32 bits can hold the sums of
    let sums = i32x4.splat(0),
      earlier = i32x4.splat(0),
      weighted = i32x4.splat(0);
    const start = at;
    for (; at + 16 <= stop; at += 16) {
      const bytes = v128.load(at);
      earlier = i32x4.add(earlier, sums);
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes)));
      weighted = i32x4.add(
        weighted,
        i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(bytes), i16x8(16, 15, 14, 13, 12, 11, 10, 9)),
      );
      weighted = i32x4.add(
        weighted,
        i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(bytes), i16x8(8, 7, 6, 5, 4, 3, 2, 1)),
      );
    }
    b += a * <u32>(at - start) + 16 * total(earlier) + total(weighted);
    a += total(sums);
    for (; at < stop; at++) {
      a += load<u8>(at);
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return (b << 16) | a;
}

// @ts-ignore: decorator
@inline
function total(lanes: v128): u32 {
  return (
    i32x4.extract_lane(lanes, 0) +
    i32x4.extract_lane(lanes, 1) +
    i32x4.extract_lane(lanes, 2) +
    i32x4.extract_lane(lanes, 3)
  );
}
