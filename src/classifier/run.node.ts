/** A run's folder: what was asked for (config.json), how it went (results.csv), and the model. */
import { rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { clearTemporaryFolders } from '../data/store/temporary-folder.node.js';
import { appendLine, clearRuns, createRunDirectory, writeFileAtomically } from '../files.node.js';
import { leaveFolder } from '../lock.node.js';
import type { EpochLog } from '../nn/training/events.js';

export interface Run {
  readonly directory: string;
  readonly modelPath: string;
  readonly configPath: string;
  readonly resultsPath: string;
  /** Everything that decides the result. */
  writeConfig(config: object): Promise<void>;
  /** Which WGSL variants of kernels were chosen, where the device has a choice: `--kernels` takes the file for the same bits. */
  writeKernels(choices: ReadonlyMap<string, string>): Promise<void>;
  /** Adds an epoch's figures; they are on the disk when this resolves. */
  addResult(log: EpochLog): Promise<void>;
}

const MODEL = 'model.safetensors';

/** The names of the figures in programs, as in `--json`. */
const RESULTS_HEADER = 'epoch,loss,accuracy,valLoss,valAccuracy,seconds';

/** @param given a model file, or the folder of a run */
export const modelFileOf = (given: string): string =>
  statSync(given, { throwIfNoEntry: false })?.isDirectory() ? join(given, MODEL) : given;

/**
 * Makes the folder of a new run. When the process ends, its lock and what is not complete are taken away, and the folder if there
 * is nothing else in it. What processes that were killed left in earlier runs is taken away, too.
 *
 * @param name of the folder; by default one that is free
 * @param onLeftovers takes what other processes have not completed that this one cannot know to be dead
 * @throws DiskError when the folder exists or cannot be made
 */
export async function openRun(
  parent: string,
  name?: string,
  onLeftovers: (paths: readonly string[]) => void = () => {},
): Promise<Run> {
  onLeftovers([...clearRuns(parent), ...clearTemporaryFolders()]);
  const directory = await createRunDirectory(parent, name);
  process.once('exit', () => {
    leaveFolder(directory);
    try {
      rmdirSync(directory); // fails unless it is empty, which is what is wanted
    } catch {
      // there is something in it
    }
  });
  const [modelPath, configPath, resultsPath] = [MODEL, 'config.json', 'results.csv'].map((file) =>
    join(directory, file),
  );
  return {
    directory,
    modelPath,
    configPath,
    resultsPath,
    async writeConfig(config) {
      await writeFileAtomically(configPath, `${JSON.stringify(config, null, 2)}\n`);
      await appendLine(resultsPath, RESULTS_HEADER);
    },
    async writeKernels(choices) {
      if (choices.size === 0) return;
      const sorted = [...choices].toSorted(([a], [b]) => (a < b ? -1 : 1));
      await writeFileAtomically(
        join(directory, 'kernels.json'),
        `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`,
      );
    },
    async addResult({ epoch, loss, accuracy, valLoss, valAccuracy, seconds }) {
      const cells = [epoch, loss, accuracy, valLoss ?? '', valAccuracy ?? '', seconds.toFixed(3)];
      await appendLine(resultsPath, cells.join(','));
    },
  };
}
