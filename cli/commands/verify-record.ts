/** `beltnet verify-record`: whether the record of a line is whole. */
import { UsageError } from '../../src/errors.js';
import { verifyLineRecord, type RecordHead } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { count, Output } from '../terminal/output.js';

/** Something differs. */
const DIFFERS = 12;

export const command = defineCommand({
  operands: { '<folder>': "the record's folder, as line.json or watch --record names it" },
  flags: {
    head: flag(
      '<count:hash>',
      'a head that was kept elsewhere, as heartbeats tell it: the record must hold it, or its end was cut',
      (name) =>
        (given: string): RecordHead => {
          const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(given);
          if (match) return { count: Number(match[1]), hash: match[2] };
          throw new UsageError(`${name}: expects a count and a hash, such as 42:${'0'.repeat(64)}, got ${given}`);
        },
    ),
    json: toggle('one JSON object on stdout'),
  },
  notes:
    'Exit code 12 where something differs. Who can write the folder can write a whole new chain: keep heads elsewhere (heartbeats\n' +
    'bring them to every output) and give one here.',
  examples: ['beltnet verify-record record', 'beltnet verify-record record --head 4711:9f86d0…'],
  async run([folder], options) {
    const output = new Output(options);
    const found = await verifyLineRecord(folder, options.head ? [options.head] : []);
    const { days, head, counts, from, to, problems, torn, pictures } = found;
    output.emit(found);
    const kinds = Object.entries(counts).map(([kind, number]) => count(number, kind));
    output.say(
      `${count(days, 'day')}, entries 1 to ${head.count}, ${from ?? '-'} to ${to ?? '-'}: ${kinds.join(', ')}`,
    );
    output.say(`Head: ${head.count}:${head.hash}`);
    output.say(`Pictures: ${pictures.whole} whole, ${pictures.gone} made room for newer ones`);
    if (torn !== null)
      output.say('The last line has no end, as after a power cut; the next start takes it away and says so');
    for (const problem of problems) output.say(`differs: ${problem}`);
    output.say(problems.length === 0 ? 'The record holds' : count(problems.length, 'problem'));
    return problems.length === 0 ? 0 : DIFFERS;
  },
});
