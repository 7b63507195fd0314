/** `beltnet train`: folder of pictures → network → a run with model, configuration and figures. Read it from top to bottom. */
import { UsageError } from '../../src/errors.js';
import {
  adam,
  binaryCrossentropy,
  categoricalCrossentropy,
  DataFlow,
  imageDataGenerator,
  openSplits,
  saveModel,
  type Interpolation,
  type ModelInfo,
} from '../../src/index.node.js';
import { noteAlertClass, resolveAlertClass } from '../terminal/alert.js';
import { noteFindings } from './audit.js';
import { augmentationOf, normalizationOf, type AugmentationFlags, type Normalize } from '../terminal/augmentation.js';
import { describeClasses, describeSet, loadAndReport, openCache, type CacheOptions } from '../terminal/data.js';
import { describeDevice, withDevice, type DeviceOptions } from '../terminal/device.js';
import { epochLine, ProgressLine } from '../terminal/epoch-log.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { profileLines } from '../terminal/kernel-profile.js';
import { checkMemory, checkSize, conveyorNetwork } from '../terminal/network.js';
import { shearNote, shearRange, type PictureRegion, type PictureSize } from '../terminal/options.js';
import { openRun, type Run } from '../terminal/run.js';
import { count, note, Output, quoted, showProgress } from '../terminal/output.js';
import { versions } from '../version.js';

export interface TrainOptions extends CacheOptions, DeviceOptions, AugmentationFlags {
  readonly size: PictureSize;
  readonly batch: number;
  readonly epochs: number;
  readonly stepsPerEpoch?: number;
  readonly validationSteps?: number;
  readonly split?: number;
  readonly groupBy?: RegExp;
  readonly rescale: number;
  readonly resize: Interpolation;
  readonly roi?: PictureRegion;
  readonly exif?: boolean;
  readonly normalize: Normalize;
  readonly lr: number;
  readonly seed: number;
  readonly alertClass?: string;
  readonly workers?: number;
  readonly out: string;
  readonly name?: string;
  readonly onBad: 'skip' | 'fail';
  readonly profileKernels?: boolean;
  readonly json?: boolean;
}

const ALERT_THRESHOLD = 0.5;

/** @returns the exit code */
export async function train(directory: string, options: TrainOptions): Promise<number> {
  const { size, batch: batchSize, epochs, split, groupBy, rescale, profile, seed, roi, exif = false } = options;
  const output = new Output(options);
  const augmentation = augmentationOf(options);
  checkSize(size);

  // What there is to train on, before anything is decoded
  const splits = await openSplits(directory, {
    seed,
    ...(split !== undefined && { split }),
    ...(groupBy && { groupBy }),
  });
  if (options.validationSteps !== undefined && !splits.validation) {
    throw new UsageError(
      `--validation-steps: ${directory} has no validation pictures; --split 0.2 keeps some for that`,
    );
  }
  const { classNames } = splits.training;
  const model = conveyorNetwork(size, seed, classNames.length);
  const alertClass = resolveAlertClass(classNames, options.alertClass);
  return withDevice(options, async (device, facts) => {
    checkMemory(model, size, device);
    const run = await openRun(options.out, options.name);

    // Pictures
    const unusual = shearNote(options.shear, profile);
    if (unusual) note(`note: ${unusual}`);
    const cache = openCache(options, [directory]);
    const preparation = { size, interpolation: options.resize, ...(roi && { region: roi }), exif };
    const loading = { ...preparation, onBad: options.onBad, workers: options.workers, cache };
    const training = await loadAndReport(splits.training, loading, output);
    const validation = splits.validation && (await loadAndReport(splits.validation, loading, output));
    const { sets: audited } = await noteFindings(training, validation, directory, cache);
    const generator = imageDataGenerator({ ...augmentation, ...normalizationOf(options.normalize), rescale });
    await generator.fit(training);
    const { normalization } = generator;
    const trainingFlow = generator.flow(training, { batchSize, seed });
    const validationFlow = validation && new DataFlow(validation, { batchSize, seed, rescale, normalization });

    // Model
    const optimizer = adam({ learningRate: options.lr, epsilon: profile === 'keras-2' ? 1e-7 : 1e-8 });
    const loss =
      classNames.length === 2
        ? binaryCrossentropy({ form: profile === 'keras-2' ? 'logits' : 'keras3' })
        : categoricalCrossentropy();
    const info: ModelInfo = {
      classNames,
      preprocessing: {
        ...{ interpolation: options.resize, rescale },
        ...(roi && { region: roi }),
        ...(exif && { exif }),
        ...(options.normalize !== 'none' && { normalization }),
      },
      alert: { className: alertClass, threshold: ALERT_THRESHOLD },
    };

    // Say and write down what is about to happen
    const described = {
      data: {
        ...{ directory, layout: splits.layout },
        ...{ training: describeSet(training), validation: validation && describeSet(validation), audited },
      },
      classes: trainingFlow.classIndices,
      alert: info.alert,
      parameters: model.countParameters(),
      device: facts,
    };
    const written = run.writeConfig({
      ...versions(),
      started: new Date().toISOString(),
      ...described,
      options: {
        ...{ ...options, groupBy: groupBy ? String(groupBy) : null }, // and, as they turn out:
        ...{ horizontalFlip: augmentation.horizontalFlip, verticalFlip: augmentation.verticalFlip },
        shear: {
          ...{ ...options.shear, range: shearRange(options.shear, profile) },
          rangeUnit: profile === 'keras-2' ? 'deg' : 'rad',
        },
        stepsPerEpoch: options.stepsPerEpoch ?? trainingFlow.stepsPerPass,
        validationSteps: options.validationSteps ?? validationFlow?.stepsPerPass ?? null,
      },
      preprocessing: { ...info.preprocessing, size },
      augmentation,
      optimizer: { name: optimizer.name, ...optimizer.config },
      loss: { name: loss.name, ...loss.config },
      architecture: model.config(),
    });
    written.catch(() => {}); // awaited below: the disk works while the weights are made
    model.compile({ device, optimizer, loss, metrics: ['accuracy'] });
    await written;
    output.emit({ event: 'start', run: run.directory, ...described });
    output.say(`Classes: ${describeClasses(training)}`);
    output.say(`Data: ${splits.layout}`);
    if (!validation) note('note: there are no validation pictures; --split 0.2 keeps a fifth of the pictures for that');
    if (options.alertClass === undefined) noteAlertClass(classNames);
    output.say(`Device: ${describeDevice(facts)}`);
    output.say(`Network: ${size.width}x${size.height} pictures, ${count(model.countParameters(), 'parameter')}`);
    output.say(`Run: ${run.directory}`);
    output.say();

    // Train
    let lastEpoch = 0;
    const progress = new ProgressLine(epochs);
    const fit = (signal: AbortSignal) =>
      model.fit(trainingFlow, {
        epochs,
        signal,
        ...(options.stepsPerEpoch !== undefined && { stepsPerEpoch: options.stepsPerEpoch }),
        ...(validationFlow && { validationData: validationFlow }),
        ...(options.validationSteps !== undefined && { validationSteps: options.validationSteps }),
        onProgress: (now) => showProgress((columns) => progress.text(now, columns)),
        onEpoch: async (log) => {
          await saveModel(run.modelPath, model, info);
          lastEpoch = log.epoch;
          await run.addResult(log);
          if (log.epoch === 1) await run.writeKernels(device.kernelChoices);
          output.emit({ event: 'epoch', ...log });
          output.say(epochLine(log));
          if (log.epoch < epochs) output.say(`Epoch ${log.epoch + 1}/${epochs}`);
        },
      });
    output.say(`Epoch 1/${epochs}`);
    const { stopCode } = await stopInOrder('Stopping after this step; Ctrl-C again stops at once.', fit).catch(
      (error: unknown) => {
        note(`note: ${whatIsKept(run, lastEpoch)}`);
        throw error;
      },
    );

    const interrupted = lastEpoch < epochs; // a signal that comes while the last epoch is written changes nothing
    const modelPath = lastEpoch > 0 ? run.modelPath : null;
    output.emit({ event: 'end', run: run.directory, model: modelPath, epochs: lastEpoch, interrupted });
    if (interrupted) {
      note(`beltnet: stopped in epoch ${lastEpoch + 1} of ${epochs}; ${whatIsKept(run, lastEpoch)}`);
      return stopCode ?? 130;
    }
    if (options.profileKernels) {
      const profiled = await model.profile(trainingFlow);
      const pictures = Math.min(batchSize, trainingFlow.sampleCount);
      output.emit({ event: 'profile', batch: pictures, ...profiled });
      output.say();
      for (const line of profileLines(profiled, pictures)) output.say(line);
    }
    const grouped = groupBy ? ` --group-by ${quoted(groupBy.source)}` : '';
    const sameSplit = split === undefined ? '' : ` --split ${split} --seed ${seed}${grouped}`;
    sayWhatNext(output, run, validation ? quoted(directory) + sameSplit : 'FOLDER');
    return 0;
  });
}

function whatIsKept(run: Run, epoch: number): string {
  return epoch === 0
    ? `no model was written yet (${run.directory})`
    : `${run.modelPath} is the model after epoch ${epoch}`;
}

/** @param data what to evaluate on, as arguments of the command */
function sayWhatNext(output: Output, run: Run, data: string): void {
  const model = quoted(run.modelPath);
  output.say();
  output.say(`Model:   ${run.modelPath}`);
  output.say(`Config:  ${run.configPath}`);
  output.say(`Results: ${run.resultsPath}`);
  output.say();
  output.say(`Evaluate it:  beltnet evaluate ${model} ${data}`);
  output.say(`Use it:       beltnet predict ${model} PICTURE...`);
}
