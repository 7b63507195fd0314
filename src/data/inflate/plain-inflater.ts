/**
 * DEFLATE undone in plain TypeScript: for reading, for testing WebAssembly (wasm/inflate.ts), and for where that is not
 * allowed. Source: RFC 1951.
 */
import { type Inflater, MEMORY, Status } from './inflater.js';

const LONGEST_CODE = 15;
/** Bytes that hold any block's header: 14 bits, 19 lengths of 3 bits, 316 lengths of at most 14 bits. */
const LONGEST_HEADER = 600;
const END_OF_BLOCK = 256;
const Block = { none: -1, stored: 0, fixed: 1, dynamic: 2 };

/** As the statuses of `damages`. */
const EARLY_END = 3;
const BAD_BLOCK = 4;
const BAD_STORED = 5;
const BAD_CODE_LENGTHS = 6;
const BAD_CODE = 7;
const TOO_FAR_BACK = 8;
const GO_ON = -1;

/** The order in which the lengths of the codes of code lengths come, the rarest last. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Of a symbol of a length (from 257 on) or a distance: the least that it stands for, and how many bits are added to that. */
interface Scale {
  readonly base: readonly number[];
  readonly extraBits: readonly number[];
}

/** Scales double each `steps` symbols, after twice as many that go up by one. */
function scale(symbols: number, steps: number, first: number): Scale {
  const extraBits = Array.from({ length: symbols }, (_, symbol) => Math.max(0, Math.floor(symbol / steps) - 1));
  let next = first;
  const base = extraBits.map((extra) => {
    const least = next;
    next += 2 ** extra;
    return least;
  });
  return { base, extraBits };
}

const scaleOfLengths = scale(28, 4, 3);
/** 258, the longest length, has a symbol of its own. */
const copyLengths: Scale = { base: [...scaleOfLengths.base, 258], extraBits: [...scaleOfLengths.extraBits, 0] };
const copyDistances = scale(30, 2, 1);

/** A canonical Huffman code: by the next 15 bits of the input the symbol, times 16, and how many of them it takes; 0 for none. */
type Code = Uint16Array;

/**
 * @param lengths of the codes by symbol, 0 for none
 * @returns null where no code has such lengths: too many of them, or too few, but for a code of one bit or none
 */
function makeCode(lengths: readonly number[], mayBeSmall: boolean): Code | null {
  const code = new Uint16Array(1 << LONGEST_CODE);
  let next = 0; // its first bit is the lowest
  let free = 1;
  let longest = 0;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    // What is told by fewer bits does not depend on one more.
    code.copyWithin(1 << (length - 1), 0, 1 << (length - 1));
    free *= 2;
    for (let symbol = lengths.indexOf(length); symbol >= 0; symbol = lengths.indexOf(length, symbol + 1)) {
      if (free-- === 0) return null;
      code[next] = symbol * 16 + length;
      let bit = 1 << (length - 1);
      for (; (next & bit) !== 0; bit >>= 1) next ^= bit;
      next |= bit;
      longest = length;
    }
  }
  return free === 0 || (longest <= 1 && mayBeSmall) ? code : null;
}

const repeat = (times: number, value: number): number[] => Array.from({ length: times }, () => value);
const fixedLengths = [...repeat(144, 8), ...repeat(112, 9), ...repeat(24, 7), ...repeat(8, 8)];

export const plainInflater = (): Inflater => new PlainInflater();

class PlainInflater implements Inflater {
  readonly memory = new Uint8Array(MEMORY);
  private from = 0;
  private to = 0;
  /** Of the input, the next one lowest; between two calls less than 8. */
  private bits = 0;
  private count = 0;
  private block = Block.none;
  private isFinal = false;
  /** Bytes that are left of a stored block. */
  private stored = 0;
  private literals: Code = new Uint16Array();
  private distances: Code = new Uint16Array();

  begin(): void {
    this.bits = this.count = 0;
    this.block = Block.none;
    this.isFinal = false;
  }

  inputPosition(): number {
    return this.from;
  }

  outputPosition(): number {
    return this.to;
  }

  inflate(input: number, inputEnd: number, isLast: boolean, window: number, output: number, outputEnd: number): number {
    this.from = input;
    this.to = output;
    let status = GO_ON;
    while (status === GO_ON) {
      if (this.block === Block.stored) status = this.copyStored(inputEnd, outputEnd);
      else if (this.block !== Block.none) status = this.decode(isLast ? inputEnd : inputEnd - 8, window, outputEnd);
      else if (this.isFinal) status = Status.done;
      else if (!isLast && this.from + LONGEST_HEADER > inputEnd) status = Status.wantsInput;
      else status = this.readHeader();
      this.from -= this.count >> 3;
      this.count &= 7;
      this.bits &= (1 << this.count) - 1;
    }
    return this.from > inputEnd || (isLast && status === Status.wantsInput) ? EARLY_END : status;
  }

  /** @param width at most 16 */
  private take(width: number): number {
    this.need(width);
    const value = this.bits & ((1 << width) - 1);
    this.drop(width);
    return value;
  }

  private need(width: number): void {
    if (this.count >= width) return;
    this.bits |= (this.memory[this.from] | (this.memory[this.from + 1] << 8)) << this.count;
    this.from += 2;
    this.count += 16;
  }

  private drop(width: number): void {
    this.bits >>>= width;
    this.count -= width;
  }

  /** @returns −1 where the code has no such symbol */
  private takeSymbol(code: Code): number {
    this.need(LONGEST_CODE);
    const entry = code[this.bits & ((1 << LONGEST_CODE) - 1)];
    this.drop(entry & 15);
    return entry === 0 ? -1 : entry >> 4;
  }

  private readHeader(): number {
    this.isFinal = this.take(1) === 1;
    this.block = this.take(2);
    if (this.block === Block.dynamic) return this.readCodes();
    if (this.block === Block.fixed) return this.setCodes(fixedLengths, repeat(32, 5));
    if (this.block !== Block.stored) return BAD_BLOCK;
    this.drop(this.count & 7);
    this.stored = this.take(16);
    return this.take(16) === (this.stored ^ 0xffff) ? GO_ON : BAD_STORED;
  }

  private setCodes(literalLengths: readonly number[], distanceLengths: readonly number[]): number {
    const literalCode = makeCode(literalLengths, true);
    const distanceCode = makeCode(distanceLengths, true);
    if (literalCode === null || distanceCode === null) return BAD_CODE_LENGTHS;
    this.literals = literalCode;
    this.distances = distanceCode;
    return GO_ON;
  }

  private readCodes(): number {
    const literals = 257 + this.take(5);
    const all = literals + 1 + this.take(5);
    const count = 4 + this.take(4);
    if (literals > 286 || all - literals > 30) return BAD_CODE_LENGTHS;
    const codeLengths = repeat(19, 0);
    for (const symbol of lengthOrder.slice(0, count)) codeLengths[symbol] = this.take(3);
    const code = makeCode(codeLengths, false);
    if (code === null) return BAD_CODE_LENGTHS;
    const found: number[] = [];
    while (found.length < all) {
      const symbol = this.takeSymbol(code);
      if (symbol < 16) found.push(symbol);
      else if (symbol === 16 && found.length === 0) return BAD_CODE_LENGTHS;
      else if (symbol === 16) found.push(...repeat(3 + this.take(2), found[found.length - 1]));
      else found.push(...repeat(symbol === 17 ? 3 + this.take(3) : 11 + this.take(7), 0));
    }
    if (found.length > all || found[END_OF_BLOCK] === 0) return BAD_CODE_LENGTHS;
    return this.setCodes(found.slice(0, literals), found.slice(literals));
  }

  private copyStored(inputEnd: number, outputEnd: number): number {
    const length = Math.min(this.stored, Math.max(0, inputEnd - this.from), Math.max(0, outputEnd - this.to));
    this.memory.copyWithin(this.to, this.from, this.from + length);
    this.from += length;
    this.to += length;
    this.stored -= length;
    if (this.stored > 0) return this.to < outputEnd ? Status.wantsInput : Status.wantsRoom;
    this.block = Block.none;
    return GO_ON;
  }

  /** A compressed block, as far as input and room reach: a symbol with its distance takes up to 48 bits. */
  private decode(inputEnd: number, window: number, outputEnd: number): number {
    const { memory } = this;
    for (;;) {
      if (this.to >= outputEnd) return Status.wantsRoom;
      if (this.from - (this.count >> 3) > inputEnd) return Status.wantsInput;
      const symbol = this.takeSymbol(this.literals);
      if (symbol === END_OF_BLOCK) {
        this.block = Block.none;
        return GO_ON;
      }
      if (symbol >= 0 && symbol < END_OF_BLOCK) {
        memory[this.to++] = symbol;
        continue;
      }
      const length = this.takeValue(copyLengths, symbol - END_OF_BLOCK - 1);
      const distance = length === -1 ? -1 : this.takeValue(copyDistances, this.takeSymbol(this.distances));
      if (distance === -1) return BAD_CODE;
      if (distance > this.to - window) return TOO_FAR_BACK;
      const start = this.to;
      this.to += length;
      for (let at = start; at < start + length; at++) memory[at] = memory[at - distance];
    }
  }

  /** @returns −1 for a symbol that does not exist */
  private takeValue({ base, extraBits }: Scale, symbol: number): number {
    return symbol < 0 || symbol >= base.length ? -1 : base[symbol] + this.take(extraBits[symbol]);
  }

  adler32(sum: number, from: number, end: number): number {
    let [a, b] = [sum & 0xffff, sum >>> 16];
    while (from < end) {
      for (const stop = Math.min(end, from + 5552); from < stop; from++) {
        a += this.memory[from];
        b += a;
      }
      a %= 65521;
      b %= 65521;
    }
    return ((b << 16) | a) >>> 0;
  }
}
