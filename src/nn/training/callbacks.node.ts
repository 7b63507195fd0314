/** Callbacks for `fit` that write to the disk. */
import { appendFile, writeFile } from 'node:fs/promises';
import { DiskError } from '../../errors.js';
import type { TrainingCallback } from './events.js';

const COLUMNS = ['epoch', 'seconds', 'learningRate', 'loss', 'accuracy', 'valLoss', 'valAccuracy'] as const;

/**
 * Writes a line of figures for each epoch: Keras' CSVLogger.
 * @param options.append goes on in a file that is there, as a resumed training does; else such a file is refused
 * @throws DiskError when the file is there already or cannot be written
 */
export function csvLog(path: string, { append = false }: { append?: boolean } = {}): TrainingCallback {
  const written = async (writing: Promise<void>): Promise<void> => {
    try {
      await writing;
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
      throw new DiskError(
        isThere
          ? `csvLog: ${path} is there already; give another name, or { append: true } to go on in it`
          : `csvLog: ${path} cannot be written: ${(error as Error).message}`,
      );
    }
  };
  return async (event) => {
    if (event.type === 'start') {
      const begun = writeFile(path, `${COLUMNS.join(',')}\n`, { flag: 'wx' });
      await written(append ? begun.catch(ignoreExisting) : begun);
    }
    if (event.type === 'epoch')
      await written(appendFile(path, `${COLUMNS.map((column) => event[column] ?? '').join(',')}\n`));
  };
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
