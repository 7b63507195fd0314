/** `beltnet import`: a model file of beltnet's from one of Keras or ONNX, with what those do not say: classes and preprocessing. */
import { ModelFileError, UsageError } from '../../src/errors.js';
import {
  alertClassOf,
  infoOf,
  loadKeras,
  loadOnnx,
  preprocessingOf,
  rescaled,
  saveModel,
  withProbabilities,
  type Model,
  type ModelInfo,
  type Preprocessing,
} from '../../src/index.node.js';
import { noteAlertClass } from '../terminal/alert.js';
import { defineCommand, toggle, flag, type Options } from '../terminal/command.js';
import { pictureFlags, probability } from '../terminal/common-flags.js';
import { refuseExisting } from '../terminal/new-file.js';
import {
  anyText,
  channelNumbers,
  classNames,
  factor,
  filePath,
  pictureSize,
  type PictureSize,
} from '../terminal/options.js';
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
  mean: flag('<r,g,b>', 'what is subtracted from the values then, by channel (with --std)', channelNumbers),
  std: flag('<r,g,b>', '… and divides them; torchvision: 0.485,0.456,0.406 and 0.229,0.224,0.225', channelNumbers),
  size: flag('<WxH>', 'ONNX: size of the pictures, where the file does not fix it', pictureSize),
  alertClass: flag('<name>', 'class that raises the alert (default: the second)', anyText),
  threshold: flag('<p>', 'probability of that class from which on the alert is raised', probability, { default: 0.5 }),
  json: toggle('one JSON object on stdout: model, inputShape, classes, preprocessing, alert, notes'),
};

export const command = defineCommand({
  operands: { '<files...>': 'a .keras archive, a full model .h5, model.json and its weights .h5, or an .onnx file' },
  flags,
  notes:
    'Keras 1 to 3, Sequential models and graphs: docs/keras.md lists layers and options. ONNX from operator set 7 on: docs/onnx.md lists operators.',
  examples: [
    'beltnet import model.json model.h5 -o model.safetensors --classes gap,ok --alert-class gap',
    'beltnet import classifier.keras -o model.safetensors --resize bilinear --rescale 1/255',
    'beltnet import resnet18.onnx -o resnet18.safetensors --resize bilinear --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225',
  ],
  async run(paths, options, given) {
    const { output: out } = options;
    refuseExisting('--output', out);
    const { size } = options;
    const isOnnx = paths.length === 1 && /\.onnx$/i.test(paths[0]);
    if (size && !isOnnx)
      throw new UsageError('--size: expects an ONNX file, whose pictures may have any size, got others');
    const imported = isOnnx ? await fromOnnx(paths[0], size) : await fromKeras(paths);
    const { model, notes, source } = imported;
    checkEnding(model, paths.join(', '));
    const names = classesOf(model, options.classes ?? imported.classNames);
    const info: ModelInfo = {
      classNames: names,
      preprocessing: importedPreprocessing(imported, options, given),
      alert: { className: alertClassOf(names, options.alertClass), threshold: options.threshold },
    };
    await saveModel(out, model, info);

    for (const line of notes) note(`note: ${line}`);
    if (!options.classes && !imported.classNames)
      note(
        `note: ${isOnnx ? 'ONNX' : 'Keras'} files have no names of classes, so they are ${inShort(names)}; --classes names them`,
      );
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
      ...source,
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
      `Classes:  ${inShort(names.map((name, index) => `${name} = ${index}`))}; '${alert.className}' raises the alert from ${alert.threshold} on`,
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
    `${name}: expects a classifier, which ends in one sigmoid unit or a softmax over the classes, got [${outputShape.join(',')}] with ${ending}`,
  );
}

function classesOf({ units }: Model, given: readonly string[] | undefined): readonly string[] {
  const count = Math.max(2, units);
  if (!given) return Array.from({ length: count }, (_, index) => String(index));
  if (given.length === count) return given;
  throw new UsageError(`--classes: expects ${count} names, as many as the model tells apart, got ${given.length}`);
}

const MOST_SHOWN = 12;

const inShort = (list: readonly string[]): string =>
  list.length > MOST_SHOWN ? `${list.slice(0, 3).join(', ')}, … ${list.at(-1)}` : list.join(', ');

/** What a file of another library gives. */
interface Foreign {
  readonly model: Model;
  readonly notes: readonly string[];
  /** What the model does to pixels first, if it is a Rescaling layer: it is no part of `model`. */
  readonly rescaling: { readonly scale: number; readonly offset: number } | null;
  /** Of a file that beltnet wrote. */
  readonly classNames?: readonly string[];
  readonly preprocessing?: Preprocessing;
  readonly source: Readonly<Record<string, unknown>>;
}

async function fromKeras(paths: readonly string[]): Promise<Foreign> {
  const { kerasVersion, ...imported } = await loadKeras(...paths);
  return { ...imported, source: { kerasVersion } };
}

async function fromOnnx(path: string, size: PictureSize | undefined): Promise<Foreign> {
  const imported = await loadOnnx(path, size ? { size } : {});
  const { model, note: added } = await withProbabilities(imported.model);
  const notes = [...imported.notes, ...(added === null ? [] : [added])];
  return { model, notes, rescaling: null, ...infoOf(imported), source: { opset: imported.opset } };
}

function importedPreprocessing(
  { rescaling, model, preprocessing }: Foreign,
  { mean, std, resize, roi, exif, ...options }: Options<typeof flags>,
  given: readonly string[],
): Preprocessing {
  if (!mean !== !std)
    throw new UsageError(`--mean and --std: expects both or none, got ${mean ? '--mean' : '--std'} only`);
  const isAsWritten = !['mean', 'resize', 'roi', 'exif', 'rescale'].some((name) => given.includes(name));
  if (preprocessing && isAsWritten) return preprocessing;
  const { offset } = rescaling ?? { offset: 0 };
  const { rescale: scale, normalization } = rescaled(rescaling);
  const rescale = scale === undefined ? options.rescale : scale * (options.rescale ?? 1);
  if (offset !== 0 && model.inputShape[2] !== 3)
    throw new ModelFileError(
      `the model begins with a Rescaling layer with an offset, which is supported for 3 channels, got [${model.inputShape.join(',')}]`,
    );
  if (offset !== 0 && mean)
    throw new UsageError('--mean: expects a model that does not subtract it itself, got one that does');
  return preprocessingOf({
    interpolation: resize,
    rescale,
    region: roi,
    exif,
    normalization,
    ...(mean && std && { normalization: { featurewiseMean: mean, featurewiseStd: std } }),
  });
}
