/**
 * Fully connected layer: y = activation(x · w + b). With dz the gradient before the activation:
 * dx = dz · wᵀ, dw = xᵀ · dz, db = Σ_n dz[n]. Layouts: x [N,in], w [in,out], b [out], y [N,out].
 */
import { expectObject } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel } from '../../tensor/kernel.js';
import { formatShape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { columnSumsKernel } from './bias.js';
import { matrixProduct } from './matrix-product.js';
import { productDispatches, productVariants } from './matrix-product.wgsl.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { reluGradient } from '../activation/relu.js';
import { between, channels, floats, type RegistryEntry } from '../shared/samples.js';

export interface DenseAttributes {
  readonly activation: FusedActivation;
}

/** x, dz → dw, db: one pass over dz for both. */
export const denseWeightGradient = defineKernel<null>({
  name: 'denseWeightGradient',
  outputs: ([x, dz]) => [
    { shape: [x[1], dz[1]], dtype: 'float32' },
    { shape: [dz[1]], dtype: 'float32' },
  ],
  twin({ inputs: [x, dz], outputs: [dw, db] }, { inputs, outputs }) {
    matrixProduct.twin(
      { inputs: [x, dz], outputs: [dw] },
      { inputs, outputs: outputs.slice(0, 1) },
      { transposeA: true },
    );
    columnSumsKernel.twin(
      { inputs: [dz], outputs: [db] },
      { inputs: inputs.slice(1), outputs: outputs.slice(1) },
      null,
    );
  },
  wgsl: ({ inputs: [x, dz] }, _, { variant }) =>
    productDispatches(
      { M: x[1], N: dz[1], K: x[0], transposeA: true, transposeB: false },
      { columnSums: true },
      variant,
    ),
  variants: () => productVariants,
  operations: ({ inputs: [x, dz] }) => 2 * x[0] * x[1] * dz[1],
  wasm({ inputs, outputs }) {
    const product = matrixProduct.wasm?.({ inputs, outputs: outputs.slice(0, 1) }, { transposeA: true });
    const sums = columnSumsKernel.wasm?.({ inputs: inputs.slice(1), outputs: outputs.slice(1) }, null);
    if (!product || !sums) return null;
    const own = product.scratch?.length ?? 0;
    return {
      scratch: [...(product.scratch ?? []), ...(sums.scratch ?? [])],
      workspace: Math.max(product.workspace ?? 0, sums.workspace ?? 0),
      steps: ({ inputs: [x, dz], outputs: [dw, db] }, scratch) => [
        ...product.steps({ inputs: [x, dz], outputs: [dw] }, scratch.slice(0, own)),
        ...sums.steps({ inputs: [dz], outputs: [db] }, scratch.slice(own)),
      ],
    };
  },
});

export const denseOp = defineOp<DenseAttributes>({
  name: 'dense',
  forward(inputs, attributes) {
    const [x, weight] = inputs;
    if (x.shape.length !== 2 || weight.shape.length !== 2 || x.shape[1] !== weight.shape[0]) {
      throw new ShapeError(
        `dense: weight ${formatShape(weight.shape)} expects x [N,${weight.shape[0]}], got ${formatShape(x.shape)}; flatten pictures first`,
      );
    }
    return launch(matrixProduct, inputs, attributes);
  },
  backward({ dy, inputs: [x, weight], outputs: [y], attributes, needs, into }) {
    const dz = attributes.activation === 'relu' ? reluGradient(dy, y) : dy;
    const dx = needs[0] && launch(matrixProduct, [dz, weight], { transposeB: true }, [into[0]])[0];
    if (!needs[2]) return [dx, needs[1] && launch(matrixProduct, [x, dz], { transposeA: true }, [into[1]])[0], null];
    const [dw, db] = launch(denseWeightGradient, [x, dz], null, [into[1], into[2]]);
    return [dx, dw, db];
  },
});

/**
 * x [N,in] · weight [in,out] + bias [out] → [N,out].
 * @throws ShapeError when the lengths do not agree
 */
export function dense(
  x: Tensor,
  weight: Tensor,
  options: { bias?: Tensor; activation?: FusedActivation } = {},
): Tensor {
  expectObject(options, 'dense: options');
  const { bias, activation = 'linear' } = options;
  return denseOp.apply(bias ? [x, weight, bias] : [x, weight], { activation });
}

// --- samples

export const denseEntry: RegistryEntry = {
  kernels: [
    {
      kernel: denseWeightGradient,
      roundings: 64,
      because: 'up to 300 products of both signs',
      sample(random) {
        const batch = random.integer(6) === 0 ? 300 : between(random, 1, 40); // 300 is split into slices
        const outputs = channels(random) * between(random, 1, 3);
        return {
          inputs: [floats(random, [batch, between(random, 1, 90)]), floats(random, [batch, outputs])],
          attributes: null,
        };
      },
    },
  ],
  ops: [
    {
      op: denseOp,
      roundings: 64,
      because: 'up to 192 products of both signs',
      sample(random) {
        const [rows, inner, columns] = [between(random, 1, 9), between(random, 1, 90), channels(random)];
        const inputs = [floats(random, [rows, inner]), floats(random, [inner, columns]), floats(random, [columns])];
        return { inputs, attributes: { activation: 'linear' } };
      },
    },
  ],
};
