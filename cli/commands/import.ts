/** `beltnet import`: a model file of beltnet's from one of Keras, with what the latter does not say: classes and preprocessing. */
import { ModelFileError, UsageError } from '../../src/errors.js';
import {
  alertClassOf,
  loadKeras,
  preprocessingOf,
  saveModel,
  type ImportedKeras,
  type Model,
  type ModelInfo,
  type Preprocessing,
} from '../../src/index.node.js';
import { noteAlertClass } from '../terminal/alert.js';
import { defineCommand, toggle, flag, type Options } from '../terminal/command.js';
import { pictureFlags, probability } from '../terminal/common-flags.js';
import { refuseExisting } from '../terminal/new-file.js';
import { anyText, classNames, factor, filePath } from '../terminal/options.js';
import { note, Output, quoted } from '../terminal/output.js';

const flags = {
  output: flag('<file>', 'the new model file', filePath, { short: 'o', required: true }),
  classes: flag('<a,b>', 'names of the classes in the order of their indices (default: 0,1 and so on)', classNames),
  resize: pictureFlags.resize,
  roi: pictureFlags.roi,
  exif: pictureFlags.exif,
  rescale: flag(
    '<factor>',
    'factor on the pixel values 0 to 255 (default: 1/255; 1 when the model begins with Rescaling)',
    factor,
  ),
  alertClass: flag('<name>', 'class that raises the alert (default: the second)', anyText),
  threshold: flag('<p>', 'probability of that class from which on the alert is raised', probability, { default: 0.5 }),
  json: toggle('one JSON object on stdout: model, inputShape, classes, preprocessing, alert, notes'),
};

export const command = defineCommand({
  operands: { '<files...>': 'a .keras archive, a full model .h5, or model.json and its weights .h5' },
  flags,
  notes: 'Keras 1 to 3, Sequential models and graphs; docs/keras.md lists layers and options.',
  examples: [
    'beltnet import model.json model.h5 -o model.safetensors --classes gap,ok --alert-class gap',
    'beltnet import classifier.keras -o model.safetensors --resize bilinear --rescale 1/255',
  ],
  async run(paths, options) {
    const { output: out } = options;
    refuseExisting('--output', out);
    const imported = await loadKeras(...paths);
    const { model, notes, kerasVersion } = imported;
    checkEnding(model, paths.join(', '));
    const names = classesOf(model, options.classes);
    const info: ModelInfo = {
      classNames: names,
      preprocessing: importedPreprocessing(imported, options),
      alert: { className: alertClassOf(names, options.alertClass), threshold: options.threshold },
    };
    await saveModel(out, model, info);

    for (const line of notes) note(`note: ${line}`);
    if (!options.classes)
      note(`note: Keras files have no names of classes, so they are ${names.join(', ')}; --classes names them`);
    if (options.alertClass === undefined) noteAlertClass(names);
    const [height, width, channels] = model.inputShape;
    if (channels !== 3)
      note(
        `note: predict and evaluate take models of RGB pictures [H,W,3]; this one, of [${model.inputShape.join(',')}], is for programs`,
      );
    const output = new Output(options);
    const { preprocessing, alert } = info;
    output.emit({
      model: out,
      kerasVersion,
      inputShape: model.inputShape,
      parameters: model.countParameters(),
      classes: names,
      preprocessing,
      alert,
      notes,
    });
    for (const line of model.summary().split('\n')) output.say(line);
    output.say();
    if (channels === 3)
      output.say(
        `Pictures: ${width}x${height}, resized by ${preprocessing.interpolation}, times ${preprocessing.rescale}`,
      );
    output.say(
      `Classes:  ${names.map((name, index) => `${name} = ${index}`).join(', ')}; '${alert.className}' raises the alert from ${alert.threshold} on`,
    );
    output.say(`Model:    ${out}`);
    output.say();
    output.say(`Use it:   beltnet predict ${quoted(out)} PICTURE...`);
    return 0;
  },
});

/** @throws ModelFileError for a model that gives no probabilities of classes: nothing could be done with its file */
function checkEnding({ layers, outputShape }: Model, name: string): void {
  const ending = layers.at(-1)?.activation;
  const [units] = outputShape;
  if (outputShape.length === 1 && ((ending === 'sigmoid' && units === 1) || (ending === 'softmax' && units >= 2)))
    return;
  throw new ModelFileError(
    `${name}: expected a classifier, which ends in one sigmoid unit or a softmax over the classes, got [${outputShape.join(',')}] with ${ending}`,
  );
}

function classesOf({ units }: Model, given: readonly string[] | undefined): readonly string[] {
  const count = Math.max(2, units);
  if (!given) return Array.from({ length: count }, (_, index) => String(index));
  if (given.length === count) return given;
  throw new UsageError(`--classes: expected ${count} names, as many as the model tells apart, got ${given.length}`);
}

/** A Rescaling layer's factor joins the factor; its offset o becomes a mean of −o: (x·scale) − (−o), to the bit what Keras computes. */
function importedPreprocessing({ rescaling, model }: ImportedKeras, options: Options<typeof flags>): Preprocessing {
  const { scale, offset } = rescaling ?? { scale: 1, offset: 0 };
  const rescale = (options.rescale ?? (rescaling ? 1 : 1 / 255)) * scale;
  if (offset !== 0 && model.inputShape[2] !== 3)
    throw new ModelFileError(
      `the model begins with a Rescaling layer with an offset, which is supported for 3 channels, got [${model.inputShape.join(',')}]`,
    );
  return preprocessingOf({
    ...{ interpolation: options.resize, rescale, region: options.roi, exif: options.exif },
    ...(offset !== 0 && { normalization: { featurewiseMean: [-offset, -offset, -offset] } }),
  });
}
