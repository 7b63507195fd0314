/** The doors to Keras' formats: what is behind them, and its libraries, are loaded when they are used. */
import type { Model } from '../../nn/model.js';
import type { ImportedKeras, KerasFile } from './import-keras.js';

export type { ImportedKeras, KerasFile };

/**
 * A model of Keras 1 to 3 from the bytes of its files; docs/keras.md lists the layers. Files of strangers are better read in a
 * worker that can be ended: `loadKeras` of the Node entry does so by itself.
 * @param files a `.keras` archive or a full-model `.h5` alone, or `model.json` and its weights `.h5`; told by their content
 * @throws ModelFileError naming the file and what was expected; UsageError when the optional package `jsfive` is missing
 * @example
 * const { model, rescaling } = await importKeras([{ name: 'model.keras', bytes }]);
 */
export async function importKeras(files: readonly KerasFile[]): Promise<ImportedKeras> {
  return (await import('./import-keras.js')).importKeras(files);
}

/**
 * The model as a `.keras` archive, which Keras 3 opens with `load_model`. It takes what the model takes: rescaled pixels.
 * @throws UsageError when the optional package `h5wasm` is missing
 */
export async function exportKeras(model: Model): Promise<Uint8Array> {
  return (await import('./export-keras.js')).exportKeras(model);
}
