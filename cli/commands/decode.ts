/** `beltnet decode`: what the decoders see in pictures, to be compared with what other programs see. */
import { createHash } from 'node:crypto';
import { DataError, UsageError } from '../../src/errors.js';
import { decode, pictureFormat, readPictureBytes, type Shard, type ShardFile } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { pictureFlags } from '../terminal/common-flags.js';
import { filePath } from '../terminal/options.js';
import { note, Output, printable } from '../terminal/output.js';
import { keptError, linesOf, runShard, shardFlags, shardOf, type KeptError } from '../terminal/shards.js';
import { readPaths } from '../terminal/standard-input.js';

/** What is seen in a file, or why nothing is. */
type Seen = { readonly file: string } & (
  | { readonly format: string; readonly width: number; readonly height: number; readonly rgbSha256: string }
  | KeptError
);

export const command = defineCommand({
  operands: { '[files...]': 'pictures: JPEG, PNG or BMP' },
  flags: {
    filesFrom: flag('<file>', 'also the paths in this file, one a line; - for standard input', filePath),
    exif: pictureFlags.exif,
    ...shardFlags,
    json: toggle('one JSON object a file: file, format, width, height, rgbSha256; or file, error'),
  },
  notes:
    'The hash is SHA-256 of the RGB bytes, row by row. A file that cannot be decoded is named with the reason, the others are\n' +
    'decoded; the exit code is 3 then. With --shard only a share of the files is decoded; "beltnet merge" tells of all (docs/scale.md).',
  examples: ['beltnet decode picture.jpg --json'],
  async run(given, options) {
    const { filesFrom, exif } = options;
    const files = filesFrom === undefined ? given : [...given, ...(await readPaths(filesFrom))];
    if (files.length === 0 && filesFrom === undefined)
      throw new UsageError('decode: expects pictures, or --files-from with their paths, got none');
    const shard = shardOf(options);
    if (shard) return decodeShard(shard, files, options);
    const teller = new Teller(options);
    for (const file of files) teller.tell(see(file, exif).seen);
    return teller.exitCode;
  },
});

/** @returns the digest of the file's bytes, too; null where they cannot be read */
function see(file: string, exif: boolean): { seen: Seen; digest: Uint8Array | null } {
  let digest: Uint8Array | null = null;
  try {
    const bytes = readPictureBytes(file);
    digest = createHash('sha256').update(bytes).digest();
    const { width, height, data } = decode(bytes, file, { exif });
    const rgbSha256 = createHash('sha256').update(data).digest('hex');
    return { seen: { file, format: pictureFormat(bytes) ?? '', width, height, rgbSha256 }, digest };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return { seen: { file, ...keptError(error) }, digest };
  }
}

class Teller {
  readonly #output: Output;
  readonly #json: boolean;
  exitCode = 0;

  constructor(options: { readonly json: boolean }) {
    this.#output = new Output(options);
    this.#json = options.json;
  }

  tell(seen: Seen): void {
    if ('error' in seen) {
      const { exitCode, ...told } = seen;
      this.exitCode = exitCode;
      this.#output.emit(told);
      if (!this.#json) note(`beltnet: ${told.error}`);
      return;
    }
    const { file, format, width, height, rgbSha256 } = seen;
    this.#output.emit(seen);
    this.#output.say(`${printable(file)}: ${format}, ${width}×${height}, ${rgbSha256}`);
  }
}

function decodeShard(
  shard: { shard: Shard; out: string },
  files: readonly string[],
  options: { readonly exif: boolean; readonly json: boolean },
): Promise<number> {
  const items = files.map((name) => ({ name }));
  return runShard(shard, options, items, {
    command: 'decode',
    work: { exif: options.exif },
    step: 1,
    run: (own, add, onInput) => {
      for (const { name } of own) {
        const { seen, digest } = see(name, options.exif);
        onInput(digest ?? new Uint8Array(32));
        add(seen);
      }
      return Promise.resolve();
    },
  });
}

/** Tells of merged shards what one process would have told. @returns the exit code */
export async function mergeDecoded(shards: readonly ShardFile[], options: { readonly json: boolean }): Promise<number> {
  const teller = new Teller(options);
  for await (const seen of linesOf<Seen>(shards)) teller.tell(seen);
  return teller.exitCode;
}
