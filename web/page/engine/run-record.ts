/** The card and the record of the page's runs, as the command line writes them. */
import { CHOSEN_BY, type Run } from '../../../src/index.js';
import { recordChange, recordTraining, toolsAnywhere, type Author } from '../../../src/classifier/proof/prove-run.js';
import { RECORD } from '../../../src/classifier/proof/record.js';
import type { JudgedSets, SetsOfRun } from '../../../src/index.js';

/** For config.json, and for who did something. */
export const versions = () => ({ beltnet: BELTNET_VERSION, node: 'none: a page', platform: navigator.userAgent });

const tools = toolsAnywhere(BELTNET_KERNELS);
const author = (): Author => ({ by: versions(), signer: null });

export interface EndedTraining {
  readonly sets: SetsOfRun;
  readonly judged: JudgedSets;
  /** The line that trains the same on a command line. */
  readonly command: string;
  /** Null for a training without epochs. */
  readonly epochs: number | null;
  readonly bestEpoch: number | null;
}

/** What a training that came to its end leaves for those who did not see it. */
export async function recordEnd({ files }: Run, training: EndedTraining): Promise<void> {
  const { sets, epochs } = training;
  const choices =
    epochs !== null && sets.validation ? [{ what: 'Best epoch', by: CHOSEN_BY, on: sets.validation.name }] : [];
  await recordTraining(files, { ...training, ...author(), choices }, tools);
}

/**
 * Changes the run's model and writes that into the run's record, where it has one: a model that was opened alone has none.
 * @param work gives what the record keeps of it
 */
export async function recorded(
  { files }: Run,
  event: 'threshold' | 'calibrate',
  work: () => Promise<object>,
): Promise<void> {
  const hasRecord = (await files.read(RECORD)) !== null;
  if (!hasRecord) await work();
  else await recordChange(files, event, author(), async () => ({ command: 'the page', ...(await work()) }), tools);
}
