/** `beltnet compare-log`: what a line recorded, against what its operators wrote down. */
import { compareWithLog } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { above0 } from '../terminal/common-flags.js';
import { count, Output } from '../terminal/output.js';

export const command = defineCommand({
  operands: {
    '<folder>': "the record's folder",
    '<log>': "the operators' log: CSV with the column time (ISO 8601) and, if they are known, camera, region, what",
  },
  flags: {
    within: flag('<s>', 'seconds that an alarm and what was noticed may lie apart', above0, { default: 120 }),
    json: toggle('one JSON object on stdout'),
  },
  notes: 'Neither is the truth: look at the picture of every disagreement before the line leaves its shadow mode.',
  examples: ['beltnet compare-log record monday.csv', 'beltnet compare-log record log.csv --within 30 --json'],
  async run([folder, log], options) {
    const output = new Output(options);
    const found = await compareWithLog(folder, log, options.within);
    const { from, to, agreed, onlyLine, onlyLog, outside } = found;
    output.emit(found);
    output.say(`${from} to ${to}: ${count(agreed.length, 'time')} both`);
    for (const { time, camera, region, reason, picture } of onlyLine)
      output.say(`only the line  ${time}  ${camera}/${region}: ${reason}${picture === null ? '' : `  ${picture}`}`);
    for (const { time, camera, region, what } of onlyLog)
      output.say(`only the log   ${time}  ${[camera, region].filter(Boolean).join('/') || '-'}: ${what || '-'}`);
    if (outside.length > 0) output.say(`${outside.length} of the log are of other times`);
    return 0;
  },
});
