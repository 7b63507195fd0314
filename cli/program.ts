/**
 * The commands and their options. What a command does is loaded when it runs: `--help` needs neither the engine nor the
 * decoders.
 */
import { Command, Option } from 'commander';
import type { AuditOptions } from './commands/audit.js';
import type { DecodeOptions } from './commands/decode.js';
import type { DevicesOptions } from './commands/devices.js';
import type { EvaluateOptions } from './commands/evaluate.js';
import {
  angle,
  classNames,
  exportFormats,
  factor,
  filePath,
  folder,
  folderName,
  interpolations,
  numberWhere,
  oneOf,
  pictureSize,
  profiles,
  range,
  region,
  regularExpression,
  wholeNumber,
  type ExportFormat,
  type Parser,
} from './terminal/options.js';
import { printable } from './terminal/output.js';
import type { ExportOptions } from './commands/export.js';
import type { GradcheckOptions } from './commands/gradcheck.js';
import type { ImportOptions } from './commands/import.js';
import type { PredictOptions } from './commands/predict.js';
import type { PreviewOptions } from './commands/preview.js';
import type { SynthOptions } from './commands/synth.js';
import type { TrainOptions } from './commands/train.js';
import { version } from './version.js';

const LARGEST_BATCH = 65536;
const MOST_THREADS = 64;
const MOST_WORKERS = 256;
const MOST_PICTURES = 200_000;

const formatNames = Object.keys(exportFormats) as readonly ExportFormat[];

/** What the option takes, and what it is when it is left out: its value, and how that is written. */
interface Value<Type> {
  readonly parser: (option: string) => Parser<Type>;
  readonly default?: Type;
  readonly written?: string;
  readonly choices?: readonly string[];
}

function option<Type>(flags: string, description: string, value: Value<Type>): Option {
  const made = new Option(flags, description);
  if (value.choices) made.choices(value.choices); // for the help; the parser below takes its place
  made.argParser(value.parser(made.long ?? flags));
  if (value.default !== undefined) made.default(value.default, value.written);
  return made;
}

const choice = (flags: string, description: string, choices: readonly string[]): Option =>
  option(flags, description, {
    parser: (name) => oneOf(name, choices),
    default: choices[0],
    written: choices[0],
    choices,
  });

/** Number from 1, in digits. */
const positive = (name: string): Parser<number> => wholeNumber(name, 1);

const common = {
  size: () =>
    option('--size <WxH>', 'width and height to which pictures are resized', {
      parser: pictureSize,
      default: { width: 64, height: 64 },
      written: '64x64',
    }),
  resize: () => choice('--resize <method>', "how they are resized, exactly as Pillow's", interpolations),
  roi: () =>
    option('--roi <x,y,w,h>', 'use only this part of each picture, in its own pixels (region of interest)', {
      parser: region,
    }),
  exif: () => new Option('--exif', 'turn pictures as their EXIF orientation says (default: ignore it, as Keras does)'),
  difficulty: () =>
    option('--difficulty <part>', 'spoil the pictures: noise, blur, dirt on the lens, a lost lane; from 0 to 1', {
      parser: (name) => numberWhere(name, 'a number from 0 to 1', (value) => value >= 0 && value <= 1),
      default: 0,
    }),
  normalize: () =>
    choice('--normalize <how>', "centre and divide by the deviation: of each picture, or of the set's channels", [
      'none',
      'samplewise',
      'featurewise',
    ]),
  batch: () =>
    option('--batch <n>', 'pictures a step', { parser: (name) => wholeNumber(name, 1, LARGEST_BATCH), default: 32 }),
  seed: (description: string) =>
    option('--seed <n>', description, { parser: (name) => wholeNumber(name, 0), default: 0 }),
  split: (description: string) =>
    option('--split <fraction>', description, {
      parser: (name) =>
        numberWhere(name, 'a fraction above 0 and below 1, such as 0.2', (value) => value > 0 && value < 1),
    }),
  groupBy: () =>
    option(
      '--group-by <regex>',
      "what --split keeps together: pictures with an equal match (its first group, if any) in their paths; a manifest's column 'group' does the same",
      { parser: regularExpression },
    ),
  device: () =>
    choice('--device <name>', 'what to compute on; auto takes a hardware GPU, else the CPU', ['auto', 'webgpu', 'cpu']),
  threads: () =>
    option(
      '--threads <n>',
      'threads of the cpu device; same results with any number (default: one per core, at most 8)',
      {
        parser: (name) => wholeNumber(name, 1, MOST_THREADS),
      },
    ),
  workers: () =>
    option('--workers <n>', 'threads that decode pictures (default: one per processor core)', {
      parser: (name) => wholeNumber(name, 0, MOST_WORKERS),
    }),
  noCache: () => new Option('--no-cache', 'decode all pictures again, and keep none'),
  cache: () =>
    option('--cache <dir>', "folder for decoded pictures (default: BELTNET_CACHE, or the system's place)", {
      parser: folder,
    }),
  cacheLimit: () =>
    option('--cache-limit <gb>', 'room for them; those used least recently go first', {
      parser: (name) => numberWhere(name, 'a number above 0', (value) => value > 0),
      default: 10,
    }),
  onBad: () =>
    choice('--on-bad <what>', 'what to do with a picture that cannot be used: leave it out and name it, or stop', [
      'skip',
      'fail',
    ]),
};

export function createProgram(finish: (exitCode: number) => void): Command {
  const program = new Command('beltnet')
    .description('Trains and runs convolutional classifiers on folders of pictures, on WebGPU or the CPU.')
    .version(version(), '-V, --version', 'print the version')
    .addHelpText(
      'after',
      '\nExample:\n  beltnet synth belt\n  beltnet train belt --epochs 10 --alert-class gap\n\n' +
        'Exit codes: 0 done, 1 a defect of beltnet, 2 usage, 3 pictures or folders, 4 model file, 5 no device,\n' +
        '6 device lost or out of memory, 7 NaN or infinite, 8 disk or output, 11 findings (audit --strict), 12 a check failed,\n' +
        '129 terminal closed (SIGHUP), 130 Ctrl-C, 143 terminated (SIGTERM)\n',
    );

  const train = program
    .command('train')
    .description('Train the network on a folder of pictures, one subfolder for each class.')
    .argument(
      '<dir>',
      'training_set/ or train/ beside test_set/, test/ or val/, each with the class folders; or the class folders (see --split); ' +
        'or a manifest (.csv or .jsonl: path,label[,group,split]); or a practice set (MNIST, CIFAR, .npy, .npz)',
    )
    .addOption(common.size())
    .addOption(common.resize())
    .addOption(common.roi())
    .addOption(common.exif())
    .addOption(
      option('--rescale <factor>', 'factor on the pixel values 0 to 255: a number or a fraction', {
        parser: factor,
        default: 1 / 255,
        written: '1/255',
      }),
    )
    .addOption(common.split('part of the pictures kept for validation, where there is no folder of such'))
    .addOption(common.groupBy())
    .addOption(common.batch())
    .addOption(option('--epochs <n>', 'epochs to train', { parser: positive, default: 25 }))
    .addOption(
      option('--steps-per-epoch <n>', 'steps an epoch (default: one pass over the pictures)', { parser: positive }),
    )
    .addOption(option('--validation-steps <n>', 'validation steps an epoch (default: one pass)', { parser: positive }))
    .addOption(common.normalize())
    .addOption(
      option('--lr <rate>', 'learning rate of Adam', {
        parser: (name) => numberWhere(name, 'a number above 0', (value) => value > 0),
        default: 0.001,
      }),
    )
    .addOption(common.seed('decides initial weights, order, augmentation and split'))
    .addOption(new Option('--alert-class <name>', 'class that raises the alert (default: the second by name)'))
    .addOption(common.device())
    .addOption(common.threads())
    .addOption(common.workers())
    .addOption(option('--out <dir>', 'folder of all runs', { parser: folder, default: 'runs', written: 'runs' }))
    .addOption(
      option('--name <name>', 'name of this run; an existing run is never overwritten (default: a new one)', {
        parser: folderName,
      }),
    )
    .addOption(common.noCache())
    .addOption(common.cache())
    .addOption(common.cacheLimit())
    .addOption(common.onBad())
    .addOption(
      new Option(
        '--kernels <file>',
        'kernels.json of an earlier run: its choice of WGSL variants, for the same bits (hardware adapters try and choose)',
      ),
    )
    .addOption(
      new Option(
        '--profile-kernels',
        "after the training, the time of a step's kernels, FLOP/s, bytes/s, share of peak",
      ),
    )
    .addOption(jsonOption('one JSON object a line on stdout: start, each epoch, profile, end'))
    .addHelpText(
      'after',
      '\nWrites RUN/model.safetensors after each epoch, RUN/config.json and RUN/results.csv.\n\n' +
        'Examples:\n  beltnet train belt --epochs 10 --horizontal-flip --alert-class gap\n' +
        '  beltnet train pictures --split 0.2 --shear 12deg --zoom 0.2 --name first\n',
    )
    .action(async (directory: string, options: TrainOptions) =>
      finish(await (await import('./commands/train.js')).train(directory, options)),
    );
  addAugmentation(train);

  program
    .command('evaluate')
    .description('Measure a model on labelled pictures: loss, accuracy, missed alerts and false alarms.')
    .argument('<model>', 'model.safetensors, or the folder of a run')
    .argument('<dir>', 'folder with the class folders; of a divided data set its validation or test pictures are taken')
    .addOption(common.split('only the part that train --split keeps for validation'))
    .addOption(common.groupBy())
    .addOption(common.difficulty())
    .addOption(common.seed('of that split, and of the defects that --difficulty draws'))
    .addOption(common.batch())
    .addOption(common.device())
    .addOption(common.threads())
    .addOption(common.workers())
    .addOption(common.noCache())
    .addOption(common.cache())
    .addOption(common.cacheLimit())
    .addOption(common.onBad())
    .addOption(jsonOption('one JSON object on stdout'))
    .addHelpText('after', '\nExample:\n  beltnet evaluate runs/first/model.safetensors belt/test_set\n')
    .action(async (model: string, directory: string, options: EvaluateOptions) =>
      finish(await (await import('./commands/evaluate.js')).evaluate(model, directory, options)),
    );

  program
    .command('predict')
    .description('Classify pictures. Results are sorted by path.')
    .argument('<model>', 'model.safetensors, or the folder of a run')
    .argument(
      '<paths...>',
      'pictures, folders (with all pictures in them), patterns with *, manifests and practice sets',
    )
    .addOption(common.batch())
    .addOption(common.device())
    .addOption(common.threads())
    .addOption(common.workers())
    .addOption(
      jsonOption('one JSON object a picture: file, class, probability, probabilities, alert; or file, error').conflicts(
        'csv',
      ),
    )
    .addOption(new Option('--csv', 'comma-separated: file, class, probability, alert, error'))
    .addHelpText(
      'after',
      '\nA picture that cannot be used is named with the reason, the others are classified; the exit code is 3 then.\n\n' +
        'Example:\n  beltnet predict runs/first/model.safetensors new/ "more/*.jpg" --json\n',
    )
    .action(async (model: string, paths: string[], options: PredictOptions) =>
      finish(await (await import('./commands/predict.js')).predict(model, paths, options)),
    );

  const preview = program
    .command('preview')
    .description('Show how augmentation changes pictures: a contact sheet, each row an original and seven versions.')
    .argument('<dir>', 'a divided data set, class folders, any folder of pictures, a manifest or a practice set')
    .addOption(common.size())
    .addOption(common.resize())
    .addOption(common.roi())
    .addOption(common.exif())
    .addOption(
      option('--count <n>', 'pictures, of all classes in turn', {
        parser: (name) => wholeNumber(name, 1, 64),
        default: 8,
      }),
    )
    .addOption(common.difficulty())
    .addOption(common.seed('decides what is drawn, as in a training'))
    .addOption(option('--out <file>', 'where the sheet goes (default: preview.png here)', { parser: filePath }))
    .addHelpText('after', '\nExample:\n  beltnet preview belt --shear 12deg --zoom 0.2 --horizontal-flip\n')
    .action(async (directory: string, options: PreviewOptions) =>
      finish(await (await import('./commands/preview.js')).preview(directory, options)),
    );
  addAugmentation(preview);

  program
    .command('audit')
    .description('Look for what would spoil a training: copies, leaks between sets, wrong labels, bad pictures.')
    .argument(
      '<dirs...>',
      'a divided data set (and folders of pictures to predict beside it), folders with class folders, any folders of pictures, ' +
        'manifests, practice sets',
    )
    .addOption(new Option('--strict', 'exit code 11 when there is a problem or a warning'))
    .addOption(
      option('--near <levels>', 'how alike near duplicates are: mean difference of brightness, in levels of 255', {
        parser: (name) => numberWhere(name, 'a number from 0 to 64', (value) => value >= 0 && value <= 64),
        default: 2,
      }),
    )
    .addOption(new Option('--no-sheet', 'write no contact sheet'))
    .addOption(option('--sheet <file>', 'where the contact sheet goes (default: audit.png here)', { parser: filePath }))
    .addOption(common.noCache())
    .addOption(common.cache())
    .addOption(common.cacheLimit())
    .addOption(common.workers())
    .addOption(jsonOption('one JSON object on stdout: sets, findings'))
    .addHelpText(
      'after',
      '\nNothing is moved or deleted.\n\nExamples:\n  beltnet audit belt\n  beltnet audit belt/training_set new/ --near 4 --strict\n',
    )
    .action(async (directories: string[], options: AuditOptions) =>
      finish(await (await import('./commands/audit.js')).auditCommand(directories, options)),
    );

  program
    .command('synth')
    .description("Make pictures of a belt to practise on: class 'ok' is well filled, 'gap' has a gap.")
    .argument('<dir>', 'new folder for training_set/ and test_set/')
    .addOption(
      option('--count <n>', 'pictures in all', { parser: (name) => wholeNumber(name, 4, MOST_PICTURES), default: 800 }),
    )
    .addOption(
      option('--size <WxH>', 'width and height of each', {
        parser: pictureSize,
        default: { width: 320, height: 240 },
        written: '320x240',
      }),
    )
    .addOption(common.seed('same seed, same pictures'))
    .addHelpText('after', '\nExample:\n  beltnet synth belt --count 800 --size 320x240 --seed 0\n')
    .action(async (directory: string, options: SynthOptions) =>
      finish(await (await import('./commands/synth.js')).synth(directory, options)),
    );

  program
    .command('import')
    .description('Make a model file of a Keras model, with its classes and how pictures are prepared for it.')
    .argument('<files...>', 'a .keras archive, a full model .h5, or model.json and its weights .h5')
    .addOption(option('-o, --output <file>', 'the new model file', { parser: filePath }).makeOptionMandatory())
    .addOption(
      option('--classes <a,b>', 'names of the classes in the order of their indices (default: 0,1 and so on)', {
        parser: classNames,
      }),
    )
    .addOption(common.resize())
    .addOption(common.roi())
    .addOption(common.exif())
    .addOption(
      option(
        '--rescale <factor>',
        'factor on the pixel values 0 to 255 (default: 1/255; 1 when the model begins with Rescaling)',
        { parser: factor },
      ),
    )
    .addOption(new Option('--alert-class <name>', 'class that raises the alert (default: the second)'))
    .addOption(
      option('--threshold <p>', 'probability of that class from which on the alert is raised', {
        parser: (name) => numberWhere(name, 'a number from 0 to 1', (value) => value >= 0 && value <= 1),
        default: 0.5,
      }),
    )
    .addOption(jsonOption('one JSON object on stdout: model, inputShape, classes, preprocessing, alert, notes'))
    .addHelpText(
      'after',
      '\nKeras 1 to 3, Sequential models and graphs; docs/keras.md lists layers and options.\n\nExamples:\n' +
        '  beltnet import model.json model.h5 -o model.safetensors --classes gap,ok --alert-class gap\n' +
        '  beltnet import classifier.keras -o model.safetensors --resize bilinear --rescale 1/255\n',
    )
    .action(async (files: string[], options: ImportOptions) =>
      finish(await (await import('./commands/import.js')).importModel(files, options)),
    );

  program
    .command('export')
    .description('Write a model in the format of another runtime.')
    .argument('<model>', 'model.safetensors, or the folder of a run')
    .addOption(option('-o, --output <file>', 'the new file', { parser: filePath }).makeOptionMandatory())
    .addOption(
      option('--format <name>', "what to write (default: by the file's ending)", {
        parser: (name) => oneOf(name, formatNames),
        choices: formatNames,
      }),
    )
    .addOption(
      new Option('--with-preprocessing', 'onnx: take decoded pictures (uint8), do the preprocessing in the graph'),
    )
    .addHelpText(
      'after',
      `\nFormats:\n${Object.entries(exportFormats)
        .map(([name, { extension, writes }]) => `  ${name.padEnd(18)} ${extension.padEnd(13)} ${writes}\n`)
        .join('')}\nExample:\n  beltnet export runs/first -o belt.onnx --with-preprocessing\n`,
    )
    .action(async (model: string, options: ExportOptions) =>
      finish(await (await import('./commands/export.js')).exportModel(model, options)),
    );

  program
    .command('decode')
    .description('Decode pictures and tell what is seen: format, size, and a hash of the pixels.')
    .argument('<files...>', 'pictures: JPEG, PNG or BMP')
    .addOption(common.exif())
    .addOption(jsonOption('one JSON object a file: file, format, width, height, rgbSha256; or file, error'))
    .addHelpText(
      'after',
      '\nThe hash is SHA-256 of the RGB bytes, row by row. A file that cannot be decoded is named with the reason, the others are\n' +
        'decoded; the exit code is 3 then.\n\nExample:\n  beltnet decode picture.jpg --json\n',
    )
    .action(async (files: string[], options: DecodeOptions) =>
      finish(await (await import('./commands/decode.js')).decodeFiles(files, options)),
    );

  program
    .command('devices')
    .description('List what there is to compute on, and what --device auto takes.')
    .addOption(jsonOption('one JSON object on stdout'))
    .addHelpText('after', '\nExample:\n  beltnet devices --json\n')
    .action(async (options: DevicesOptions) => finish(await (await import('./commands/devices.js')).devices(options)));

  program
    .command('gradcheck')
    .description('Check every operation and its gradients on this machine against float64.')
    .argument('[dir]', 'pictures for --model')
    .addOption(common.device())
    .addOption(common.threads())
    .addOption(new Option('--op <name>', 'only this operation or kernel, or network'))
    .addOption(new Option('--model <model>', 'also compare what all devices predict for the pictures of <dir>'))
    .addOption(jsonOption('one JSON object a line on stdout'))
    .addHelpText(
      'after',
      '\nThe exit code is 12 when a check fails.\n\nExamples:\n  beltnet gradcheck --device webgpu\n' +
        '  beltnet gradcheck --op conv2d --model runs/first belt/test_set\n',
    )
    .action(async (directory: string | undefined, options: GradcheckOptions) =>
      finish(await (await import('./commands/gradcheck.js')).gradcheck(directory, options)),
    );

  for (const command of [program, ...program.commands]) {
    command
      .addOption(new Option('--debug', 'print stack traces of errors'))
      .helpOption('-h, --help', 'print this help')
      .exitOverride()
      .configureOutput({ outputError: (text, write) => write(commanderError(text, command)) });
  }
  program.helpCommand('help [command]', 'print the help of a command');
  return program;
}

/** The options of Keras' ImageDataGenerator. */
function addAugmentation(command: Command): void {
  const atLeast0 = (name: string): Parser<number> => numberWhere(name, 'a number from 0', (value) => value >= 0);
  const shift = 'a fraction of it, or pixels from 1 on';
  command
    .addOption(
      option('--rotation <degrees>', 'rotate by up to this angle, either way', { parser: atLeast0, default: 0 }),
    )
    .addOption(option('--width-shift <amount>', `shift along the width: ${shift}`, { parser: atLeast0, default: 0 }))
    .addOption(option('--height-shift <amount>', `shift along the height: ${shift}`, { parser: atLeast0, default: 0 }))
    .addOption(
      option('--shear <angle>', 'shear by up to this angle: 12deg, 0.2rad, or a number in the unit of the profile', {
        parser: angle,
        default: { value: 0, unit: null },
        written: '0',
      }),
    )
    .addOption(
      option<[number, number]>(
        '--zoom <fraction>',
        'zoom each axis by a factor from 1 - z to 1 + z, or from LOW,HIGH',
        {
          parser: (name) =>
            range(
              name,
              'a number from 0 to below 1, such as 0.2, or LOW,HIGH above 0, such as 0.8,1.2',
              (low, high) => low > 0 && low <= high && high < 100,
              (zoom) => [1 - zoom, zoom < 0 ? NaN : 1 + zoom],
            ),
          default: [1, 1],
          written: '0',
        },
      ),
    )
    .addOption(new Option('--horizontal-flip', 'mirror left and right at random'))
    .addOption(new Option('--vertical-flip', 'mirror top and bottom at random'))
    .addOption(
      option<[number, number]>('--brightness <low,high>', 'multiply all values by a factor between these', {
        parser: (name) =>
          range(
            name,
            'LOW,HIGH from 0 on, such as 0.8,1.2',
            (low, high) => low >= 0 && low <= high,
            () => [NaN, NaN],
          ),
      }),
    )
    .addOption(
      option('--channel-shift <levels>', 'add up to so many of 255 levels, either way', {
        parser: atLeast0,
        default: 0,
      }),
    )
    .addOption(
      choice('--fill-mode <mode>', 'what a warp shows beyond the edge', ['nearest', 'constant', 'reflect', 'wrap']),
    )
    .addOption(
      option('--fill-value <level>', 'the level of --fill-mode constant', {
        parser: (name) => numberWhere(name, 'a level from 0 to 255', (value) => value >= 0 && value <= 255),
        default: 0,
      }),
    )
    .addOption(
      choice(
        '--profile <name>',
        "whose arithmetic to follow: Keras 2's from 2.3 on (shear in degrees), or 2.1.2's (in radians)",
        profiles,
      ),
    );
}

const jsonOption = (description: string): Option => new Option('--json', description);

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
