/** Models in the formats of other runtimes. A new format is its folder in `formats/` and a row here. */
import { UsageError } from '../errors.js';
import { expectObject, expectText } from '../expect.js';
import { exportKeras } from '../formats/keras/keras.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { encodeOnnx } from '../formats/onnx/onnx.js';
import { encodeTorchSafetensors } from '../formats/torch/torch.js';
import type { Model } from '../nn/model.js';
import { preview } from '../options.js';
import { foldTemperature } from './fold-temperature.js';

export interface ExportOptions {
  /** ONNX: the graph takes decoded pictures (uint8), and does the preprocessing. Default false. */
  readonly withPreprocessing?: boolean;
  /** What errors call the model. Default 'model'. */
  readonly name?: string;
}

interface Format {
  /** Of its files, with the dot. */
  readonly extension: string;
  /** In a few words, for people who choose. */
  readonly writes: string;
  readonly encode: (model: Model, info: ModelInfo, options: ExportOptions) => Promise<Uint8Array>;
}

export const exportFormats = {
  onnx: {
    extension: '.onnx',
    writes: 'an ONNX file, for onnxruntime and others',
    encode: (model, info, { withPreprocessing = false }) => encodeOnnx(model, info, { withPreprocessing }),
  },
  keras: { extension: '.keras', writes: 'an archive of Keras 3', encode: (model) => exportKeras(model) },
  'torch-safetensors': {
    extension: '.safetensors',
    writes: "weights under PyTorch's names and in its layouts",
    encode: encodeTorchSafetensors,
  },
} satisfies Readonly<Record<string, Format>>;
export type ExportFormat = keyof typeof exportFormats;

/**
 * The bytes of a file in a format of others. They know no temperature, so that of a calibrated model is in the weights there.
 *
 * @param model not compiled; a calibrated one has other weights afterwards
 * @throws UsageError for a format that there is not, or for preprocessing where only weights are kept; what the format cannot say:
 *   ModelFileError
 */
export async function exportModel(
  model: Model,
  info: ModelInfo,
  format: ExportFormat,
  options: ExportOptions = {},
): Promise<Uint8Array> {
  expectText(format, 'exportModel: format');
  expectObject(options, 'exportModel: options');
  if (!Object.hasOwn(exportFormats, format))
    throw new UsageError(
      `exportModel: format expects one of ${Object.keys(exportFormats).join(', ')}, got ${preview(format)}`,
    );
  if (options.withPreprocessing && format !== 'onnx')
    throw new UsageError(`withPreprocessing: expects the format onnx, got ${format}, which holds weights only`);
  return exportFormats[format].encode(model, await foldTemperature(model, info, options.name), options);
}
