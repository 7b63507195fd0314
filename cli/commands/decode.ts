/** `beltnet decode`: what the decoders see in pictures, to be compared with what other programs see. */
import { createHash } from 'node:crypto';
import { DataError } from '../../src/errors.js';
import { decode, pictureFormat, readPictureBytes } from '../../src/index.node.js';
import { note, Output, printable } from '../terminal/output.js';

export interface DecodeOptions {
  readonly exif?: boolean;
  readonly json?: boolean;
}

/** The exit code of a DataError. */
const BAD_PICTURES = 3;

/** @returns the exit code: that of bad data if one file could not be decoded, though all others were */
export async function decodeFiles(files: readonly string[], options: DecodeOptions): Promise<number> {
  const output = new Output(options);
  let exitCode = 0;
  for (const file of files) {
    try {
      const bytes = readPictureBytes(file);
      const { width, height, data } = decode(bytes, file, { exif: options.exif ?? false });
      const rgbSha256 = createHash('sha256').update(data).digest('hex');
      const format = pictureFormat(bytes);
      output.emit({ file, format, width, height, rgbSha256 });
      output.say(`${printable(file)}: ${format}, ${width}×${height}, ${rgbSha256}`);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      exitCode = BAD_PICTURES;
      output.emit({ file, error: error.message });
      if (!options.json) note(`beltnet: ${error.message}`);
    }
  }
  return exitCode;
}
