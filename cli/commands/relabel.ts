/** `beltnet relabel`: a report's list of new labels, applied to a copy. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DataError } from '../../src/errors.js';
import { hasRecord, isRun, modelFileOf, readNewLabels, relabel } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { filePath, folder } from '../terminal/options.js';
import { count, Output, quoted } from '../terminal/output.js';
import { authorOf, keyFlag, recorded } from '../terminal/proof.js';

export const command = defineCommand({
  operands: {
    '<labels>': 'relabel.csv of a report: path,label,was (paths as the training was given them, from this folder)',
    '<source>': 'the manifest, or the folder of class folders, that the pictures are in',
  },
  flags: {
    out: flag('<place>', 'the corrected copy: a new manifest beside, or a new folder', filePath, { required: true }),
    run: flag('<run>', 'the run from whose report the list is: what was done goes into its record', folder),
    key: keyFlag,
    json: toggle('one JSON object on stdout'),
  },
  notes:
    'Nothing that is given is changed. A picture that is not there, or that has another label by now, stops it before anything is written.',
  examples: [
    'beltnet relabel relabel.csv belt --out belt-corrected',
    'beltnet relabel relabel.csv belt --out belt-corrected --run runs/first',
    'beltnet relabel relabel.csv belt.csv --out belt-2.csv',
  ],
  async run([table, source], { out, run, ...options }) {
    const output = new Output(options);
    const author = authorOf(options);
    if (run !== undefined && !(isRun(run) && hasRecord(run)))
      throw new DataError(`--run: expects a run with a record, got '${run}'`);
    const labels = await readNewLabels(table);
    let [pictures, changed] = [0, 0];
    const correct = async (): Promise<object> => {
      ({ pictures, changed } = await relabel(source, labels, out));
      const digest = createHash('sha256')
        .update(await readFile(table))
        .digest('hex');
      return { table, sha256: digest, source, out, pictures, changed };
    };
    if (run === undefined) await correct();
    else await recorded(modelFileOf(run), 'relabel', author, correct);
    output.emit({ source, out, pictures, changed });
    output.say(`${out}: ${count(pictures, 'file')}, ${changed} with a new label; ${source} is as it was`);
    output.say(`Train on it:  beltnet train ${quoted(out)}`);
    return 0;
  },
});
