/** `beltnet report`: all that is known of a run, on one page that asks nobody for anything. */
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UsageError } from '../../src/errors.js';
import { isSearch, reportHtml, reportOf, searchHtml, searchResult, writeFileAtomically } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { deviceFlags } from '../terminal/common-flags.js';
import { withDevice } from '../terminal/device.js';
import { refuseExisting } from '../terminal/new-file.js';
import { filePath } from '../terminal/options.js';
import { count, Output, showProgress } from '../terminal/output.js';

export const command = defineCommand({
  operands: { '<run>': 'the folder of a run, or of a search' },
  flags: {
    out: flag(
      '<file>',
      "where it goes: a new file (default: report.html in the run's folder, made anew each time)",
      filePath,
    ),
    ...deviceFlags,
    json: toggle('one JSON object on stdout: what was put into the report'),
  },
  notes:
    'One file without any request: curves, what was taken for what with pictures and heat maps, thresholds and their costs, audit, model.\n' +
    'Pictures are read where the run says they were; up to 1,000 mistakes and 20 of each cell are carried in it, small.',
  examples: ['beltnet report runs/first'],
  async run([run], options) {
    const { out } = options;
    const output = new Output(options);
    if (isSearch(run)) return reportSearch(run, out, output);
    if (!existsSync(join(run, 'config.json')))
      throw new UsageError(`report: expects the folder of a run with its config.json, or of a search, got '${run}'`);
    if (out !== undefined) refuseExisting('--out', out);
    return withDevice(options, async (device) => {
      const data = await reportOf(run, {
        device,
        onProgress: (done, total) => showProgress(() => `Pictures ${Math.min(done, total)}/${total}`),
      });
      const place = out ?? join(run, 'report.html');
      await writeFileAtomically(place, Buffer.from(reportHtml(data)));
      const pictures = data.sets.reduce((sum, { files }) => sum + files.length, 0);
      const carried = data.sets.reduce((sum, set) => sum + Object.keys(set.pictures).length, 0);
      const bytes = statSync(place).size;
      output.emit({ report: place, bytes, pictures, carried, runs: data.runs.length, notes: data.notes });
      output.say(`${place}: ${count(pictures, 'picture')}, ${carried} of them shown; ${(bytes / 1e6).toFixed(1)} MB`);
      return 0;
    });
  },
});

async function reportSearch(directory: string, out: string | undefined, output: Output): Promise<number> {
  if (out !== undefined) refuseExisting('--out', out);
  const result = await searchResult(directory);
  const place = out ?? join(directory, 'report.html');
  await writeFileAtomically(place, searchHtml(basename(join(directory, '.')), result));
  output.emit({ report: place, bytes: statSync(place).size, trials: result.trials.length, winner: result.winner });
  output.say(`${place}: ${count(result.trials.length, 'trial')}`);
  return 0;
}
