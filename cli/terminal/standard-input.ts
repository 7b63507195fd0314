/** What a command is given on standard input. */
import { DataError, UsageError } from '../../src/errors.js';
import { readWholeFile } from '../../src/index.node.js';

const MOST_BYTES = { picture: 2 ** 30, paths: 2 ** 28 };

/** All of standard input. @throws UsageError where it is a terminal, on which nobody writes such a thing; DataError for too much */
export async function readStandardInput(what: keyof typeof MOST_BYTES): Promise<Uint8Array> {
  if (process.stdin.isTTY)
    throw new UsageError(`-: expects ${what === 'picture' ? 'a picture' : 'paths'} on standard input, got a terminal`);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MOST_BYTES[what])
      throw new DataError(`standard input: expects at most ${MOST_BYTES[what]} bytes, got more; is it the right one?`);
  }
  return Buffer.concat(chunks);
}

/** Paths of a file, or of standard input for `-`: one a line, or each with a NUL behind it, as `find -print0` writes them. */
export async function readPaths(file: string): Promise<string[]> {
  const refuse = (message: string): Error => new DataError(message);
  const bytes =
    file === '-'
      ? await readStandardInput('paths')
      : await readWholeFile(file, { what: 'a list of paths', mostBytes: MOST_BYTES.paths, refuse });
  const text = Buffer.from(bytes).toString('utf8');
  return text.split(text.includes('\0') ? '\0' : /\r?\n/).filter((path) => path !== '');
}
