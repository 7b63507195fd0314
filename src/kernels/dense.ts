/**
 * Fully connected layer: y = activation(x · w + b). With dz the gradient before the activation:
 * dx = dz · wᵀ, dw = xᵀ · dz, db = Σ_n dz[n]. Layouts: x [N,in], w [in,out], b [out], y [N,out].
 */
import { ShapeError } from '../errors.js';
import { defineOp } from '../tensor/autograd.js';
import { formatShape } from '../tensor/shape.js';
import { launch, type Tensor } from '../tensor/tensor.js';
import { columnSums } from './bias.js';
import { matrixProduct } from './matrix-product.js';
import type { FusedActivation } from './partial-sums.js';
import { reluGradient } from './relu.js';

export interface DenseAttributes {
  readonly activation: FusedActivation;
}

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
    return [
      needs[0] && launch(matrixProduct, [dz, weight], { transposeB: true }, [into[0]])[0],
      needs[1] && launch(matrixProduct, [x, dz], { transposeA: true }, [into[1]])[0],
      (needs[2] ?? false) && columnSums(dz, into[2]),
    ];
  },
});

/**
 * x [N,in] · weight [in,out] + bias [out] → [N,out].
 * @throws ShapeError when the lengths do not agree
 */
export function dense(
  x: Tensor,
  weight: Tensor,
  { bias, activation = 'linear' }: { bias?: Tensor; activation?: FusedActivation } = {},
): Tensor {
  return denseOp.apply(bias ? [x, weight, bias] : [x, weight], { activation });
}
