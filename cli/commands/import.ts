/** `beltnet import`: a model file of beltnet's from one of Keras, with what the latter does not say: classes and preprocessing. */
import { ModelFileError, UsageError } from '../../src/errors.js';
import {
  loadKeras,
  saveModel,
  type ImportedKeras,
  type Interpolation,
  type Model,
  type ModelInfo,
  type Region,
} from '../../src/index.node.js';
import { noteAlertClass, resolveAlertClass } from '../terminal/alert.js';
import { refuseExisting } from '../terminal/new-file.js';
import { note, Output, quoted } from '../terminal/output.js';

export interface ImportOptions {
  readonly output: string;
  readonly classes?: readonly string[];
  readonly resize: Interpolation;
  readonly roi?: Region;
  readonly exif?: boolean;
  /** By default what Keras' programs have: 1/255, unless the model has a Rescaling layer. */
  readonly rescale?: number;
  readonly alertClass?: string;
  readonly threshold: number;
  readonly json?: boolean;
}

/** @returns the exit code */
export async function importModel(paths: readonly string[], options: ImportOptions): Promise<number> {
  const { output: out } = options;
  refuseExisting('--output', out);
  const imported = await loadKeras(...paths);
  const { model, notes, kerasVersion } = imported;
  checkEnding(model, paths.join(', '));
  const names = classesOf(model, options.classes);
  const info: ModelInfo = {
    classNames: names,
    preprocessing: preprocessingOf(imported, options),
    alert: { className: resolveAlertClass(names, options.alertClass), threshold: options.threshold },
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
}

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
function preprocessingOf({ rescaling, model }: ImportedKeras, options: ImportOptions): ModelInfo['preprocessing'] {
  const { scale, offset } = rescaling ?? { scale: 1, offset: 0 };
  const rescale = (options.rescale ?? (rescaling ? 1 : 1 / 255)) * scale;
  if (offset !== 0 && model.inputShape[2] !== 3)
    throw new ModelFileError(
      `the model begins with a Rescaling layer with an offset, which is supported for 3 channels, got [${model.inputShape.join(',')}]`,
    );
  return {
    interpolation: options.resize,
    rescale,
    ...(options.roi && { region: options.roi }),
    ...(options.exif && { exif: true }),
    ...(offset !== 0 && { normalization: { featurewiseMean: [-offset, -offset, -offset] } }),
  };
}
