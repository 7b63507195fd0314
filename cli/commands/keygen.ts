/** `beltnet keygen`: a pair of keys, one to sign the record of runs, one to check them. */
import { createKeys } from '../../src/index.node.js';
import { defineCommand } from '../terminal/command.js';
import { Output } from '../terminal/output.js';

export const command = defineCommand({
  operands: { '<file>': 'new file for the private key; the public one goes to FILE.pub' },
  flags: {},
  notes: 'Keep the private key to yourself (it is made with mode 0600), and give FILE.pub to those who check.',
  examples: [
    'beltnet keygen night-shift',
    'beltnet train belt --key night-shift',
    'beltnet verify runs/run-1 --trust night-shift.pub',
  ],
  run([file]) {
    const { name, files } = createKeys(file);
    const output = new Output();
    output.say(`Private key: ${files[0]} (only for you: whoever has it can sign in your name)`);
    output.say(`Public key:  ${files[1]}`);
    output.say(`Name of the key in records: ${name}`);
    return Promise.resolve(0);
  },
});
