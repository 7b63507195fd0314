/**
 * The conveyor program, line by line as in Keras: is the belt well filled, or is there a gap?
 * Arguments: a folder with training_set/ and test_set/, and optionally the steps per epoch. Writes conveyor.safetensors.
 */
import { Conv2D, Dense, Flatten, MaxPooling2D, Sequential, imageDataGenerator, openDevice, saveModel } from 'beltnet';

const [directory = '.', steps = '100'] = process.argv.slice(2);
const size: [number, number] = [64, 64];
const onMessage = (message: string): void => console.log(message);

const trainGenerator = imageDataGenerator({ rescale: 1 / 255, shearRange: 0.2, zoomRange: 0.2, horizontalFlip: true });
const testGenerator = imageDataGenerator({ rescale: 1 / 255 });
const flowOptions = { targetSize: size, batchSize: 10, classMode: 'binary', onMessage } as const;
const trainingSet = await trainGenerator.flowFromDirectory(`${directory}/training_set`, flowOptions);
const testSet = await testGenerator.flowFromDirectory(`${directory}/test_set`, flowOptions);

const model = new Sequential();
model.add(new Conv2D(32, [3, 3], { inputShape: [...size, 3], activation: 'relu' }));
model.add(new MaxPooling2D({ poolSize: [2, 2] }));
model.add(new Conv2D(32, [3, 3], { activation: 'relu' }));
model.add(new MaxPooling2D({ poolSize: [2, 2] }));
model.add(new Flatten());
model.add(new Dense(128, { activation: 'relu' }));
model.add(new Dense(1, { activation: 'sigmoid' }));

const device = await openDevice();
model.compile({ device, optimizer: 'adam', loss: 'binaryCrossentropy', metrics: ['accuracy'] });
console.log(model.summary());

await model.fit(trainingSet, {
  stepsPerEpoch: Number(steps),
  epochs: 2,
  validationData: testSet,
  validationSteps: Number(steps),
  onEpoch: ({ epoch, ...figures }) => console.log(`Epoch ${epoch}/2`, figures),
});

const [first, second] = trainingSet.classNames;
await saveModel('conveyor.safetensors', model, {
  classNames: [first, second],
  preprocessing: { interpolation: 'nearest', rescale: 1 / 255 },
  alert: { className: second, threshold: 0.5 },
});
device.destroy();
