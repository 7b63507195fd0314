/** The commands by name. What a command takes and does is loaded when it is asked for: the list needs no engine. */
import { Command, Option } from 'commander';
import { addDefinition, type CommandDefinition, type Flag } from './terminal/command.js';
import { helpProse, narrowHelp } from './terminal/help.js';
import { printable } from './terminal/output.js';
import { version } from './version.js';

type Definition = CommandDefinition<Record<string, Flag<unknown>>>;

const commands: Readonly<Record<string, readonly [description: string, load: () => Promise<{ command: unknown }>]>> = {
  train: [
    'Train the network on a folder of pictures, one subfolder for each class.',
    () => import('./commands/train.js'),
  ],
  search: [
    'Try many trainings with values of a space, the best of them longer; several processes may share the work.',
    () => import('./commands/search.js'),
  ],
  evaluate: [
    'Measure a model on labelled pictures: loss, accuracy, missed alerts and false alarms.',
    () => import('./commands/evaluate.js'),
  ],
  threshold: [
    'Choose from which probability on the alert is raised: by costs, false alarms of a shift, or misses.',
    () => import('./commands/threshold.js'),
  ],
  runs: ['List runs with their figures, the best first.', () => import('./commands/runs.js')],
  compare: [
    'Runs side by side, whether they differ by more than chance, and in which options.',
    () => import('./commands/compare.js'),
  ],
  predict: ['Classify pictures. Results are sorted by path.', () => import('./commands/predict.js')],
  serve: ['Answer programs over HTTP: pictures in, verdicts out.', () => import('./commands/serve.js')],
  watch: ['Watch cameras with a model, raise the alarm, and record all of it.', () => import('./commands/watch.js')],
  merge: [
    'Join what --shard has made of predict, evaluate, audit or decode: what one process would have told.',
    () => import('./commands/merge.js'),
  ],
  report: [
    'Make one page of a run: curves, mistakes with heat maps, thresholds and costs, audit, model.',
    () => import('./commands/report.js'),
  ],
  ui: [
    'Open the page on this machine: collect pictures, train, try and prove in the browser.',
    () => import('./commands/ui.js'),
  ],
  label: [
    'Say what the pictures are that a line has set aside: a page, one picture after the other.',
    () => import('./commands/label.js'),
  ],
  relabel: [
    "Apply a report's list of new labels to a copy of a manifest or of class folders.",
    () => import('./commands/relabel.js'),
  ],
  explain: [
    'Show where in a picture that comes from what a model says of it: heat maps.',
    () => import('./commands/explain.js'),
  ],
  preview: [
    'Show how augmentation changes pictures: a contact sheet, each row an original and seven versions.',
    () => import('./commands/preview.js'),
  ],
  audit: [
    'Look for what would spoil a training: copies, leaks between sets, wrong labels, bad pictures.',
    () => import('./commands/audit.js'),
  ],
  synth: [
    "Make pictures of a belt to practise on: class 'ok' is well filled, 'gap' has a gap.",
    () => import('./commands/synth.js'),
  ],
  import: [
    'Make a model file of a Keras or ONNX model, with its classes and how pictures are prepared for it.',
    () => import('./commands/import.js'),
  ],
  export: ['Write a model in the format of another runtime.', () => import('./commands/export.js')],
  decode: [
    'Decode pictures and tell what is seen: format, size, and a hash of the pixels.',
    () => import('./commands/decode.js'),
  ],
  parity: [
    'Compare what a model says on all devices, in its ONNX export and in a page.',
    () => import('./commands/parity.js'),
  ],
  verify: [
    'Check a run against its record: files, pictures, labels, predictions, figures; --retrain trains again.',
    () => import('./commands/verify.js'),
  ],
  'tune-alarm': [
    'Replay a recorded shift, and choose how many frames of how many raise the alarm.',
    () => import('./commands/tune-alarm.js'),
  ],
  'verify-record': [
    'Check the record of a line: its chain of hashes across the days, and its pictures.',
    () => import('./commands/verify-record.js'),
  ],
  'compare-log': [
    'Compare the record of a line, in shadow mode say, with what its operators wrote down.',
    () => import('./commands/compare-log.js'),
  ],
  keygen: ['Make a pair of keys: one signs the record of runs, one checks it.', () => import('./commands/keygen.js')],
  devices: ['List what there is to compute on, and what --device auto takes.', () => import('./commands/devices.js')],
  gradcheck: [
    'Check every operation and its gradients on this machine against float64.',
    () => import('./commands/gradcheck.js'),
  ],
};

const EXIT_CODES =
  'Exit codes: 0 done, 1 a defect of beltnet, 2 usage, 3 pictures or folders, 4 model file, 5 no device,\n' +
  '6 device lost or out of memory, 7 NaN or infinite, 8 disk or output, 10 an alert (predict --exit-code), 11 findings (audit --strict),\n' +
  '12 a check failed, 129 terminal closed (SIGHUP), 130 Ctrl-C, 143 terminated (SIGTERM)';

/**
 * @param given the command line's words
 * @param finish takes the exit code of the command
 */
export async function createProgram(given: readonly string[], finish: (exitCode: number) => void): Promise<Command> {
  const program = new Command('beltnet')
    .configureHelp(narrowHelp)
    .description('Trains and runs convolutional classifiers on folders of pictures, on WebGPU or the CPU.')
    .version(version(), '-V, --version', 'print the version')
    .addHelpText(
      'after',
      ({ command }) =>
        `\nExample:\n  beltnet synth belt\n  beltnet train belt --epochs 10 --alert-class gap\n\n${helpProse(EXIT_CODES, command)}\n`,
    );
  for (const [name, [description, load]] of Object.entries(commands)) {
    const command = program.command(name).description(description);
    if (given.includes(name)) addDefinition(command, (await load()).command as Definition, finish);
  }
  for (const command of [program, ...program.commands]) {
    command
      .addOption(new Option('--debug', 'print stack traces of errors'))
      .helpOption('-h, --help', 'print this help')
      .exitOverride()
      .configureOutput({ outputError: (text, write) => write(commanderError(text, command)) });
  }
  return program.helpCommand('help [command]', 'print the help of a command');
}

/** Commander's messages in our form: one line that ends with the way out. */
function commanderError(text: string, command: Command): string {
  const message = text
    .replace(/^error: /, '')
    .trim()
    .replace(/\.?\s*\n\s*/g, ' ') // a second line is a suggestion in brackets
    .replace(/\.$/, '');
  const path = command.parent ? `${command.parent.name()} ${command.name()}` : command.name();
  return `beltnet: ${printable(message)}; see "${path} --help"\n`;
}
