/**
 * The instructions of a WebAssembly module, one after the other, as the specification numbers them (WebAssembly 3.0, 5.4; threads'
 * atomics). All of them but those of relaxed SIMD give the same bits on every machine, NaN's sign and payload apart.
 */

/** Instructions behind these prefixes are numbered by themselves. */
const [MISCELLANEOUS, VECTOR, ATOMIC] = [0xfc, 0xfd, 0xfe];
/** Vector instructions from here on may fuse or saturate as the machine likes. */
const RELAXED = 0x100;

class Reader {
  constructor(bytes, at) {
    Object.assign(this, { bytes, at });
  }
  byte() {
    if (this.at >= this.bytes.length) throw new Error('WebAssembly: the module ends in the midst of an instruction');
    return this.bytes[this.at++];
  }
  skip(count) {
    this.at += count;
  }
  /** A number in LEB128; of signed ones only the length matters here. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
  numbers(count) {
    for (let n = 0; n < count; n++) this.number();
  }
}

const between = (value, first, last) => value >= first && value <= last;

/** Steps over what stands behind an instruction's number. */
function skipImmediates(reader, prefix, code) {
  if (prefix === MISCELLANEOUS) return reader.numbers(code < 8 ? 0 : [9, 11, 13, 15, 16, 17].includes(code) ? 1 : 2);
  if (prefix === ATOMIC) return code === 3 ? reader.skip(1) : reader.numbers(2);
  if (prefix === VECTOR) {
    if (code <= 11 || between(code, 84, 93)) reader.numbers(2); // alignment and offset
    if (code === 12 || code === 13) reader.skip(16);
    if (between(code, 21, 34) || between(code, 84, 91)) reader.skip(1); // the lane
    return undefined;
  }
  if (between(code, 0x02, 0x04) || between(code, 0x0c, 0x0d) || code === 0x10) return reader.number();
  if (code === 0x0e) return reader.numbers(reader.number() + 1);
  if (code === 0x11) return reader.numbers(2);
  if (code === 0x1c) return reader.skip(reader.number());
  if (between(code, 0x20, 0x26)) return reader.number();
  if (between(code, 0x28, 0x3e)) return reader.numbers(2);
  if (between(code, 0x3f, 0x42)) return reader.number();
  if (code === 0x43) return reader.skip(4);
  if (code === 0x44) return reader.skip(8);
  const isKnown = code <= 0x01 || [0x05, 0x0b, 0x0f, 0x1a, 0x1b].includes(code) || between(code, 0x45, 0xc4);
  if (!isKnown) throw new Error(`WebAssembly: expects an instruction, got 0x${code.toString(16)} at byte ${reader.at}`);
  return undefined;
}

/** @returns how often each instruction occurs, by its number: 'fd 228' is f32x4.add, the 228th behind 0xfd */
export function instructionCounts(binary) {
  const counts = new Map();
  const sections = new Reader(binary, 8);
  while (sections.at < binary.length) {
    const id = sections.byte();
    const end = sections.number() + sections.at;
    if (id === 10) countCode(new Reader(binary, sections.at), counts);
    sections.at = end;
  }
  return counts;
}

function countCode(reader, counts) {
  for (let functions = reader.number(); functions > 0; functions--) {
    const end = reader.number() + reader.at;
    for (let groups = reader.number(); groups > 0; groups--) reader.numbers(2); // how many locals of which type
    while (reader.at < end) {
      const first = reader.byte();
      const prefix = [MISCELLANEOUS, VECTOR, ATOMIC].includes(first) ? first : 0;
      const code = prefix === 0 ? first : reader.number();
      const name = prefix === 0 ? `${code}` : `${prefix.toString(16)} ${code}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      skipImmediates(reader, prefix, code);
    }
    if (reader.at !== end) throw new Error(`WebAssembly: a function should end at byte ${end}, not at ${reader.at}`);
  }
}

/** The instructions of a module whose results depend on the machine. */
export const inexactInstructions = (binary) =>
  [...instructionCounts(binary).keys()].filter((name) => name.startsWith('fd ') && Number(name.slice(3)) >= RELAXED);
