/** The card and the record of a run whose folder is on the disk. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expectArray, expectFunction, expectObject, expectPath, expectText, objectWith, orNull } from '../../expect.js';
import { takeRunDirectory } from '../../files.node.js';
import { leaveFolder } from '../../lock.node.js';
import { filesIn, isRun } from '../run.node.js';
import type { ModelCard } from './card.js';
import type { RecordHead } from './chain.js';
import { nativeChain } from './chain.node.js';
import { kernelsDigest, pixelsDigest } from './digests.node.js';
import { expectKey, type SigningKey } from './keys.node.js';
import {
  cardOf,
  recordChange,
  recordTraining,
  type Author as AnyAuthor,
  type FinishedTraining as AnyTraining,
  type ProofTools,
} from './prove-run.js';
import { RECORD, type RecordEvent } from './record.js';
import { signerOf } from './record.node.js';

/** Who does something to a run. */
export interface Author extends Pick<AnyAuthor, 'by'> {
  /** Signs the entry in the record. */
  readonly key: SigningKey | null;
}

export interface FinishedTraining extends Omit<AnyTraining, 'signer'>, Author {
  readonly run: string;
}

const tools: ProofTools = { ...nativeChain, pixelsDigest, kernelsDigest };

/** The card of a run; null where it has none. @throws DataError */
export async function readCard(run: string): Promise<ModelCard | null> {
  expectPath(run, 'readCard: run');
  return cardOf(filesIn(run));
}

const expectTraining = objectWith({
  ...{ run: expectPath, sets: expectObject, judged: expectObject, command: expectText, choices: expectArray },
  ...{ by: expectObject, key: orNull(expectKey) },
});

/** Writes the card of a run's best model, and what was done into its record. */
export async function proveTraining(training: FinishedTraining): Promise<RecordHead> {
  expectTraining(training, 'proveTraining: training');
  const { run, key, ...others } = training;
  return recordTraining(filesIn(run), { ...others, signer: signerOf(key) }, tools);
}

/** The run in whose folder a model file is, if that has a record; else null. */
export const runOfModel = (modelFile: string): string | null => {
  expectPath(modelFile, 'runOfModel: modelFile');
  const folder = dirname(modelFile);
  return isRun(folder) && existsSync(join(folder, RECORD)) ? folder : null;
};

/**
 * Does something with a run's model, has the card say what the model file says now, and writes it into the record.
 *
 * @param work gives what the record keeps of it
 * @throws DiskError while another process is at work in the run, DataError for a record that does not hold; nothing is done then
 */
export async function proveChange(
  run: string,
  event: Exclude<RecordEvent, 'train' | 'repair'>,
  author: Author,
  work: () => Promise<object>,
): Promise<void> {
  expectObject(author, 'proveChange: author');
  const { by, key } = author;
  expectPath(run, 'proveChange: run');
  expectText(event, 'proveChange: event');
  expectObject(by, 'proveChange: by');
  orNull(expectKey)(key, 'proveChange: key');
  expectFunction(work, 'proveChange: work');
  takeRunDirectory(run);
  try {
    await recordChange(filesIn(run), event, { by, signer: signerOf(key) }, work, tools);
  } finally {
    leaveFolder(run);
  }
}
