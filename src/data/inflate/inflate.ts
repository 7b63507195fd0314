/** Compressed data back to bytes, in pieces, the same everywhere. Source: RFC 1950 (zlib), RFC 1951 (DEFLATE). */
import { damages, INPUT, INPUT_END, type Inflater, OUTPUT, OUTPUT_END, SLACK, Status, WINDOW } from './inflater.js';
import { openInflater } from './open-inflater.js';

/** What is wrong with compressed data. */
export class InflateError extends Error {}

/** `zlib`: with its header and its checksum; `raw`: nothing but the blocks. */
export type Container = 'zlib' | 'raw';

/** As many as streams were ever read in turns: one, for pictures. */
const idle: Inflater[] = [];

/**
 * Gives what compressed data holds in pieces of at most 128 kB, each of which is there until the next one is asked for, to be read only:
 * so whatever the data, it takes no more memory than that. What follows the end of the data is ignored, as by zlib.
 *
 * @param compressed in pieces of any length
 * @throws InflateError when it is damaged or its end is missing, after the pieces before
 */
export function* inflate(compressed: readonly Uint8Array[], container: Container): Generator<Uint8Array, void> {
  const inflater = idle.pop() ?? openInflater();
  try {
    yield* inflateBy(inflater, compressed, container);
  } finally {
    idle.push(inflater);
  }
}

/** The same by one of the two ways. */
export function* inflateBy(
  inflater: Inflater,
  compressed: readonly Uint8Array[],
  container: Container,
): Generator<Uint8Array, void> {
  const { memory } = inflater;
  const input = new Input(memory, compressed);
  input.fill();
  if (container === 'zlib') checkHeader(input);
  inflater.begin();
  let checksum = 1;
  let from = OUTPUT;
  for (let status: number = Status.wantsRoom; status !== Status.done;) {
    status = inflater.inflate(input.from, input.end, input.isLast, OUTPUT, from, OUTPUT_END);
    if (status in damages) throw new InflateError(damages[status]);
    const end = inflater.outputPosition();
    input.from = inflater.inputPosition();
    if (container === 'zlib') checksum = inflater.adler32(checksum, from, end);
    if (end > from) yield memory.subarray(from, end);
    from = end;
    if (status === Status.wantsInput) input.fill();
    if (status !== Status.wantsRoom) continue;
    memory.copyWithin(OUTPUT, end - WINDOW, end);
    from = OUTPUT + WINDOW;
  }
  if (container === 'zlib' && checksum >>> 0 !== input.read(4)) throw new InflateError('incorrect data check');
}

function checkHeader(input: Input): void {
  const header = input.read(2);
  if (header % 31 !== 0) throw new InflateError('incorrect header check');
  if (((header >> 8) & 15) !== 8) throw new InflateError('unknown compression method');
  if (header >> 12 > 7) throw new InflateError('invalid window size');
  if ((header & 0x20) !== 0) throw new InflateError('need dictionary');
}

/** The pieces, one after the other in an inflater's memory. */
class Input {
  from = INPUT;
  end = INPUT;
  private readonly memory: Uint8Array;
  private readonly pieces: readonly Uint8Array[];
  private piece = 0;
  private used = 0;

  constructor(memory: Uint8Array, pieces: readonly Uint8Array[]) {
    this.memory = memory;
    this.pieces = pieces;
  }

  /** Whether all is in the memory. */
  get isLast(): boolean {
    return this.piece === this.pieces.length;
  }

  /** Moves what is left to the front, and as much as there is room for behind it. */
  fill(): void {
    const { memory, pieces } = this;
    memory.copyWithin(INPUT, this.from, this.end);
    this.end -= this.from - INPUT;
    this.from = INPUT;
    while (!this.isLast && this.end < INPUT_END) {
      const part = pieces[this.piece].subarray(this.used, this.used + INPUT_END - this.end);
      memory.set(part, this.end);
      this.end += part.length;
      this.used += part.length;
      if (this.used < pieces[this.piece].length) continue;
      this.piece++;
      this.used = 0;
    }
    memory.fill(0, this.end, this.end + SLACK);
  }

  /** @returns the number that the next bytes are, the highest first */
  read(bytes: number): number {
    if (this.end - this.from < bytes) this.fill();
    if (this.end - this.from < bytes) throw new InflateError(damages[3]);
    let number = 0;
    for (; bytes > 0; bytes--) number = number * 256 + this.memory[this.from++];
    return number;
  }
}
