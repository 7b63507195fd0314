/**
 * How the rate of one 3×3 convolution with its gradients changes with the picture, the channels and the batch: a cliff would be seen.
 * beltnet alone, by its own profile of a training step. FLOP are those of the direct way, whatever way is taken.
 */
import {
  Conv2D,
  Dense,
  GlobalAveragePooling2D,
  imageDataGenerator,
  openDevice,
  Sequential,
} from '../../dist/src/index.node.js';
import { ours } from '../peers.mjs';
import { median } from '../statistics.mjs';

const curves = {
  'picture size': [32, 64, 128, 256, 512].map((size) => ({ size, channels: 32, batch: 2 })),
  channels: [8, 16, 24, 32, 48, 64, 128, 256].map((channels) => ({ size: 32, channels, batch: 8 })),
  'odd channels': [9, 18, 33, 63].map((channels) => ({ size: 32, channels, batch: 8 })),
  'batch size': [2, 4, 8, 16, 32, 64, 128, 256].map((batch) => ({ size: 32, channels: 32, batch })),
};
export const curveNames = Object.keys(curves);

/** Of a kernel's single run; smaller ones are over before all threads have begun. */
const LEAST_OPERATIONS = 20e6;
const kernels = ['conv2d', 'conv2dInputGradient', 'conv2dWeightGradient'];

export const curvesMeasure = {
  id: 'curves',
  tables: curveNames.map((curve) => ({
    id: `curve ${curve}`,
    title: `One 3×3 convolution, GFLOP/s by ${curve}`,
    ours,
  })),
  async run(context, device, save) {
    const opened = await openDevice(device, device === 'cpu' ? { threads: context.threads } : {});
    for (const [curve, points] of Object.entries(curves)) {
      for (const point of points) {
        const { size, channels, batch } = point;
        const text = `${size}×${size}×${channels}, ${batch}`;
        context.progress(`curves: ${curve}, ${text}`);
        const rates = [];
        while (rates.length < (context.quick ? 2 : 5)) rates.push(await rateOf(opened, point));
        if (rates.includes(null)) continue;
        const cell = { measure: `curve ${curve}`, one: { text }, peer: ours[device], disturbed: 0 };
        await save([{ ...cell, median: median(rates), samples: rates }]);
      }
    }
    opened.destroy();
  },
};

/** GFLOP/s of the second convolution, forward and both gradients, in a training step; null where it is too small to tell. */
async function rateOf(device, { size, channels, batch }) {
  const model = new Sequential([
    new Conv2D(channels, 1, { inputShape: [size, size, 3] }),
    new Conv2D(channels, 3, { padding: 'same' }),
    new GlobalAveragePooling2D(),
    new Dense(1, { activation: 'sigmoid' }),
  ]);
  model.compile({ device });
  const set = {
    ...{ name: 'curve', classNames: ['a', 'b'], pictureShape: [size, size, 3], skipped: [] },
    pictures: Uint8Array.from({ length: batch * size * size * 3 }, (_, index) => (index * 37) & 255),
    labels: Uint8Array.from({ length: batch }, (_, index) => index % 2),
    files: Array.from({ length: batch }, (_, index) => String(index)),
  };
  const { kernels: found } = await model.profile(imageDataGenerator().flow(set, { batchSize: batch, shuffle: false }));
  const own = found.filter(
    ({ kernel, operations }) =>
      kernels.includes(kernel) && operations >= 2 * batch * size * size * 9 * channels * channels * 0.99,
  );
  model.destroy();
  if (own.some(({ operations }) => operations < LEAST_OPERATIONS)) return null;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  return sum(own.map(({ operations }) => operations)) / sum(own.map(({ milliseconds }) => milliseconds)) / 1e6;
}
