/** `beltnet relabel`: a report's list of new labels, applied to a copy. */
import { readNewLabels, relabel } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { filePath } from '../terminal/options.js';
import { count, Output, quoted } from '../terminal/output.js';

export const command = defineCommand({
  operands: {
    '<labels>': 'relabel.csv of a report: path,label,was (paths as the training was given them, from this folder)',
    '<source>': 'the manifest, or the folder of class folders, that the pictures are in',
  },
  flags: {
    out: flag('<place>', 'the corrected copy: a new manifest beside, or a new folder', filePath, { required: true }),
    json: toggle('one JSON object on stdout'),
  },
  notes:
    'Nothing that is given is changed. A picture that is not there, or that has another label by now, stops it before anything is written.',
  examples: [
    'beltnet relabel relabel.csv belt --out belt-corrected',
    'beltnet relabel relabel.csv belt.csv --out belt-2.csv',
  ],
  async run([table, source], { out, ...options }) {
    const output = new Output(options);
    const { pictures, changed } = await relabel(source, await readNewLabels(table), out);
    output.emit({ source, out, pictures, changed });
    output.say(`${out}: ${count(pictures, 'file')}, ${changed} with a new label; ${source} is as it was`);
    output.say(`Train on it:  beltnet train ${quoted(out)}`);
    return 0;
  },
});
