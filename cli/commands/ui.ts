/** `beltnet ui`: the page, on this machine. */
import { PAGE_PORT, servePage } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { wholeNumber } from '../terminal/options.js';
import { Output } from '../terminal/output.js';

export const command = defineCommand({
  operands: { '[run]': 'the folder of a run that the page opens' },
  flags: {
    port: flag('<n>', 'its port', (name) => wholeNumber(name, 0, 65_535), { default: PAGE_PORT }),
    json: toggle('one JSON object on stdout: where it is'),
  },
  notes:
    'The page trains, tries and proves in the browser: no picture leaves it. Only this machine can open it. Browsers keep projects by\n' +
    'address and port: with another --port they are not seen. Ctrl-C ends it; nothing is lost.',
  examples: ['beltnet ui', 'beltnet ui runs/first'],
  async run([run], options) {
    const output = new Output(options);
    const served = await servePage({ port: options.port, ...(run !== undefined && { run }) });
    output.emit({ event: 'listening', url: served.url });
    output.say(`Page:  ${served.url}`);
    if (run !== undefined) output.say(`Run:   ${run}`);
    output.say('Ctrl-C ends it');
    const { stopCode } = await stopInOrder(
      'The page is no longer served; what is open in browsers goes on until it is loaded again.',
      (signal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    await served.close();
    return stopCode ?? 0;
  },
});
