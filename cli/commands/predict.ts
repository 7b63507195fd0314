/** `beltnet predict`: what a model makes of pictures. One result a picture, sorted by path; bad files are named, never dropped. */
import { csvLine, loadClassifier, type FileClassification } from '../../src/index.node.js';
import { defineCommand, flag, toggle } from '../terminal/command.js';
import { batchFlag, deviceFlags, probability, workersFlag } from '../terminal/common-flags.js';
import { withDevice } from '../terminal/device.js';
import { note, Output, printable, showProgress, table } from '../terminal/output.js';

export const command = defineCommand({
  operands: {
    '<model>': 'model.safetensors, or the folder of a run',
    '<paths...>': 'pictures, folders (with all pictures in them), patterns with *, manifests and practice sets',
  },
  flags: {
    batch: batchFlag,
    ...deviceFlags,
    workers: workersFlag,
    threshold: flag('<p>', "raise the alert from this probability on, in place of the model's own", probability),
    json: toggle(
      'one JSON object a picture: file, class, probability, probabilities, alert, unlike, unknown; or file, error',
      { conflicts: 'csv' },
    ),
    csv: toggle('comma-separated: file, class, probability, alert, error, unlike, unknown'),
  },
  notes:
    "A model that was trained on a base tells pictures that are unlike the training's: they are unknown, and the verdict on them is a guess.\n" +
    'A picture that cannot be used is named with the reason, the others are classified; the exit code is 3 then, or 7 when a\n' +
    'picture has no verdict since its scores are NaN.',
  examples: ['beltnet predict runs/first/best.safetensors new/ "more/*.jpg" --json'],
  async run([model, ...paths], options) {
    const { json, csv, workers: threads, batch: batchSize, threshold } = options;
    let exitCode = 0;
    await withDevice(options, async (device) => {
      const classifier = await loadClassifier(model, {
        device,
        batchSize,
        ...(threshold !== undefined && { threshold }),
      });
      const printer = printerFor(options);
      let done = 0;
      await classifier.classifyPaths(paths, {
        ...(threads !== undefined && { workers: threads }),
        onResult(result, total) {
          if ('error' in result) exitCode = Math.max(exitCode, result.error.exitCode); // 7, no verdict, is worse than 3
          printer.print(result);
          done++;
          if (!json && !csv) showProgress(() => `Predicting ${done}/${total}`);
        },
      });
      printer.end();
    });
    return exitCode;
  },
});

interface Printer {
  print(result: FileClassification): void;
  end(): void;
}

/** Programs get each line as soon as it is known; the table for people waits for the widths of its columns. */
function printerFor({ json, csv }: { readonly json: boolean; readonly csv: boolean }): Printer {
  const output = new Output({ json });
  if (json) {
    const print = (result: FileClassification): void =>
      output.emit('error' in result ? { file: result.file, error: result.error.message } : result);
    return { print, end: () => {} };
  }
  if (csv) {
    process.stdout.write(`${['file', 'class', 'probability', 'alert', 'error', 'unlike', 'unknown'].join(',')}\n`);
    return { print: (result) => void process.stdout.write(csvRow(result)), end: () => {} };
  }
  const rows = [['file', 'class', 'probability', 'alert', '']];
  const errors: string[] = [];
  return {
    print(one) {
      if ('error' in one) errors.push(one.error.message);
      else {
        if (one.unlike !== undefined) rows[0][4] = 'unlike'; // a column for models that can tell
        const unlike = one.unlike === undefined ? '' : `${one.unlike.toFixed(2)}${one.unknown ? ' UNKNOWN' : ''}`;
        rows.push([one.file, one.class, one.probability.toFixed(4), one.alert ? 'ALERT' : '-', unlike].map(printable));
      }
    },
    end() {
      if (rows.length > 1) for (const line of table(rows)) output.say(line);
      for (const error of errors) note(`beltnet: ${error}`);
    },
  };
}

function csvRow(result: FileClassification): string {
  const cells =
    'error' in result
      ? [result.file, '', '', '', result.error.message, '', '']
      : [result.file, result.class, result.probability, result.alert, '', result.unlike ?? '', result.unknown ?? ''];
  return csvLine(cells.map((cell) => (typeof cell === 'string' ? printable(cell) : cell)));
}
