/** What undoes DEFLATE within one memory, and where in that everything lies. */

/** What `inflate` stops for. What follows `done` is damage. */
export const Status = { wantsInput: 0, wantsRoom: 1, done: 2 } as const;

/** Damage by its status, as zlib words it where it has a word. */
export const damages: Readonly<Record<number, string>> = {
  3: 'unexpected end of file',
  4: 'invalid block type',
  5: 'invalid stored block lengths',
  6: 'invalid code lengths',
  7: 'invalid code',
  8: 'invalid distance too far back',
};

/** One stream at a time. Places are bytes from the start of the memory. */
export interface Inflater {
  /** Below INPUT it is not to be touched. */
  readonly memory: Uint8Array;
  begin(): void;
  /**
   * Goes on with a stream until it wants something, is done, or is damaged.
   *
   * @param input where the input begins that has not been used yet; SLACK bytes behind the last piece are 0
   * @param window the oldest byte that a distance may reach
   * @param output where what comes out goes, right behind what came before; up to SLACK bytes behind its end are written, too
   * @returns a Status, or a number of `damages`
   */
  inflate(input: number, inputEnd: number, isLast: boolean, window: number, output: number, outputEnd: number): number;
  /** Where the input begins that has not been used yet, and where the output ends. */
  inputPosition(): number;
  outputPosition(): number;
  /** The Adler-32 of some bytes and those from `from` to `end`, from that of the former, which is 1 for none. */
  adler32(sum: number, from: number, end: number): number;
}

/** Of WebAssembly's memory. */
export const PAGE = 65536;
export const SLACK = 1024;
export const INPUT = PAGE / 4;
export const INPUT_END = 2 * PAGE - SLACK;
/** Distances reach so far back. */
export const WINDOW = 32768;
export const OUTPUT = 2 * PAGE;
export const OUTPUT_END = 4 * PAGE - SLACK;
export const MEMORY = 4 * PAGE;
