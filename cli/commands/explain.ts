/** `beltnet explain`: where in a picture that comes from what a model says of it. */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UsageError } from '../../src/errors.js';
import {
  contactSheet,
  createRunDirectory,
  encodePng,
  explainedLayers,
  explainPaths,
  loadClassifier,
  writeFileAtomically,
  type Explanation,
  type SheetGroup,
} from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { deviceFlags } from '../terminal/common-flags.js';
import { withDevice } from '../terminal/device.js';
import { anyText, folder } from '../terminal/options.js';
import { count, fittingTable, note, Output, printable, showProgress } from '../terminal/output.js';

/** Pictures on the sheet; all have a file of their own. */
const MOST_ON_SHEET = 60;

export const command = defineCommand({
  operands: {
    '<model>': 'model.safetensors, or the folder of a run',
    '<paths...>': 'pictures, folders (with all pictures in them), patterns with *, manifests and practice sets',
  },
  flags: {
    class: flag('<name>', 'what speaks for this class (default: for the class that the picture is taken for)', anyText),
    layer: flag('<name>', 'the layer whose maps are looked at (default: the last that has places)', anyText),
    check: toggle('also cover each part of a picture in turn (occlusion), and tell how well the two ways agree'),
    out: flag('<dir>', 'new folder for the pictures (default: explained, explained-2, …)', folder),
    ...deviceFlags,
    json: toggle('one JSON object a picture: file, class, probability, alert, about, hottest, image'),
  },
  notes:
    'Grad-CAM: bright places speak for the class. A map tells where the model looks, not that it is right to look there;\n' +
    'where the classes differ in what is missing, it may show what is left. --check asks another way: 1 is full agreement.',
  examples: ['beltnet explain runs/first new/ --class gap', 'beltnet explain runs/first picture.jpg --check'],
  async run([model, ...paths], options) {
    const { json, layer } = options;
    const output = new Output(options);
    let exitCode = 0;
    await withDevice(options, async (device) => {
      const classifier = await loadClassifier(model, { device });
      const layers = layer === undefined ? explainedLayers(classifier.model) : [layer];
      if (options.class !== undefined && !classifier.info.classNames.includes(options.class))
        throw new UsageError(
          `--class: expects one of ${classifier.info.classNames.join(', ')}, got '${options.class}'`,
        );
      let directory = null as string | null;
      const rows: string[][] = [];
      const groups: SheetGroup[] = [];
      let done = 0;
      await explainPaths(classifier, paths, {
        layers,
        className: options.class,
        withOcclusion: options.check,
        onResult: async (result, total) => {
          done++;
          if ('error' in result) {
            exitCode = Math.max(exitCode, result.error.exitCode);
            output.emit({ file: result.file, error: result.error.message });
            return note(`beltnet: ${result.error.message}`);
          }
          directory ??= await newFolder(options.out);
          const image = join(directory, `${String(done).padStart(4, '0')}-${basename(result.file)}.png`);
          const group = groupOf(result);
          await writeFileAtomically(
            image,
            encodePng(contactSheet({ title: basename(result.file), groups: [group] }, { cell: 360 })),
          );
          if (groups.length < MOST_ON_SHEET) groups.push(group);
          const { file, verdict, about, hottest, agreement } = result;
          output.emit({ file, ...verdict, about, hottest, ...(agreement !== undefined && { agreement }), image });
          rows.push(rowOf(result).map(printable));
          if (!json) showProgress(() => `Explaining ${done}/${total}`);
        },
      });
      if (directory === null) return;
      const shown =
        groups.length < rows.length
          ? `the first ${groups.length} of ${rows.length} pictures`
          : count(rows.length, 'picture');
      const notes = [
        `${classifier.name}; ${shown}; Grad-CAM of ${layers.join(' + ')}; bright places speak for the class`,
      ];
      const sheet = join(directory, 'sheet.png');
      const cells = groups.flatMap((group) => group.cells);
      await writeFileAtomically(
        sheet,
        encodePng(contactSheet({ title: 'Where the model looks', notes, groups: [{ cells }] })),
      );
      const header = [
        'file',
        'class',
        'probability',
        'alert',
        'speaks for',
        'hottest x, y',
        options.check ? 'agreement' : '',
      ];
      for (const line of fittingTable([header, ...rows])) output.say(line);
      output.say();
      output.say(`Pictures: ${directory}, all on one: ${sheet}`);
    });
    return exitCode;
  },
});

/** Picture and overlay side by side. */
function groupOf({ file, verdict, about, picture, overlay, agreement }: Explanation): SheetGroup {
  const says = `${verdict.class} ${(100 * verdict.probability).toFixed(1)} %`;
  const mark = verdict.alert ? ({ text: 'ALERT', colour: 'wrong' } as const) : undefined;
  return {
    cells: [
      { picture, caption: [basename(file), says], ...(mark && { mark }) },
      {
        picture: overlay,
        caption: [`for ${about}`, ...(agreement === undefined ? [] : [`agrees ${agreement.toFixed(2)}`])],
      },
    ],
  };
}

function rowOf({ file, verdict, about, hottest, agreement }: Explanation): string[] {
  const percent = (part: number): string => `${Math.round(100 * part)} %`;
  const place = hottest ? `${percent(hottest.x)}, ${percent(hottest.y)}` : 'nowhere';
  const { class: name, probability, alert } = verdict;
  return [file, name, probability.toFixed(4), alert ? 'ALERT' : '-', about, place, agreement?.toFixed(2) ?? ''];
}

async function newFolder(given: string | undefined): Promise<string> {
  if (given !== undefined) return createRunDirectory('.', given);
  let name = 'explained';
  for (let number = 2; existsSync(name); number++) name = `explained-${number}`;
  return createRunDirectory('.', name);
}
