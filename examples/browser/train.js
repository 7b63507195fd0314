/** Trains the conveyor network for ten steps on synthetic pictures of a belt, in a page or in Node. */
import { beltPicture, Conv2D, DataFlow, Dense, Flatten, MaxPooling2D, openDevice, Sequential } from 'beltnet';

export async function train(deviceName, print) {
  const [size, classNames] = [64, ['gap', 'ok']];
  const labels = Uint8Array.from({ length: 40 }, (_, index) => index % 2);
  const pictures = new Uint8Array(labels.length * size * size * 3);
  for (const [index, label] of labels.entries()) {
    const { data } = beltPicture({ label: classNames[label], seed: 0, index, width: size, height: size });
    pictures.set(data, index * data.length);
  }
  const belt = { name: 'belt', pictures, labels, classNames, pictureShape: [size, size, 3], files: [], skipped: [] };
  const model = new Sequential([
    ...[new Conv2D(32, 3, { inputShape: [size, size, 3], activation: 'relu' }), new MaxPooling2D()],
    ...[new Conv2D(32, 3, { activation: 'relu' }), new MaxPooling2D()],
    ...[new Flatten(), new Dense(128, { activation: 'relu' }), new Dense(1, { activation: 'sigmoid' })],
  ]);
  const device = await openDevice(deviceName);
  print(device.description.name);
  const data = new DataFlow(belt, { batchSize: 8, rescale: 1 / 255 });
  await model.compile({ device }).fit(data, { epochs: 10, stepsPerEpoch: 1, onEpoch: ({ loss }) => print(loss) });
  device.destroy();
  print('done');
}
