/**
 * Multiplying an arena by a number that is known only on the device, or changes with each step: decoupled weight decay
 * θ ← θ·f (Loshchilov and Hutter, arXiv:1711.05101), and clipping by the global norm g ← g·min(1, c / √Σg²)
 * (Pascanu, Mikolov, Bengio, arXiv:1211.5063).
 */
import { elementwiseKernel } from '../../tensor/elementwise.js';
import { Expression } from '../../tensor/expression.js';
import { between, floats, type RegistryEntry } from '../shared/samples.js';

export interface InPlaceAttributes {
  readonly size: number;
}

/** factor, a scalar → values [size], in place */
export const scaleInPlace = elementwiseKernel<InPlaceAttributes>({
  name: 'scaleInPlace',
  inputs: { factor: 'number' },
  inPlace: 1,
  shape: ({ size }) => [size],
  formula: ([factor], _, [value]) => value.multiply(factor),
});

/** Σ g², a scalar → g [size], in place, its norm at most `limit` */
export const clipInPlace = elementwiseKernel<InPlaceAttributes & { readonly limit: number }>({
  name: 'clipInPlace',
  inputs: { squares: 'number' },
  inPlace: 1,
  shape: ({ size }) => [size],
  // A norm that is NaN must not become a factor of 1: the comparison is false for it.
  formula: ([squares], { limit }, [value]) =>
    value.multiply(squares.atMost(limit * limit).select(1, Expression.of(limit).divide(squares.sqrt()))),
});

// --- samples

export const scaleInPlaceEntry: RegistryEntry = {
  kernels: [
    {
      kernel: scaleInPlace,
      roundings: 1,
      because: 'one product',
      sample(random) {
        const size = between(random, 1, 300);
        return { inputs: [floats(random, [])], attributes: { size }, inPlace: [floats(random, [size])] };
      },
    },
    {
      kernel: clipInPlace,
      roundings: 4,
      because: 'a root, a quotient, one product',
      sample(random) {
        const size = between(random, 1, 300);
        return {
          inputs: [floats(random, [], 0.01, 4)],
          attributes: { size, limit: 1 },
          inPlace: [floats(random, [size])],
        };
      },
    },
  ],
  ops: [],
};
