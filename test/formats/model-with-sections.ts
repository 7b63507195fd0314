/** A small model whose file has all that files can have. */
import type { ModelInfo } from '../../src/formats/beltnet/info.js';

import { BatchNormalization, Conv2D, Dense, Flatten, Sequential } from '../../src/index.js';

export function modelWithSections(): { model: Sequential; info: ModelInfo } {
  const model = new Sequential(
    [
      new Conv2D(2, [3, 2], { inputShape: [6, 5, 3], activation: 'relu' }),
      new BatchNormalization(),
      new Flatten(),
      new Dense(3, { activation: 'softmax' }),
    ],
    { seed: 7 },
  );
  const info: ModelInfo = {
    classNames: ['crack', 'ok', 'größe'],
    preprocessing: {
      ...{ interpolation: 'bilinear', rescale: 1 / 255, region: { x: 1, y: 2, width: 30, height: 20 }, exif: true },
      normalization: { featurewiseMean: [0.25, 0.5, 0.75], featurewiseStd: [1, 2, 4] },
    },
    alert: { className: 'crack', threshold: 0.125 },
    sections: {
      calibration: { value: { temperature: 1.5 } },
      provenance: { value: { data: ['a', { b: null }], seed: 7 } },
      statistics: {
        value: 'means of two classes',
        tensors: {
          mean: { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
          counts: { dtype: 'I64', shape: [2], data: BigInt64Array.of(3n, -4n) },
          small: { dtype: 'F16', shape: [1], data: Uint16Array.of(0x3c00) },
        },
      },
    },
  };
  return { model, info };
}
