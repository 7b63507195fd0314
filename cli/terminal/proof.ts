/** The record of runs and their card, as commands write them. */
import { proveChange, readSigningKey, runOfModel, type Author } from '../../src/index.node.js';
import { versions } from '../version.js';
import { flag } from './command.js';
import { filePath } from './options.js';
import { note, quoted } from './output.js';

export const keyFlag = flag(
  '<file>',
  "private key that signs what is added to the run's record (beltnet keygen makes one)",
  filePath,
);

/** Who does it. Asked for before the work, so that a key that cannot be used is told at once. @throws UsageError */
export const authorOf = ({ key }: { readonly key: string | undefined }): Author => ({
  by: versions(),
  key: key === undefined ? null : readSigningKey(key),
});

/** The command line as it was given. */
export const commandLine = (): string => ['beltnet', ...process.argv.slice(2)].map(quoted).join(' ');

/**
 * Does something with a model and writes it into the record of its run, if the model is in one that has a record.
 *
 * @param work gives what the record keeps of it
 * @throws DiskError while another process is at work in the run; nothing is done then
 */
export async function recorded(
  modelFile: string,
  event: Parameters<typeof proveChange>[1],
  author: Author,
  work: () => Promise<object>,
): Promise<void> {
  const run = runOfModel(modelFile);
  if (run !== null) return proveChange(run, event, author, async () => ({ command: commandLine(), ...(await work()) }));
  await work();
  if (author.key) note(`note: ${modelFile} is in no run with a record, so that nothing was signed`);
}
