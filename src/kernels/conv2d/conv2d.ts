/**
 * Two-dimensional convolution (cross-correlation, as in every deep-learning library).
 *
 *   y[n,i,j,k] = activation(b[k] + Σ_{p,q,c} x[n, i·s + p·d − top, j·s + q·d − left, c] · w[p,q,c,k])
 *
 * with x outside the picture taken as 0. Its gradients, dz being the gradient before the activation:
 *
 *   dx[n,u,v,c] = Σ_{p,q,k} dz[n,i,j,k] · w[p,q,c,k]   over the (i,j) whose tap (p,q) lies on (u,v)
 *   dw[p,q,c,k] = Σ_{n,i,j} x[n, i·s + p·d − top, j·s + q·d − left, c] · dz[n,i,j,k]
 *   db[k]       = Σ_{n,i,j} dz[n,i,j,k]
 *
 * Layouts: x [N,H,W,C], w [KH,KW,C,K] (HWIO), b [K], y [N,OH,OW,K].
 */
import { expectObject } from '../../expect.js';
import { ShapeError } from '../../errors.js';
import { defineOp } from '../../tensor/autograd.js';
import { defineKernel, type OperandShapes } from '../../tensor/kernel.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor, expectTensor } from '../../tensor/tensor.js';
import { columnSums } from '../dense/bias.js';
import type { FusedActivation } from '../shared/fused-activation.js';
import { reluGradient } from '../activation/relu.js';
import type { Padding, Pair, WindowAttributes } from '../shared/window.js';
import { inputGradientCalls, forwardCalls, weightGradientCalls } from './conv2d.wasm.js';
import { convolutionOperations, convolutionShape, ungrouped, type ConvolutionShape } from './convolution-shape.js';
import { groupedConv2dOp } from './grouped-conv2d.js';
import { halfCoarseness } from './convolution-tile.wgsl.js';
import { forwardDispatches, forwardVariants, inputGradientDispatches, inputGradientVariants } from './conv2d.wgsl.js';
import { sliceVariants } from '../shared/partial-sums.js';
import { weightGradientDispatches } from './weight-gradient.wgsl.js';

export interface Conv2dAttributes {
  readonly window: WindowAttributes;
  readonly activation: FusedActivation;
}

/** Calls `visit` for every product of the sum: offsets of an element of x, of w without its channel k, and of y's pixel. */
function forEachTap(shape: ConvolutionShape, visit: (x: number, weight: number, y: number) => void): void {
  const { batch, height, width, inputChannels, outputChannels, outputHeight, outputWidth, top, left, window } = shape;
  const { size, strides, dilation } = window;
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < outputHeight; i++) {
      for (let j = 0; j < outputWidth; j++) {
        const y = ((n * outputHeight + i) * outputWidth + j) * outputChannels;
        for (let p = 0; p < size[0]; p++) {
          const row = i * strides[0] + p * dilation[0] - top;
          if (row < 0 || row >= height) continue;
          for (let q = 0; q < size[1]; q++) {
            const column = j * strides[1] + q * dilation[1] - left;
            if (column < 0 || column >= width) continue;
            for (let c = 0; c < inputChannels; c++) {
              visit(
                ((n * height + row) * width + column) * inputChannels + c,
                ((p * size[1] + q) * inputChannels + c) * outputChannels,
                y,
              );
            }
          }
        }
      }
    }
  }
}

const forwardShape = ({ inputs: [x, weight] }: OperandShapes, { window }: Conv2dAttributes): ConvolutionShape =>
  convolutionShape(x, weight, window);

/** x, w, optional b → y. */
export const conv2dForward = defineKernel<Conv2dAttributes>({
  name: 'conv2d',
  outputs([x, weight, bias], { window }) {
    const given = `(x ${formatShape(x)}, w ${formatShape(weight)})`;
    if (weight.length !== 4) throw new ShapeError(`conv2d: weight expects [KH,KW,C,K], got ${formatShape(weight)}`);
    const { outputHeight, outputWidth, inputChannels, outputChannels } = convolutionShape(x, weight, window);
    if (weight[2] !== inputChannels)
      throw new ShapeError(`conv2d: weight expects ${weight[2]} input channels, got ${inputChannels} ${given}`);
    if (weight[0] !== window.size[0] || weight[1] !== window.size[1]) {
      throw new ShapeError(
        `conv2d: window size ${formatShape(window.size)} expects such a weight, got ${formatShape(weight)} ${given}`,
      );
    }
    if (bias && (bias.length !== 1 || bias[0] !== outputChannels)) {
      throw new ShapeError(`conv2d: bias expects [${outputChannels}], got ${formatShape(bias)} ${given}`);
    }
    return [{ shape: [x[0], outputHeight, outputWidth, outputChannels], dtype: 'float32' }];
  },
  twin({ inputs: [x, weight, bias], outputs: [y] }, shapes, attributes) {
    const shape = forwardShape(shapes, attributes);
    const channels = shape.outputChannels;
    for (let i = 0; i < y.length; i++) y[i] = bias ? bias[i % channels] : 0;
    forEachTap(shape, (from, tap, pixel) => {
      for (let k = 0; k < channels; k++) y[pixel + k] += x[from] * weight[tap + k];
    });
    if (attributes.activation === 'relu') for (let i = 0; i < y.length; i++) if (y[i] <= 0) y[i] = 0;
  },
  wgsl: (shapes, attributes, { variant }) =>
    forwardDispatches(
      forwardShape(shapes, attributes),
      { bias: shapes.inputs.length === 3, activation: attributes.activation },
      variant,
    ),
  variants: (shapes, attributes, { features }) => forwardVariants(forwardShape(shapes, attributes), features),
  coarseness: halfCoarseness,
  operations: (shapes, attributes) => convolutionOperations(forwardShape(shapes, attributes)),
  wasm: (shapes, attributes) => forwardCalls(ungrouped(forwardShape(shapes, attributes)), attributes.activation),
});

export interface InputGradientAttributes {
  readonly window: WindowAttributes;
  readonly xShape: Shape;
}

/** dz, w → dx. */
export const conv2dInputGradient = defineKernel<InputGradientAttributes>({
  name: 'conv2dInputGradient',
  outputs: (_, { xShape }) => [{ shape: xShape, dtype: 'float32' }],
  twin({ inputs: [dz, weight], outputs: [dx] }, { inputs }, { window, xShape }) {
    const shape = convolutionShape(xShape, inputs[1], window);
    dx.fill(0);
    forEachTap(shape, (to, tap, pixel) => {
      let sum = 0;
      for (let k = 0; k < shape.outputChannels; k++) sum += dz[pixel + k] * weight[tap + k];
      dx[to] += sum;
    });
  },
  wgsl: ({ inputs }, { window, xShape }, { variant }) =>
    inputGradientDispatches(convolutionShape(xShape, inputs[1], window), { variant }),
  variants: ({ inputs }, { window, xShape }) => inputGradientVariants(convolutionShape(xShape, inputs[1], window)),
  operations: ({ inputs }, { window, xShape }) => convolutionOperations(convolutionShape(xShape, inputs[1], window)),
  wasm: ({ inputs }, { window, xShape }) => inputGradientCalls(ungrouped(convolutionShape(xShape, inputs[1], window))),
});

export interface WeightGradientAttributes {
  readonly window: WindowAttributes;
}

const weightGradientShape = (
  { inputs: [x], outputs: [dw] }: OperandShapes,
  { window }: WeightGradientAttributes,
): ConvolutionShape => convolutionShape(x, dw, window);

/** x, dz → dw. */
export const conv2dWeightGradient = defineKernel<WeightGradientAttributes>({
  name: 'conv2dWeightGradient',
  outputs: ([x, dz], { window }) => [{ shape: [...window.size, x[3], dz[3]], dtype: 'float32' }],
  twin({ inputs: [x, dz], outputs: [dw] }, shapes, attributes) {
    const shape = weightGradientShape(shapes, attributes);
    dw.fill(0);
    forEachTap(shape, (from, tap, pixel) => {
      for (let k = 0; k < shape.outputChannels; k++) dw[tap + k] += x[from] * dz[pixel + k];
    });
  },
  wgsl: (shapes, attributes, { variant }) =>
    weightGradientDispatches(weightGradientShape(shapes, attributes), { variant }),
  variants: () => sliceVariants,
  operations: (shapes, attributes) => convolutionOperations(weightGradientShape(shapes, attributes)),
  wasm: (shapes, attributes) => weightGradientCalls(ungrouped(weightGradientShape(shapes, attributes))),
});

export const conv2dOp = defineOp<Conv2dAttributes>({
  name: 'conv2d',
  forward: (inputs, attributes) => launch(conv2dForward, inputs, attributes),
  backward({ dy, inputs: [x, weight], outputs: [y], attributes: { window, activation }, needs, into }) {
    const dz = activation === 'relu' ? reluGradient(dy, y) : dy;
    return [
      needs[0] && launch(conv2dInputGradient, [dz, weight], { window, xShape: x.shape }, [into[0]])[0],
      needs[1] && launch(conv2dWeightGradient, [x, dz], { window }, [into[1]])[0],
      (needs[2] ?? false) && columnSums(dz, into[2]),
    ];
  },
});

/**
 * Convolution of pictures x [N,H,W,C] with weight [KH,KW,C,K], giving [N,OH,OW,K].
 *
 * @param options.bias [K], added to every output pixel
 * @param options.activation applied to the result in the same pass
 * @param options.groups divides the channels: each group of outputs sees its group of inputs only; weight [KH,KW,C/groups,K]
 * @throws ShapeError when channels, bias or window do not fit
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  options: {
    bias?: Tensor;
    strides?: Pair;
    padding?: Padding;
    dilation?: Pair;
    activation?: FusedActivation;
    groups?: number;
  } = {},
): Tensor {
  expectTensor(x, 'conv2d: x');
  expectTensor(weight, 'conv2d: weight');
  expectObject(options, 'conv2d: options');
  const { bias, strides = [1, 1], padding = 'valid', dilation = [1, 1], activation = 'linear', groups = 1 } = options;
  const window: WindowAttributes = { size: [weight.shape[0], weight.shape[1]], strides, dilation, padding };
  if (groups !== 1)
    return groupedConv2dOp.apply(bias ? [x, weight, bias] : [x, weight], { window, groups, activation });
  return conv2dOp.apply(bias ? [x, weight, bias] : [x, weight], { window, activation });
}
