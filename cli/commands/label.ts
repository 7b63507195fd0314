/** `beltnet label`: pictures that a line has set aside, one after the other, for somebody to say what they are. */
import { UsageError } from '../../src/errors.js';
import { LABEL_PORT, LabelQueue, serveLabels } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { classNames, filePath, wholeNumber } from '../terminal/options.js';
import { count, Output, quoted } from '../terminal/output.js';

export const command = defineCommand({
  operands: { '<folder>': 'a folder with a queue.jsonl, or with a queue/ that has one (the folder of a record)' },
  flags: {
    classes: flag('<names>', 'what pictures can be, with commas between (default: what the model says)', classNames),
    out: flag('<dir>', 'copies what is labelled into the class folders of <dir>, and ends', filePath),
    port: flag('<n>', 'its port', (name) => wholeNumber(name, 0, 65_535), { default: LABEL_PORT }),
    json: toggle('one JSON object on stdout'),
  },
  notes:
    'Labels go into labels.csv beside the pictures (path,label,was: a manifest), each when it is given; the pictures are never changed.\n' +
    'Only this machine can open the page. Ctrl-C ends it; nothing is lost.',
  examples: [
    'beltnet label record',
    'beltnet label record --classes gap,ok,stain',
    'beltnet label record --out belt/train',
  ],
  async run([folder], options) {
    const output = new Output(options);
    const queue = new LabelQueue(folder);
    if (options.out !== undefined) {
      if (options.classes) throw new UsageError('--classes: is for the page, and --out opens none; leave one out');
      const { copied, there } = await queue.copyInto(options.out);
      output.emit({ out: options.out, copied, there });
      output.say(`${options.out}: ${count(copied, 'picture')} more${there > 0 ? `, ${there} were there already` : ''}`);
      output.say(`Train on it:  beltnet train ${quoted(options.out)} --from RUN`);
      return 0;
    }
    const { classes, port } = options;
    const served = await serveLabels(folder, { port, ...(classes && { classNames: classes }) });
    output.emit({ event: 'listening', url: served.url });
    output.say(`Page:    ${served.url}`);
    output.say(`Labels:  ${queue.table}`);
    output.say('Ctrl-C ends it');
    const { stopCode } = await stopInOrder(
      'The page is no longer served; all labels are written.',
      (signal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    await served.close();
    return stopCode ?? 0;
  },
});
