/** `beltnet parity`: whether a model says the same on every device, in its ONNX file and in a page. */
import { compareEverywhere } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { filePath } from '../terminal/options.js';
import { note, Output, showProgress } from '../terminal/output.js';
import { parityLines } from '../terminal/parity.js';
import { authorOf, keyFlag, recorded } from '../terminal/proof.js';

/** The exit code when something differs. */
const DIFFERS = 12;

export const command = defineCommand({
  operands: { '<model>': 'model.safetensors, or the folder of a run', '<dir>': 'pictures to compare on' },
  flags: {
    withoutOnnx: toggle('do without the ONNX export, which onnxruntime-web runs', { conflicts: 'onnxFile' }),
    onnxFile: flag('<file>', 'take this ONNX file (export --with-preprocessing) rather than a new one', filePath),
    page: flag(
      '<file>',
      "predictions.csv of a page, or of predict --csv, on the same pictures; told by the files' names",
      filePath,
    ),
    write: toggle(
      'keep 16 of the pictures with their verdicts in the model file, if all agree: where it is served it must say the same of them',
    ),
    key: keyFlag,
    json: toggle('one JSON object on stdout'),
  },
  notes:
    'All are compared with the plain kernels in float64. The verdict goes onto the card of the run. The exit code is 12 when one differs.',
  examples: ['beltnet parity runs/first belt/test_set', 'beltnet parity runs/first photos --page predictions.csv'],
  async run([model, directory], options) {
    const author = authorOf(options);
    const output = new Output(options);
    const parity = await compareEverywhere(model, directory, {
      ...{ onnx: !options.withoutOnnx, onnxFile: options.onnxFile, table: options.page, store: options.write },
      onProgress: (done, total) => showProgress(() => `Loading pictures ${done}/${total}`),
    });
    const { notes, pixels, allPixels, model: name, size: _, ...verdict } = parity;
    await recorded(name, 'parity', author, () =>
      Promise.resolve({ parity: verdict, pixels: allPixels, pictures: directory }),
    );
    output.emit({ model: name, ...verdict, pixels, allPixels });
    for (const line of parityLines(parity, directory)) output.say(line);
    for (const each of notes) note(each);
    if (options.write && verdict.passed)
      output.say(`${name}: keeps verdicts that it must give again where it is served`);
    if (!verdict.passed) note('beltnet: not all say the same');
    return verdict.passed ? 0 : DIFFERS;
  },
});
