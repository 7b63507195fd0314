/** The networks and pictures of explain.py, by the same formulas. */
import { Conv2D, Dense, Flatten, MaxPooling2D, Sequential } from 'beltnet';

/** [2, 14, 12, 3] */
export const pictures = Float32Array.from({ length: 2 * 14 * 12 * 3 }, (_, i) => ((i * 53 + 7) % 256) / 255);

/** As explain.py has them. */
const filled = (shape: number[], salt: number): { shape: number[]; data: Float32Array } => ({
  shape,
  data: Float32Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    (_, i) => (((i * 37 + salt * 11) % 101) - 50) / 150,
  ),
});

export function referenceModel(units: number): Sequential {
  const model = new Sequential([
    new Conv2D(4, 3, { name: 'conv1', inputShape: [14, 12, 3], activation: 'relu' }),
    new MaxPooling2D(),
    new Conv2D(5, 3, { name: 'conv2', activation: 'relu' }),
    new MaxPooling2D(),
    new Flatten(),
    new Dense(6, { name: 'dense1', activation: 'relu' }),
    new Dense(units, { name: 'dense2', activation: units === 1 ? 'sigmoid' : 'softmax' }),
  ]);
  model.setWeights({
    'conv1.kernel': filled([3, 3, 3, 4], 1),
    'conv1.bias': filled([4], 2),
    'conv2.kernel': filled([3, 3, 4, 5], 3),
    'conv2.bias': filled([5], 4),
    'dense1.kernel': filled([10, 6], 5),
    'dense1.bias': { shape: [6], data: new Float32Array(6) },
    'dense2.kernel': filled([6, units], 6),
    'dense2.bias': { shape: [units], data: new Float32Array(units) },
  });
  return model;
}
