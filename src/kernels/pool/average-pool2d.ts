/**
 * Average over windows: y[n,i,j,c] = mean of x over the part of the window at (i·s − top, j·s − left) that lies inside
 * the picture: padding is not counted. Gradient: every element of a window gets dy / count.
 * Layouts: x [N,H,W,C], y [N,OH,OW,C].
 */
import { expectObject } from '../../expect.js';
import { defineOp } from '../../tensor/autograd.js';
import { split } from '../../tensor/cpu/parts.js';
import { defineKernel, ENTRY, planThreads, type Numbers, type Plan, type WasmCall } from '../../tensor/kernel.js';
import { sizeOf, type Shape } from '../../tensor/shape.js';
import { launch, type Tensor } from '../../tensor/tensor.js';
import { floats, pooledPicture, type RegistryEntry } from '../shared/samples.js';
import { windowConstants, windowGeometry, WINDOW_CONSTANTS } from '../shared/window.js';
import type { Padding, Pair, WindowAttributes } from '../shared/window.js';

export interface AveragePoolAttributes {
  readonly window: WindowAttributes;
}

const constants = (x: Shape, window: WindowAttributes) => windowConstants('averagePool2d', x, window);

/** Rows (or columns) of the window at `first` that lie inside: [begin, end). */
const INSIDE = /* wgsl */ `
fn inside(i: u32, stride: u32, before: u32, size: u32, length: u32) -> vec2u {
  let first = i * stride;   // in the padded picture
  return vec2u(max(first, before) - before, min(first + size, before + length) - before);
}
`;

const FORWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
${WINDOW_CONSTANTS}
${INSIDE}
${ENTRY}
  let c = index % CHANNELS;
  let j = index / CHANNELS % OUTPUT_WIDTH;
  let i = index / CHANNELS / OUTPUT_WIDTH % OUTPUT_HEIGHT;
  let n = index / CHANNELS / OUTPUT_WIDTH / OUTPUT_HEIGHT;
  let rows = inside(i, STRIDE_HEIGHT, TOP, WINDOW_HEIGHT, HEIGHT);
  let columns = inside(j, STRIDE_WIDTH, LEFT, WINDOW_WIDTH, WIDTH);
  var sum = 0.0;
  for (var row = rows.x; row < rows.y; row++) {
    for (var column = columns.x; column < columns.y; column++) {
      sum += x[((n * HEIGHT + row) * WIDTH + column) * CHANNELS + c];
    }
  }
  y[index] = sum / f32((rows.y - rows.x) * (columns.y - columns.x));
}`;

/** Each thread: one element of dx, over the windows that cover it. */
const BACKWARD = /* wgsl */ `
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
${WINDOW_CONSTANTS}
${INSIDE}
// The first window whose end lies beyond position t, and the one after the last that begins at or before it.
fn firstWindow(t: u32, size: u32, stride: u32) -> u32 { return select(0u, (t - size) / stride + 1u, t >= size); }
fn endWindow(t: u32, stride: u32, count: u32) -> u32 { return min(t / stride + 1u, count); }
${ENTRY}
  let c = index % CHANNELS;
  let column = index / CHANNELS % WIDTH + LEFT;
  let row = index / CHANNELS / WIDTH % HEIGHT + TOP;
  let n = index / CHANNELS / WIDTH / HEIGHT;
  var sum = 0.0;
  for (var i = firstWindow(row, WINDOW_HEIGHT, STRIDE_HEIGHT); i < endWindow(row, STRIDE_HEIGHT, OUTPUT_HEIGHT); i++) {
    let rows = inside(i, STRIDE_HEIGHT, TOP, WINDOW_HEIGHT, HEIGHT);
    for (var j = firstWindow(column, WINDOW_WIDTH, STRIDE_WIDTH); j < endWindow(column, STRIDE_WIDTH, OUTPUT_WIDTH); j++) {
      let columns = inside(j, STRIDE_WIDTH, LEFT, WINDOW_WIDTH, WIDTH);
      let count = f32((rows.y - rows.x) * (columns.y - columns.x));
      sum += dy[((n * OUTPUT_HEIGHT + i) * OUTPUT_WIDTH + j) * CHANNELS + c] / count;
    }
  }
  dx[index] = sum;
}`;

/** Calls `visit` for each channel of each pixel of each window: offsets in x and in y, and the window's pixels. */
function forEachPixel(
  shape: Shape,
  window: WindowAttributes,
  visit: (x: number, y: number, count: number) => void,
): void {
  const [batch, height, width, channels] = shape;
  const { outputHeight, outputWidth, top, left } = windowGeometry('averagePool2d', shape, window);
  const { size, strides } = window;
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < outputHeight; i++) {
      const firstRow = Math.max(i * strides[0] - top, 0);
      const endRow = Math.min(i * strides[0] - top + size[0], height);
      for (let j = 0; j < outputWidth; j++) {
        const firstColumn = Math.max(j * strides[1] - left, 0);
        const endColumn = Math.min(j * strides[1] - left + size[1], width);
        const count = (endRow - firstRow) * (endColumn - firstColumn);
        const y = ((n * outputHeight + i) * outputWidth + j) * channels;
        for (let row = firstRow; row < endRow; row++) {
          for (let column = firstColumn; column < endColumn; column++) {
            const x = ((n * height + row) * width + column) * channels;
            for (let c = 0; c < channels; c++) visit(x + c, y + c, count);
          }
        }
      }
    }
  }
}

/** Lines of y or dx, a part some of them; arguments in the order of the shader's constants. The workspace takes a line of what is read. */
function windowCalls(
  name: string,
  x: Shape,
  window: WindowAttributes,
  lines: number,
  read: Shape,
): Plan<number, WasmCall> {
  const { parts, chunk } = split(lines);
  const sizes = Object.values(constants(x, window));
  return {
    workspace: 4 * read[2] * read[3],
    steps: ({ inputs, outputs }) => [
      { function: name, parts, arguments: [...inputs, ...outputs, lines, ...sizes, chunk] },
    ],
  };
}

/** x → y */
export const averagePool2dForward = defineKernel<AveragePoolAttributes>({
  name: 'averagePool2d',
  outputs([x], { window }) {
    const { outputHeight, outputWidth } = windowGeometry('averagePool2d', x, window);
    return [{ shape: [x[0], outputHeight, outputWidth, x[3]], dtype: 'float32' }];
  },
  twin({ inputs: [x], outputs: [y] }: { inputs: readonly Numbers[]; outputs: readonly Numbers[] }, shapes, { window }) {
    y.fill(0);
    forEachPixel(shapes.inputs[0], window, (from, to, count) => (y[to] += x[from] / count));
  },
  wgsl: ({ inputs: [x], outputs: [y] }, { window }) => planThreads(FORWARD, sizeOf(y), constants(x, window)),
  wasm: ({ inputs: [x], outputs: [y] }, { window }) => windowCalls('averagePool', x, window, y[0] * y[1], x),
});

/** dy → dx */
export const averagePool2dGradient = defineKernel<AveragePoolAttributes & { readonly xShape: Shape }>({
  name: 'averagePool2dGradient',
  outputs: (_, { xShape }) => [{ shape: xShape, dtype: 'float32' }],
  twin({ inputs: [dy], outputs: [dx] }, _, { window, xShape }) {
    dx.fill(0);
    forEachPixel(xShape, window, (to, from, count) => (dx[to] += dy[from] / count));
  },
  wgsl: (_, { window, xShape }) => planThreads(BACKWARD, sizeOf(xShape), constants(xShape, window)),
  wasm: ({ inputs: [dy] }, { window, xShape }) =>
    windowCalls('averagePoolGradient', xShape, window, xShape[0] * xShape[1], dy),
});

export const averagePool2dOp = defineOp<AveragePoolAttributes>({
  name: 'averagePool2d',
  forward: (inputs, attributes) => launch(averagePool2dForward, inputs, attributes),
  backward: ({ dy, inputs: [x], attributes: { window }, into }) =>
    launch(averagePool2dGradient, [dy], { window, xShape: x.shape }, [into[0]]),
});

/**
 * Average over windows of x [N,H,W,C] → [N,OH,OW,C]; strides default to the window's size, padding is not counted.
 * @throws ShapeError when no window fits
 */
export function averagePool2d(x: Tensor, options: { size?: Pair; strides?: Pair; padding?: Padding } = {}): Tensor {
  expectObject(options, 'averagePool2d: options');
  const { size = [2, 2], strides = size, padding = 'valid' } = options;
  return averagePool2dOp.apply([x], { window: { size, strides, dilation: [1, 1], padding } });
}

// --- samples

const tolerance = { roundings: 16, because: 'up to 16 values added, a quotient each' };
export const averagePool2dEntry: RegistryEntry = {
  kernels: [
    {
      kernel: averagePool2dForward,
      ...tolerance,
      sample(random) {
        const { window, x } = pooledPicture(random);
        return { inputs: [floats(random, x)], attributes: { window } };
      },
    },
    {
      kernel: averagePool2dGradient,
      ...tolerance,
      sample(random) {
        const { window, x, y } = pooledPicture(random);
        return { inputs: [floats(random, y)], attributes: { window, xShape: x } };
      },
    },
  ],
  ops: [
    {
      op: averagePool2dOp,
      ...tolerance,
      sample(random) {
        const { window, x } = pooledPicture(random);
        return { inputs: [floats(random, x)], attributes: { window } };
      },
    },
  ],
};
