/**
 * Makes a training batch from the resident pictures in one pass: picks the batch's pictures, warps each by its own
 * affine transform (shear, zoom and flip are already composed in it), and rescales.
 *
 * A transform maps output pixel (row, column) to input coordinates: (m0·row + m1·column + m2, m3·row + m4·column + m5).
 * Coordinates beyond the picture are clamped to its edge (Keras' fill_mode 'nearest'). Interpolation 'nearest' takes
 * the pixel at floor(coordinate + ½), 'bilinear' blends four, as scipy.ndimage does for order 0 and 1.
 */
import { ShapeError } from '../errors.js';
import { defineKernel, ENTRY, planThreads } from '../tensor/kernel.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { launch, type Tensor } from '../tensor/tensor.js';

export type WarpInterpolation = 'nearest' | 'bilinear';

export interface AugmentAttributes {
  readonly interpolation: WarpInterpolation;
  /** Factor on the uint8 values; 1/255 gives 0 … 1. */
  readonly rescale: number;
}

/** Floats of a transform; the last two are reserved. */
export const TRANSFORM_SIZE = 8;

const augmentShader = (interpolation: WarpInterpolation): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read> pictures: array<u32>;   // uint8 values, four to a word
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> transforms: array<f32>;
@group(0) @binding(3) var<storage, read_write> batch: array<f32>;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override RESCALE: f32;
fn pixel(picture: u32, row: u32, column: u32, c: u32) -> f32 {
  let at = ((picture * HEIGHT + row) * WIDTH + column) * CHANNELS + c;
  return f32((pictures[at / 4u] >> (at % 4u * 8u)) & 255u);
}
${ENTRY}
  let c = index % CHANNELS;
  let j = index / CHANNELS % WIDTH;
  let i = index / CHANNELS / WIDTH % HEIGHT;
  let n = index / CHANNELS / WIDTH / HEIGHT;
  let m = n * ${TRANSFORM_SIZE}u;
  let picture = indices[n];
  let row = clamp(transforms[m] * f32(i) + transforms[m + 1u] * f32(j) + transforms[m + 2u], 0.0, f32(HEIGHT - 1u));
  let column = clamp(transforms[m + 3u] * f32(i) + transforms[m + 4u] * f32(j) + transforms[m + 5u], 0.0, f32(WIDTH - 1u));
  ${
    interpolation === 'nearest'
      ? /* wgsl */ `let value = pixel(picture, u32(row + 0.5), u32(column + 0.5), c);`
      : /* wgsl */ `
  let top = u32(row);
  let left = u32(column);
  let bottom = min(top + 1u, HEIGHT - 1u);
  let right = min(left + 1u, WIDTH - 1u);
  let down = row - f32(top);
  let along = column - f32(left);
  let upper = pixel(picture, top, left, c) * (1.0 - along) + pixel(picture, top, right, c) * along;
  let lower = pixel(picture, bottom, left, c) * (1.0 - along) + pixel(picture, bottom, right, c) * along;
  let value = upper * (1.0 - down) + lower * down;`
  }
  batch[index] = RESCALE * value;
}`;

/** pictures [N,H,W,C] uint8, indices [B] uint32, transforms [B,8] → batch [B,H,W,C] */
export const augmentKernel = defineKernel<AugmentAttributes>({
  name: 'augment',
  outputs([pictures, indices, transforms]) {
    if (pictures.length !== 4)
      throw new ShapeError(`augment: pictures expects [N,H,W,C], got ${formatShape(pictures)}`);
    if (transforms[0] !== indices[0] || transforms[1] !== TRANSFORM_SIZE) {
      throw new ShapeError(
        `augment: transforms expects [${indices[0]},${TRANSFORM_SIZE}], got ${formatShape(transforms)}`,
      );
    }
    return [{ shape: [indices[0], ...pictures.slice(1)], dtype: 'float32' }];
  },
  twin(
    { inputs: [pictures, indices, transforms], outputs: [batch] },
    { inputs: [shape], outputs: [output] },
    { interpolation, rescale },
  ) {
    const [, height, width, channels] = shape as [number, number, number, number];
    const limit = (value: number, last: number): number => Math.min(Math.max(value, 0), last);
    let at = 0;
    for (let n = 0; n < output[0]; n++) {
      const m = n * TRANSFORM_SIZE;
      const [m0, m1, m2, m3, m4, m5] = [0, 1, 2, 3, 4, 5].map((i) => transforms[m + i]) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const picture = indices[n] * height * width * channels;
      for (let i = 0; i < height; i++) {
        for (let j = 0; j < width; j++) {
          const row = limit(m0 * i + m1 * j + m2, height - 1);
          const column = limit(m3 * i + m4 * j + m5, width - 1);
          if (interpolation === 'nearest') {
            const from = picture + (Math.floor(row + 0.5) * width + Math.floor(column + 0.5)) * channels;
            for (let c = 0; c < channels; c++) batch[at++] = rescale * pictures[from + c];
            continue;
          }
          const top = Math.floor(row);
          const left = Math.floor(column);
          const down = row - top;
          const along = column - left;
          const upper = picture + (top * width + left) * channels;
          const lower = top + 1 < height ? upper + width * channels : upper;
          const next = left + 1 < width ? channels : 0;
          for (let c = 0; c < channels; c++) {
            const above = pictures[upper + c] * (1 - along) + pictures[upper + next + c] * along;
            const below = pictures[lower + c] * (1 - along) + pictures[lower + next + c] * along;
            batch[at++] = rescale * (above * (1 - down) + below * down);
          }
        }
      }
    }
  },
  wgsl: ({ inputs: [pictures], outputs: [batch] }, { interpolation, rescale }) =>
    planThreads(augmentShader(interpolation), sizeOf(batch), {
      HEIGHT: pictures[1],
      WIDTH: pictures[2],
      CHANNELS: pictures[3],
      RESCALE: rescale,
    }),
});

/**
 * @param pictures [N,H,W,C] uint8
 * @param indices [B] uint32: which pictures
 * @param transforms [B,8]: see above
 * @returns [B,H,W,C] float32; pictures have no gradient
 */
export function augment(pictures: Tensor, indices: Tensor, transforms: Tensor, attributes: AugmentAttributes): Tensor {
  return launch(augmentKernel, [pictures, indices, transforms], attributes)[0];
}
