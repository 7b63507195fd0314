/** `beltnet export`: a model in the format of another runtime. */
import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { DiskError, UsageError } from '../../src/errors.js';
import {
  exportFormats,
  exportModel,
  KNOWN_SECTIONS,
  openModelFile,
  writeFileAtomically,
  type ExportFormat,
} from '../../src/index.node.js';
import { defineCommand, toggle, flag } from '../terminal/command.js';
import { refuseExisting } from '../terminal/new-file.js';
import { filePath, oneOf } from '../terminal/options.js';
import { count, note, Output } from '../terminal/output.js';
import { authorOf, keyFlag, recorded } from '../terminal/proof.js';

const formatNames = Object.keys(exportFormats) as readonly ExportFormat[];

export const command = defineCommand({
  operands: { '<model>': 'model.safetensors, or the folder of a run' },
  flags: {
    output: flag('<file>', 'the new file', filePath, { short: 'o', required: true }),
    format: flag('<name>', "what to write (default: by the file's ending)", (name) => oneOf(name, formatNames), {
      choices: formatNames,
    }),
    key: keyFlag,
    withPreprocessing: toggle('onnx: take decoded pictures (uint8), do the preprocessing in the graph'),
  },
  notes: `Formats:\n${Object.entries(exportFormats)
    .map(([name, { extension, writes }]) => `  ${name.padEnd(18)} ${extension.padEnd(13)} ${writes}`)
    .join('\n')}`,
  examples: ['beltnet export runs/first -o belt.onnx --with-preprocessing'],
  async run([given], options) {
    const { output } = options;
    const format = options.format ?? formatOf(output);
    if (options.withPreprocessing && format !== 'onnx')
      throw new UsageError(`--with-preprocessing: expects --format onnx, got ${format}, which holds weights only`);
    refuseExisting('--output', output);
    const author = authorOf(options);
    const { model, info, name } = await openModelFile(given, { knownSections: KNOWN_SECTIONS });
    const { withPreprocessing } = options;
    const bytes = await exportModel(model, info, format, { withPreprocessing, name });
    await writeFileAtomically(output, bytes);
    const facts = { model: name, file: output, format, sha256: createHash('sha256').update(bytes).digest('hex') };
    await recorded(name, 'export', author, () => Promise.resolve(facts)).catch((error: unknown) => {
      if (!(error instanceof DiskError) || author.key) throw error; // an export from what nobody may write is one all the same
      note(`note: the export is not in the record: ${error.message}`);
    });
    new Output().say(`${output}: ${format}, ${exportFormats[format].writes}; ${count(bytes.length, 'byte')}`);
    return 0;
  },
});

/** @throws UsageError when no format has the file's ending */
function formatOf(file: string): ExportFormat {
  const names = Object.keys(exportFormats) as ExportFormat[];
  const fitting = names.filter((name) => exportFormats[name].extension === extname(file).toLowerCase());
  if (fitting.length === 1) return fitting[0];
  throw new UsageError(`--output: expects a file that ends as ${listed(names)}, got '${file}'; or name a --format`);
}

const listed = (names: readonly ExportFormat[]): string =>
  names.map((name) => exportFormats[name].extension).join(' or ');
