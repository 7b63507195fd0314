/** `beltnet decode`: what the decoders see in pictures, to be compared with what other programs see. */
import { createHash } from 'node:crypto';
import { DataError } from '../../src/errors.js';
import { decode, pictureFormat, readPictureBytes } from '../../src/index.node.js';
import { defineCommand, toggle } from '../terminal/command.js';
import { pictureFlags } from '../terminal/common-flags.js';
import { note, Output, printable } from '../terminal/output.js';

/** The exit code of a DataError. */
const BAD_PICTURES = 3;

export const command = defineCommand({
  operands: { '<files...>': 'pictures: JPEG, PNG or BMP' },
  flags: {
    exif: pictureFlags.exif,
    json: toggle('one JSON object a file: file, format, width, height, rgbSha256; or file, error'),
  },
  notes:
    'The hash is SHA-256 of the RGB bytes, row by row. A file that cannot be decoded is named with the reason, the others are\n' +
    'decoded; the exit code is 3 then.',
  examples: ['beltnet decode picture.jpg --json'],
  async run(files, options) {
    const output = new Output(options);
    let exitCode = 0;
    for (const file of files) {
      try {
        const bytes = readPictureBytes(file);
        const { width, height, data } = decode(bytes, file, { exif: options.exif });
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
  },
});
