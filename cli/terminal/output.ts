/** What the terminal shows. Results go to stdout; notes and progress to stderr, so that stdout stays clean for programs. */

let isQuiet = false;
let isMute = false;

/** Has this process say nothing at all, or speak again: of several that train together one speaks. */
export function mute(on: boolean): void {
  isMute = on;
}

interface OutputOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  /** Of this one: says nothing to either, for what another command does on its way. */
  readonly silent?: boolean;
}

/** Where a command's words go: people read lines, programs (`--json`) objects, one a line. */
export class Output {
  readonly #json: boolean;
  readonly #silent: boolean;

  /** @param options.quiet nothing is said for people but warnings and errors, and no progress is drawn: for the whole process */
  constructor({ json = false, quiet = false, silent = false }: OutputOptions = {}) {
    this.#json = json;
    isQuiet = quiet;
    this.#silent = silent;
  }

  /** A line of the result, for people. */
  say(line = ''): void {
    if (this.#json || this.#silent || isQuiet || isMute) return;
    eraseProgress();
    process.stdout.write(`${printable(line)}\n`);
  }

  /** A line of the result, for programs. */
  emit(value: object): void {
    if (!this.#json || this.#silent || isMute) return;
    eraseProgress();
    process.stdout.write(`${printable(JSON.stringify(value))}\n`); // JSON leaves some control characters as they are
  }
}

/** What was said of pictures in work that is done again and again on the same ones. */
const saidOnce = new Set<string>();

/** Does work of which nothing is said to people but warnings and errors, and what the audit found once. */
export async function quietly<Result>(work: () => Promise<Result>): Promise<Result> {
  const before = isQuiet;
  isQuiet = true;
  try {
    return await work();
  } finally {
    isQuiet = before;
  }
}

/** A line on stderr. */
export function note(line: string): void {
  if (isMute || (isQuiet && line.startsWith('note: '))) return;
  if (isQuiet && line.startsWith('audit: ')) {
    if (saidOnce.has(line)) return;
    saidOnce.add(line);
  }
  eraseProgress();
  process.stderr.write(`${printable(line)}\n`);
}

/** What the pictures at hand cannot tell, a sentence each. */
export function noteUnknowable(sentences: readonly string[]): void {
  for (const sentence of sentences)
    for (const line of wrapped(`cannot know: ${sentence}`, { indent: '  ' })) note(line);
}

/** Names what other processes have not completed that this one cannot know to be dead: of other machines, containers or boots. */
export function noteLeftovers(paths: readonly string[]): void {
  for (const path of paths) note(`note: ${path} is of a process that may have ended; delete it if it has`);
}

/** Names of files and classes may hold anything: control characters would break lines and steer the terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    return escaped === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : escaped;
  });
}

const MILLISECONDS_BETWEEN_DRAWS = 100;

/** The progress line is at the bottom of the terminal now. */
let drawn = false;
let lastDraw = -Infinity;

/**
 * Draws a line on stderr over the last one; whatever is printed next takes its place. Where stderr is no terminal: nothing.
 *
 * @param line makes the text for so many columns; it is asked only when it is time to draw
 */
export function showProgress(line: (columns: number) => string): void {
  if (!process.stderr.isTTY || isQuiet || isMute) return;
  const now = performance.now();
  if (now - lastDraw < MILLISECONDS_BETWEEN_DRAWS) return;
  lastDraw = now;
  drawn = true;
  const columns = (process.stderr.columns || 80) - 1; // a line that wraps could not be erased
  process.stderr.write(`\r${printable(line(columns)).slice(0, columns)}\u001b[K`);
}

/** Clears the progress line. */
export function eraseProgress(): void {
  if (!drawn) return;
  process.stderr.write('\r\u001b[K');
  drawn = false;
  lastDraw = -Infinity;
}

/**
 * Columns as wide as their widest cell; numbers to the right.
 * @param rightFrom the first of the columns whose texts are numbers too
 */
export function table(rows: readonly (readonly (string | number)[])[], rightFrom = Infinity): string[] {
  const widths = rows[0].map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, String(row[column]).length), 0),
  );
  const numeric = widths.map((_, column) => column >= rightFrom || rows.some((row) => typeof row[column] === 'number'));
  const pad = (cell: string | number, column: number): string =>
    numeric[column] ? String(cell).padStart(widths[column]) : String(cell).padEnd(widths[column]);
  return rows.map((row) => row.map(pad).join('  ').trimEnd());
}

const FEWEST_COLUMNS = 40;

/** Columns of the terminal that results go to; files and programs get lines of any length. */
export const outputColumns = (): number =>
  process.stdout.isTTY ? Math.max(FEWEST_COLUMNS, process.stdout.columns || 80) : Infinity;

/** A name is not cut shorter while there are other columns to leave out. */
const SHORTEST_NAME = 12;

/**
 * A table that fits the terminal: names in the first column are cut at their front, where they are alike, then columns are left out
 * from the right, and named below.
 * @param rows a header and what is below it, the columns by their worth
 * @param options `rightFrom` as of `table`
 */
export function fittingTable(
  rows: readonly (readonly (string | number)[])[],
  { rightFrom, columns = outputColumns() }: { readonly rightFrom?: number; readonly columns?: number } = {},
): string[] {
  if (columns === Infinity) return table(rows, rightFrom);
  const widest = (texts: readonly string[]): number => texts.reduce((most, { length }) => Math.max(most, length), 0);
  const widestName = widest(rows.map(([name]) => String(name)));
  for (let taken = rows[0].length; ; taken--) {
    const kept = rows.map((row) => row.slice(0, taken));
    const excess = widest(table(kept, rightFrom)) - columns;
    const width = Math.max(1, widestName - Math.max(0, excess));
    if (taken > 2 && width < Math.min(widestName, SHORTEST_NAME)) continue;
    const cut = (text: string): string => (text.length > width ? `…${text.slice(text.length - width + 1)}` : text);
    const lines = table(
      kept.map(([name, ...others]) => [typeof name === 'string' ? cut(name) : name, ...others]),
      rightFrom,
    );
    const left = rows[0].slice(taken).filter((name) => name !== '');
    return left.length === 0 ? lines : [...lines, ...wrapped(`(not shown: ${left.join(', ')})`, { columns })];
  }
}

/**
 * Prose in lines that end between words.
 * @param options `indent` stands before each line but the first
 */
export function wrapped(
  text: string,
  { columns = outputColumns(), indent = '' }: { readonly columns?: number; readonly indent?: string } = {},
): string[] {
  const [first, ...words] = text.split(/(?<=\S) (?!%)/); // spaces at the beginning stay
  const lines = [first];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length > columns) lines.push(indent + word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** "1 picture", "2 pictures". */
export function count(amount: number, noun: string): string {
  const digits = String(amount).replace(/\B(?=(\d{3})+$)/g, ','); // toLocaleString takes 12 ms the first time
  return `${digits} ${noun}${amount === 1 ? '' : 's'}`;
}

/** An argument as it can be pasted into the system's shell. */
export function quoted(argument: string): string {
  if (process.platform === 'win32') return /^[\w@+=:,./\\-]+$/.test(argument) ? argument : `"${argument}"`; // no name has " there
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
