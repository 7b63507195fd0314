/** Callbacks for `fit` that write to the disk. */
import { checkNames } from '../../options.js';
import { expectPath } from '../../expect.js';
import { writeFile } from 'node:fs/promises';
import { DiskError } from '../../errors.js';
import { appendLine } from '../../files.node.js';
import type { TrainingCallback } from './events.js';

const COLUMNS = ['epoch', 'seconds', 'learningRate', 'loss', 'accuracy', 'valLoss', 'valAccuracy'] as const;

/**
 * Writes a line of figures for each epoch: Keras' CSVLogger.
 * @param options.append goes on in a file that is there, as a resumed training does; else such a file is refused
 * @throws DiskError when the file is there already or cannot be written
 */
export function csvLog(path: string, options: { append?: boolean } = {}): TrainingCallback {
  expectPath(path, 'csvLog: path');
  checkNames('csvLog', options, { append: true });
  const { append = false } = options;
  return async (event) => {
    if (event.type === 'start') await begin(path, append);
    if (event.type === 'epoch') await appendLine(path, COLUMNS.map((column) => event[column] ?? '').join(','));
  };
}

async function begin(path: string, append: boolean): Promise<void> {
  try {
    await writeFile(path, `${COLUMNS.join(',')}\n`, { flag: 'wx' }); // never over another file
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    if (isThere && append) return;
    throw new DiskError(
      isThere
        ? `csvLog: ${path} is there already; give another name, or { append: true } to go on in it`
        : `csvLog: ${path} cannot be written: ${(error as Error).message}`,
    );
  }
}
