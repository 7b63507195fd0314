/** Inputs to try the augmentation on. */
import type { Random } from '../../tensor/random.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { between, integers, type RegistryEntry, type SampleTensor } from '../shared/samples.js';
import { DEFECTS_SIZE, TRANSFORM_SIZE } from './attributes.js';
import { augmentKernel } from './augment.js';

const choice = <Value>(random: Random, values: readonly Value[]): Value => values[random.integer(values.length)];

/** Noise, blur, a lost lane and blobs, each in half of the pictures. */
function defectsSample(random: Random, batch: number, [, height, width]: Shape): SampleTensor {
  const values = new Float32Array(batch * DEFECTS_SIZE);
  const sometimes = (value: number): number => (random.integer(2) === 1 ? value : 0);
  for (let d = 0; d < values.length; d += DEFECTS_SIZE) {
    const first = random.integer(height - 1);
    const end = first === 0 ? height - 1 : height - random.integer(2);
    const lane = sometimes(1);
    values.set([sometimes(20), random.integer(2 ** 24), sometimes(1 + random.integer(2)), first * lane, end * lane], d);
    for (let blob = d + 5; blob < d + 17; blob += 4) {
      const place = [random.uniform(0, height), random.uniform(0, width)];
      values.set([...place, sometimes(random.uniform(0.5, 3)), random.uniform(0, 255)], blob);
    }
  }
  return { shape: [batch, DEFECTS_SIZE], dtype: 'float32', values };
}

export const augmentEntry: RegistryEntry = {
  kernels: [
    {
      kernel: augmentKernel,
      roundings: 256,
      because:
        'a coordinate is rounded near 2^-20 pixels, neighbouring pixels may be a whole range apart, and deviations below 1 divide',
      sample(random) {
        const shape = [between(random, 1, 4), between(random, 3, 9), between(random, 3, 9), between(random, 1, 4)];
        const batch = between(random, 1, 5);
        const fillMode = choice(random, ['nearest', 'constant', 'reflect', 'wrap'] as const);
        const reach = fillMode === 'constant' ? 1 : 20; // a picture that is all fill has no deviation to divide by
        const warpsOnly = random.integer(2) === 1; // which WebAssembly does
        const brightness = warpsOnly ? 'none' : choice(random, ['none', 'plain', 'stretched'] as const);
        const sometimes = (): boolean => !warpsOnly && random.integer(2) === 1;
        const interpolation = choice(random, ['bilinear', 'nearest'] as const);
        // Where a value loses its fraction or the nearest pixel is taken, coordinates must be exact in float32.
        const exactValues = brightness !== 'none';
        const isExact = exactValues || interpolation === 'nearest';
        const transforms = Float32Array.from({ length: batch * TRANSFORM_SIZE }, (_, i) => {
          const part = i % TRANSFORM_SIZE;
          const base = [1, 0, 0.375, 0, 1, -0.25, 20, -31, 5, 1, 0, 0][part];
          if (part === 2 || part === 5) return base + random.integer(2 * reach + 1) - reach;
          if (part >= 6) return part < 9 ? base : 0.5 + random.integer(8) / 4;
          return isExact ? base : base + random.uniform(-0.1, 0.1);
        });
        const perChannel = (low: number, high: number) =>
          Array.from({ length: shape[3] }, () => random.uniform(low, high));
        return {
          inputs: [
            { shape, dtype: 'uint8', values: Uint8Array.from({ length: sizeOf(shape) }, () => random.integer(256)) },
            integers(random, [batch], shape[0]),
            { shape: [batch, TRANSFORM_SIZE], dtype: 'float32', values: transforms },
            ...(!exactValues && sometimes() ? [defectsSample(random, batch, shape)] : []),
          ],
          attributes: {
            interpolation,
            brightness,
            rescale: 1 / 255,
            fillValue: 77,
            fillMode,
            // A stretch after a shift divides by what is not exact.
            channelShift: brightness !== 'stretched' && sometimes(),
            samplewiseCenter: sometimes(),
            samplewiseStdNormalization: sometimes(),
            featurewiseMean: sometimes() ? perChannel(-0.5, 0.5) : null,
            featurewiseStd: sometimes() ? perChannel(0.5, 2) : null,
          },
        };
      },
    },
  ],
  ops: [],
};
