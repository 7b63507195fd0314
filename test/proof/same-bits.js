/** Trainings whose weights have one hash in every engine, on every machine, with any number of threads. In a page or in Node. */
import {
  Activation,
  Add,
  adamW,
  BatchNormalization,
  beltPicture,
  categoricalCrossentropy,
  Conv2D,
  cosineDecay,
  decode,
  Dense,
  DepthwiseConv2D,
  Dropout,
  ELU,
  GlobalAveragePooling2D,
  imageDataGenerator,
  input,
  MaxPooling2D,
  Model,
  openDevice,
  planTraining,
  prepare,
  resize,
  trainingFlows,
  weightsHash,
} from 'beltnet';

/** A device that promises the same bits everywhere. */
export const openExact = (threads = 1) => openDevice('cpu', { relaxedSimd: false, threads });

/**
 * 20 steps with all that a training may draw and compute: made pictures, Lanczos, every warp, standardised channels, smooth
 * activations, batch normalization, dropout, label smoothing, AdamW with decaying weights and a cosine schedule.
 */
export async function richTraining(threads = 1) {
  const [size, classNames] = [32, ['gap', 'ok']];
  const labels = Uint8Array.from({ length: 44 }, (_, index) => index % 2);
  const pictures = new Uint8Array(labels.length * size * size * 3);
  for (const [index, label] of labels.entries()) {
    const large = beltPicture({ label: classNames[label], seed: 3, index, width: 80, height: 60 });
    pictures.set(resize(large, { width: size, height: size }, 'lanczos').data, index * size * size * 3);
  }
  const files = Array.from(labels, (_, index) => `${index}`);
  const belt = { name: 'belt', pictures, labels, classNames, pictureShape: [size, size, 3], files, skipped: [] };
  const generator = imageDataGenerator({
    ...{ rescale: 1 / 255, rotationRange: 15, shearRange: 10, zoomRange: 0.2, widthShiftRange: 0.1 },
    ...{ heightShiftRange: 0.1, horizontalFlip: true, brightnessRange: [0.8, 1.2], channelShiftRange: 20 },
    ...{ fillMode: 'reflect', featurewiseCenter: true, featurewiseStdNormalization: true },
  });
  await generator.fit(belt);
  const inputs = input({ shape: [size, size, 3] });
  const through = (layers, from) => layers.reduce((value, layer) => layer.apply(value), from);
  const stem = through(
    [new Conv2D(12, 3, { padding: 'same', activation: 'swish' }), new BatchNormalization(), new MaxPooling2D()],
    inputs,
  );
  const branch = through(
    [
      ...[new DepthwiseConv2D(3, { padding: 'same' }), new ELU(), new Conv2D(12, 3, { padding: 'same' })],
      ...[new BatchNormalization(), new Activation('gelu')],
    ],
    stem,
  );
  const outputs = through(
    [
      ...[new Dropout(0.2), new GlobalAveragePooling2D(), new Dense(16, { activation: 'tanh' }), new Dropout(0.3)],
      new Dense(2, { activation: 'softmax' }),
    ],
    new Add().apply([stem, branch]),
  );
  const model = new Model({ inputs, outputs, seed: 5 });
  const device = await openExact(threads);
  const learningRate = cosineDecay({ initialLearningRate: 0.01, decaySteps: 20 });
  const optimizer = adamW({ learningRate, weightDecay: 0.02 });
  model.compile({ device, optimizer, loss: categoricalCrossentropy({ labelSmoothing: 0.1 }) });
  const data = generator.flow(belt, { batchSize: 5, seed: 7 }); // nine steps an epoch, the last one smaller
  const history = await model.fit(data, { epochs: 4, stepsPerEpoch: 5 });
  const { loss } = await model.evaluate(data);
  const hash = await weightsHash(model);
  device.destroy();
  return { hash, loss, losses: history.epochs?.map((epoch) => epoch.loss) };
}

/**
 * What `beltnet train --reproducible` does with a folder of pictures, from their files' bytes on.
 * @param {{ label: string, bytes: Uint8Array }[]} files in the folder's order
 * @param {object} options of planTraining
 * @param {{ batchSize: number, epochs: number }} training
 * @returns the weights' hash
 */
export async function trainOnFiles(files, options, { batchSize, epochs }) {
  const classNames = [...new Set(files.map(({ label }) => label))].toSorted();
  const plan = planTraining(classNames, options);
  const { size } = options;
  const pictures = new Uint8Array(files.length * size.width * size.height * 3);
  for (const [index, { bytes }] of files.entries()) {
    const { data } = prepare(decode(bytes, 'picture'), plan.preparation.picture);
    pictures.set(data, index * data.length);
  }
  const training = {
    ...{ name: 'files', pictures, classNames, pictureShape: [size.height, size.width, 3], skipped: [] },
    labels: Uint8Array.from(files, ({ label }) => classNames.indexOf(label)),
    files: files.map((_, index) => `${index}`),
  };
  const { training: flow } = await trainingFlows(plan, training, null, batchSize);
  const device = await openExact();
  const { optimizer, loss } = plan.recipe;
  await plan.model.compile({ device, optimizer, loss }).fit(flow, { epochs });
  const hash = await weightsHash(plan.model);
  device.destroy();
  return hash;
}
