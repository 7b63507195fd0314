/**
 * Maximum over windows: y[n,i,j,c] = max of x over the window at (i·s − top, j·s − left). Padding counts as −∞.
 * The gradient goes to the first maximum of each window in row-major order (as in PyTorch); forward keeps its place,
 * so that backward is a plain look-up. NaN counts as the maximum, so that it is not lost here.
 * Layouts: x [N,H,W,C], y and indices [N,OH,OW,C]; an index is row · W + column of the maximum in its picture.
 */
import { expectObject } from '../../expect.js';
import { defineOp, isRecording } from '../../tensor/autograd.js';
import { defineKernel, ENTRY, type Kernel, type OperandShapes, planThreads } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { isNanFunction } from '../../tensor/math.wgsl.js';
import { split } from '../../tensor/cpu/parts.js';
import {
  WINDOW_CONSTANTS,
  windowConstants,
  windowGeometry,
  type Padding,
  type Pair,
  type WindowAttributes,
} from '../shared/window.js';
import {
  allDifferent,
  between,
  floats,
  randomWindow,
  type RegistryEntry,
  type SampleTensor,
} from '../shared/samples.js';
import type { Random } from '../../tensor/random.js';

const forwardShader = (withIndices: boolean): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
${withIndices ? '@group(0) @binding(2) var<storage, read_write> indices: array<u32>;' : ''}
${WINDOW_CONSTANTS}
${isNanFunction('f32')}
${ENTRY}
  let c = index % CHANNELS;
  let j = index / CHANNELS % OUTPUT_WIDTH;
  let i = index / CHANNELS / OUTPUT_WIDTH % OUTPUT_HEIGHT;
  let n = index / CHANNELS / OUTPUT_WIDTH / OUTPUT_HEIGHT;
  var best = 0.0;
  var place = 0xffffffffu;
  for (var p = 0u; p < WINDOW_HEIGHT; p++) {
    let row = i * STRIDE_HEIGHT + p - TOP;   // wraps in the padding
    if (row >= HEIGHT) { continue; }
    for (var q = 0u; q < WINDOW_WIDTH; q++) {
      let column = j * STRIDE_WIDTH + q - LEFT;
      if (column >= WIDTH) { continue; }
      let value = x[((n * HEIGHT + row) * WIDTH + column) * CHANNELS + c];
      if (place == 0xffffffffu || value > best || isNan(value)) {
        best = value;
        place = row * WIDTH + column;
      }
    }
  }
  y[index] = best;
  ${withIndices ? 'indices[index] = place;' : ''}
}`;

/** Each thread: one element of dx, over the windows that cover it. */
const BACKWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
${WINDOW_CONSTANTS}
// The first window whose end lies beyond position t, and the one after the last that begins at or before it.
fn firstWindow(t: u32, size: u32, stride: u32) -> u32 { return select(0u, (t - size) / stride + 1u, t >= size); }
fn endWindow(t: u32, stride: u32, count: u32) -> u32 { return min(t / stride + 1u, count); }
${ENTRY}
  let c = index % CHANNELS;
  let column = index / CHANNELS % WIDTH;
  let row = index / CHANNELS / WIDTH % HEIGHT;
  let n = index / CHANNELS / WIDTH / HEIGHT;
  let place = row * WIDTH + column;
  var sum = 0.0;
  for (var i = firstWindow(row + TOP, WINDOW_HEIGHT, STRIDE_HEIGHT); i < endWindow(row + TOP, STRIDE_HEIGHT, OUTPUT_HEIGHT); i++) {
    for (var j = firstWindow(column + LEFT, WINDOW_WIDTH, STRIDE_WIDTH); j < endWindow(column + LEFT, STRIDE_WIDTH, OUTPUT_WIDTH); j++) {
      let at = ((n * OUTPUT_HEIGHT + i) * OUTPUT_WIDTH + j) * CHANNELS + c;
      sum += select(0.0, dy[at], indices[at] == place);
    }
  }
  dx[index] = sum;
}`;

export interface PoolAttributes {
  readonly window: WindowAttributes;
}

/** @param withIndices whether the places of the maxima are an output, too: gradients need them */
const poolForward = (name: string, withIndices: boolean): Kernel<PoolAttributes> =>
  defineKernel({
    name,
    outputs([x], { window }) {
      const { outputHeight, outputWidth } = windowGeometry('maxPool2d', x, window);
      const shape = [x[0], outputHeight, outputWidth, x[3]];
      return [{ shape, dtype: 'float32' }, ...(withIndices ? [{ shape, dtype: 'uint32' } as const] : [])];
    },
    twin({ inputs: [x], outputs: [y, indices] }, { inputs: [shape] }, { window }) {
      const [batch, height, width, channels] = shape as [number, number, number, number];
      const { outputHeight, outputWidth, top, left } = windowGeometry('maxPool2d', shape, window);
      let at = 0;
      for (let n = 0; n < batch; n++) {
        for (let i = 0; i < outputHeight; i++) {
          const firstRow = i * window.strides[0] - top;
          for (let j = 0; j < outputWidth; j++) {
            const firstColumn = j * window.strides[1] - left;
            for (let c = 0; c < channels; c++) {
              let best = 0;
              let place = -1;
              for (let row = Math.max(0, firstRow); row < Math.min(height, firstRow + window.size[0]); row++) {
                for (
                  let column = Math.max(0, firstColumn);
                  column < Math.min(width, firstColumn + window.size[1]);
                  column++
                ) {
                  const value = x[((n * height + row) * width + column) * channels + c];
                  if (place < 0 || value > best || Number.isNaN(value)) {
                    best = value;
                    place = row * width + column;
                  }
                }
              }
              y[at] = best;
              if (withIndices) indices[at] = place;
              at++;
            }
          }
        }
      }
    },
    wgsl: ({ inputs: [x], outputs: [y] }, { window }) =>
      planThreads(forwardShader(withIndices), sizeOf(y), windowConstants('maxPool2d', x, window)),
    wasm({ inputs: [x] }, { window }) {
      const { outputHeight, outputWidth, top, left } = windowGeometry('maxPool2d', x, window);
      const [batch, ...picture] = x;
      const lines = batch * outputHeight;
      const { parts, chunk } = split(lines);
      return {
        steps: ({ inputs: [from], outputs: [y, indices = 0] }) => [
          {
            function: 'maxPool',
            parts,
            arguments: [
              from,
              y,
              indices,
              lines,
              ...picture,
              outputHeight,
              outputWidth,
              ...window.size,
              ...window.strides,
              top,
              left,
              chunk,
            ],
          },
        ],
      };
    },
  });

/** x → y, indices (uint32) */
export const maxPool2dForward = poolForward('maxPool2d', true);

/** x → y: in predictions */
export const maxPool2dValues = poolForward('maxPool2dValues', false);

export interface PoolGradientAttributes extends PoolAttributes {
  readonly xShape: Shape;
}

/** dy, indices → dx */
export const maxPool2dGradient = defineKernel<PoolGradientAttributes>({
  name: 'maxPool2dGradient',
  outputs: (_, { xShape }) => [{ shape: xShape, dtype: 'float32' }],
  twin({ inputs: [dy, indices], outputs: [dx] }, { inputs: [shape] }: OperandShapes, { xShape }) {
    const channels = xShape[3];
    const outputs = sizeOf(shape) / shape[0];
    const picture = sizeOf(xShape) / xShape[0];
    dx.fill(0);
    for (let at = 0; at < dy.length; at++) {
      dx[Math.floor(at / outputs) * picture + indices[at] * channels + (at % channels)] += dy[at];
    }
  },
  wgsl: (_, { window, xShape }) => planThreads(BACKWARD, sizeOf(xShape), windowConstants('maxPool2d', xShape, window)),
  wasm({ inputs: [dy] }, { xShape }) {
    const [batch, height, width, channels] = xShape as [number, number, number, number];
    return {
      steps: ({ inputs, outputs }) => [
        {
          function: 'maxPoolGradient',
          parts: batch,
          arguments: [...inputs, ...outputs, height * width, dy[1] * dy[2], channels],
        },
      ],
    };
  },
});

export const maxPool2dOp = defineOp<PoolAttributes>({
  name: 'maxPool2d',
  forward: (inputs, attributes) => launch(isRecording() ? maxPool2dForward : maxPool2dValues, inputs, attributes),
  backward: ({ dy, inputs: [x], outputs: [, indices], attributes: { window }, into }) =>
    launch(maxPool2dGradient, [dy, indices], { window, xShape: x.shape }, [into[0]]),
});

/**
 * Maximum over windows of x [N,H,W,C] → [N,OH,OW,C]; strides default to the window's size.
 * @throws ShapeError when no window fits
 */
export function maxPool2d(x: Tensor, options: { size?: Pair; strides?: Pair; padding?: Padding } = {}): Tensor {
  expectObject(options, 'maxPool2d: options');
  const { size = [2, 2], strides = size, padding = 'valid' } = options;
  return maxPool2dOp.apply([x], { window: { size, strides, dilation: [1, 1], padding } });
}

// --- samples

function poolSample(random: Random) {
  const window = randomWindow(random, false);
  const x: Shape = [between(random, 1, 3), between(random, 4, 9), between(random, 4, 9), between(random, 1, 5)];
  const { outputHeight, outputWidth, top, left } = windowGeometry('sample', x, window);
  const shape = [x[0], outputHeight, outputWidth, x[3]];
  // Any pixel inside the window may be the maximum.
  const values = Uint32Array.from({ length: sizeOf(shape) }, (_, at) => {
    const i = Math.floor(at / shape[3] / outputWidth) % outputHeight;
    const j = Math.floor(at / shape[3]) % outputWidth;
    const row = Math.min(Math.max(i * window.strides[0] - top + random.integer(window.size[0]), 0), x[1] - 1);
    const column = Math.min(Math.max(j * window.strides[1] - left + random.integer(window.size[1]), 0), x[2] - 1);
    return row * x[2] + column;
  });
  return { window, x, indices: { shape, dtype: 'uint32', values } satisfies SampleTensor };
}

export const maxPool2dEntry: RegistryEntry = {
  kernels: [
    ...[maxPool2dForward, maxPool2dValues].map((kernel) => ({
      kernel,
      roundings: 0,
      because: 'values are copied',
      sample(random: Random) {
        const { window, x } = poolSample(random);
        // Few different values, so that ties are common.
        const values = Float32Array.from({ length: sizeOf(x) }, () => random.integer(5) - 3);
        return { inputs: [{ shape: x, dtype: 'float32', values } satisfies SampleTensor], attributes: { window } };
      },
    })),
    {
      kernel: maxPool2dGradient,
      roundings: 16,
      because: 'up to 16 values added',
      sample(random) {
        const { window, x, indices } = poolSample(random);
        return { inputs: [floats(random, indices.shape), indices], attributes: { window, xShape: x } };
      },
    },
  ],
  ops: [
    {
      op: maxPool2dOp,
      roundings: 16,
      because: 'values are copied; up to 16 added in the gradient',
      sample(random) {
        const { window, x } = poolSample(random);
        return { inputs: [allDifferent(random, x)], attributes: { window } };
      },
    },
  ],
};
