/** ONNX files on disk, with the files beside them that hold their weights. */
import { expectObject } from '../../expect.js';
import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { ModelFileError } from '../../errors.js';
import { readWholeFile } from '../../files.node.js';
import { MODEL_FILE } from '../beltnet/model.node.js';
import { externalFilesOf, importOnnx, type ImportedOnnx, type ImportOnnxOptions } from './import-onnx.js';

const MOST_FILES = 1000;

/**
 * A network of another library from an ONNX file, of operator set 7 or later; docs/onnx.md lists the operators.
 * @throws ModelFileError naming the node and its operator, what was expected and what was received
 * @example
 * const { model } = await loadOnnx('resnet18.onnx');
 */
export async function loadOnnx(path: string, options: Pick<ImportOnnxOptions, 'size'> = {}): Promise<ImportedOnnx> {
  expectObject(options, 'loadOnnx: options');
  const { size } = options;
  const bytes = await readWholeFile(path, MODEL_FILE);
  const locations = externalFilesOf(bytes, path);
  if (locations.length > MOST_FILES)
    throw new ModelFileError(`${path}: expects weights in at most ${MOST_FILES} files, got ${locations.length}`);
  const files = new Map<string, Uint8Array>();
  for (const location of locations) files.set(location, await readBeside(path, location));
  return importOnnx(bytes, { name: path, files, ...(size && { size }) });
}

/** A file in the model's folder or further down, and nowhere else, whatever links there are. */
async function readBeside(path: string, location: string): Promise<Uint8Array> {
  const folder = dirname(resolve(path));
  const file = resolve(folder, location);
  const refuse = (): never => {
    throw new ModelFileError(`${path}: expects weights in files within the model's folder, got '${location}'`);
  };
  const isWithin = (parent: string, child: string): boolean => {
    const way = relative(parent, child);
    return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  };
  if (location.includes('\0') || !isWithin(folder, file)) refuse();
  try {
    if (!isWithin(await realpath(folder), await realpath(file))) refuse();
  } catch (error) {
    if (error instanceof ModelFileError) throw error; // otherwise reading it says what is wrong
  }
  return readWholeFile(file, MODEL_FILE);
}
