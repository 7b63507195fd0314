/** `beltnet export`: a model in the format of another runtime. */
import { extname } from 'node:path';
import { UsageError } from '../../src/errors.js';
import {
  encodeOnnx,
  exportKeras,
  encodeTorchSafetensors,
  loadModel,
  writeFileAtomically,
  type Model,
  type ModelInfo,
} from '../../src/index.node.js';
import { modelPath } from '../terminal/model-file.js';
import { refuseExisting } from '../terminal/new-file.js';
import { exportFormats, type ExportFormat } from '../terminal/options.js';
import { count, Output } from '../terminal/output.js';

export interface ExportOptions {
  readonly output: string;
  readonly format?: ExportFormat;
  readonly withPreprocessing?: boolean;
}

type Encoder = (model: Model, info: ModelInfo, options: ExportOptions) => Promise<Uint8Array>;

const encoders: Readonly<Record<ExportFormat, Encoder>> = {
  onnx: (model, info, { withPreprocessing = false }) => encodeOnnx(model, info, { withPreprocessing }),
  keras: (model) => exportKeras(model),
  'torch-safetensors': encodeTorchSafetensors,
};

/** @returns the exit code */
export async function exportModel(given: string, options: ExportOptions): Promise<number> {
  const { output } = options;
  const format = options.format ?? formatOf(output);
  if (options.withPreprocessing && format !== 'onnx')
    throw new UsageError(`--with-preprocessing: expected --format onnx, got ${format}, which holds weights only`);
  refuseExisting('--output', output);
  const { model, info } = await loadModel(modelPath(given));
  const bytes = await encoders[format](model, info, options);
  await writeFileAtomically(output, bytes);
  new Output().say(`${output}: ${format}, ${exportFormats[format].writes}; ${count(bytes.length, 'byte')}`);
  return 0;
}

/** @throws UsageError when no format has the file's ending */
function formatOf(file: string): ExportFormat {
  const names = Object.keys(exportFormats) as ExportFormat[];
  const fitting = names.filter((name) => exportFormats[name].extension === extname(file).toLowerCase());
  if (fitting.length === 1) return fitting[0];
  throw new UsageError(`--output: expected a file that ends as ${listed(names)}, got '${file}'; or name a --format`);
}

const listed = (names: readonly ExportFormat[]): string =>
  names.map((name) => exportFormats[name].extension).join(' or ');
