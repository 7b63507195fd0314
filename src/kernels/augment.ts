/**
 * Makes a training batch from the resident pictures: picks the batch's pictures, warps each by its own affine transform
 * (rotation, shift, shear, zoom and flips are composed in it), and changes its values, in the order of Keras'
 * ImageDataGenerator:
 *
 *     warp → channel shift → brightness → rescale → centre and normalize
 *
 * A transform maps output pixel (row, column) to input coordinates: (m0·row + m1·column + m2, m3·row + m4·column + m5).
 * Interpolation 'nearest' takes the pixel at floor(coordinate + ½), 'bilinear' blends four, as scipy.ndimage does for
 * order 0 and 1. Coordinates beyond the picture are folded back by the fill mode, in scipy's meaning of the words:
 *
 *     nearest   a a a | a b c d | d d d
 *     reflect   c b a | a b c d | d c b
 *     wrap      b c d | a b c d | b c d      period n − 1: the last pixel and the next first one are one
 *     constant  k k k | a b c d | k k k      outright, without blending at the edge
 *
 * Channel shift adds to each channel and limits the sum to the warped picture's own least and greatest value. Brightness
 * is Pillow's: values lose their fraction, are multiplied, limited to 255 and lose their fraction again; 'stretched' first
 * scales the picture to a maximum of 255, as Keras did before 2.2.5. Centring and normalizing by sample takes mean and
 * deviation of the picture as it then is, by feature those of the whole set, channel by channel.
 * Sources: keras-preprocessing 1.1.2; scipy, ndimage/src/ni_interpolation.c; Pillow, ImageEnhance.Brightness.
 */
import { ShapeError } from '../errors.js';
import { defineKernel, dispatchThreads, type Dispatch, ENTRY, type Numbers } from '../tensor/kernel.js';
import { formatShape, sizeOf } from '../tensor/shape.js';
import { launch, type Tensor } from '../tensor/tensor.js';

export type WarpInterpolation = 'nearest' | 'bilinear';
export const fillModes = ['nearest', 'constant', 'reflect', 'wrap'] as const;
export type FillMode = (typeof fillModes)[number];

export interface AugmentAttributes {
  readonly interpolation: WarpInterpolation;
  /** Factor on the values 0 … 255; 1/255 gives 0 … 1. */
  readonly rescale: number;
  /** Default 'nearest'. */
  readonly fillMode?: FillMode;
  /** What is beyond the edge in mode 'constant', 0 … 255. Default 0. */
  readonly fillValue?: number;
  /** Whether the transforms' channel shifts are applied. Default false. */
  readonly channelShift?: boolean;
  /** Whether and how the transforms' brightness is applied. Default 'none'. */
  readonly brightness?: 'none' | 'plain' | 'stretched';
  readonly samplewiseCenter?: boolean;
  readonly samplewiseStdNormalization?: boolean;
  /** Subtracted from the rescaled values, [C]. Default: nothing. */
  readonly featurewiseMean?: readonly number[] | null;
  /** What they are divided by then, plus 1e-6, [C]. Default: nothing. */
  readonly featurewiseStd?: readonly number[] | null;
}

/** Floats of a transform: m0 … m5, channel shifts of red, green and blue, brightness, two zeros. */
export const TRANSFORM_SIZE = 12;
const SHIFT = 6;
const BRIGHTNESS = 9;
const EPSILON = 1e-6;
/** A stretched value that is whole must not lose one to rounding; those of bytes are at least 1/255 from the next whole one. */
const STRETCH_MARGIN = 0.001;

/** What has to be known of a whole picture before its values can be changed. */
const needsPicture = (attributes: AugmentAttributes): boolean =>
  Boolean(attributes.channelShift || attributes.samplewiseCenter || attributes.samplewiseStdNormalization) ||
  attributes.brightness === 'stretched';

/** WGSL of a coordinate's way back into 0 … last, by fill mode. */
const foldShader: Readonly<Record<FillMode, string>> = {
  nearest: 'return clamp(at, 0.0, last);',
  constant: 'return at;',
  reflect: /* wgsl */ `
  let period = 2.0 * (last + 1.0);
  let shifted = at + 0.5 - period * floor((at + 0.5) / period);
  return clamp(min(shifted, period - shifted) - 0.5, 0.0, last);`,
  wrap: /* wgsl */ `
  if (at < 0.0) { return select(0.0, at + last * (floor(-at / last) + 1.0), last > 0.0); }
  if (at > last) { return select(0.0, at - last * floor(at / last), last > 0.0); }
  return at;`,
};

const list = (values: readonly number[]): string =>
  `array<f32, ${values.length}>(${values.map((value) => `f32(${value})`).join(', ')})`;

/** Declarations of what the attributes fix, and the last steps of a value. */
const finishShader = (attributes: AugmentAttributes, channels: number): string => {
  const { featurewiseMean: mean, featurewiseStd: std } = attributes;
  return /* wgsl */ `
override RESCALE: f32;
${mean ? `const MEAN = ${list(mean.slice(0, channels))};` : ''}
${std ? `const DIVISOR = ${list(std.slice(0, channels).map((value) => value + EPSILON))};` : ''}
fn standardized(value: f32, c: u32) -> f32 {
  ${mean ? 'var means = MEAN;' : ''}
  ${std ? 'var divisors = DIVISOR;' : ''}
  return ${std ? '(' : ''}value${mean ? ' - means[c]' : ''}${std ? ') / divisors[c]' : ''};
}
fn brightened(value: f32, factor: f32) -> f32 {
  return floor(min(floor(clamp(value, 0.0, 255.0)) * factor, 255.0));
}`;
};

const warpShader = (attributes: AugmentAttributes, channels: number): string => {
  const { interpolation, fillMode = 'nearest', brightness = 'none' } = attributes;
  const isWhole = needsPicture(attributes);
  return /* wgsl */ `
@group(0) @binding(0) var<storage, read> pictures: array<u32>;   // uint8 values, four to a word
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> transforms: array<f32>;
@group(0) @binding(3) var<storage, read_write> batch: array<f32>;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override FILL: f32;
${finishShader(attributes, channels)}
fn pixel(picture: u32, row: u32, column: u32, c: u32) -> f32 {
  let at = ((picture * HEIGHT + row) * WIDTH + column) * CHANNELS + c;
  return f32((pictures[at / 4u] >> (at % 4u * 8u)) & 255u);
}
fn fold(at: f32, last: f32) -> f32 {
  ${foldShader[fillMode]}
}
${ENTRY}
  let c = index % CHANNELS;
  let j = index / CHANNELS % WIDTH;
  let i = index / CHANNELS / WIDTH % HEIGHT;
  let n = index / CHANNELS / WIDTH / HEIGHT;
  let m = n * ${TRANSFORM_SIZE}u;
  let picture = indices[n];
  let lastRow = f32(HEIGHT - 1u);
  let lastColumn = f32(WIDTH - 1u);
  var row = fold(transforms[m] * f32(i) + transforms[m + 1u] * f32(j) + transforms[m + 2u], lastRow);
  var column = fold(transforms[m + 3u] * f32(i) + transforms[m + 4u] * f32(j) + transforms[m + 5u], lastColumn);
  let outside = ${fillMode === 'constant' ? 'row < 0.0 || row > lastRow || column < 0.0 || column > lastColumn' : 'false'};
  ${fillMode === 'constant' ? 'row = clamp(row, 0.0, lastRow); column = clamp(column, 0.0, lastColumn);' : ''}
  ${
    interpolation === 'nearest'
      ? /* wgsl */ `var value = pixel(picture, u32(row + 0.5), u32(column + 0.5), c);`
      : /* wgsl */ `
  let top = u32(row);
  let left = u32(column);
  let bottom = min(top + 1u, HEIGHT - 1u);
  let right = min(left + 1u, WIDTH - 1u);
  let down = row - f32(top);
  let along = column - f32(left);
  let upper = pixel(picture, top, left, c) * (1.0 - along) + pixel(picture, top, right, c) * along;
  let lower = pixel(picture, bottom, left, c) * (1.0 - along) + pixel(picture, bottom, right, c) * along;
  var value = upper * (1.0 - down) + lower * down;`
  }
  value = select(value, FILL, outside);
  ${
    isWhole
      ? 'batch[index] = value;'
      : /* wgsl */ `
  ${brightness === 'none' ? '' : `value = brightened(value, transforms[m + ${BRIGHTNESS}u]);`}
  batch[index] = standardized(RESCALE * value, c);`
  }
}`;
};

/** Threads that work on one picture. */
const TEAM = 256;

/** WGSL of a function that combines one value of each thread, in a fixed order; all threads get the result. */
const combineShader = (name: string, combine: (a: string, b: string) => string): string => /* wgsl */ `
fn ${name}(thread: u32, value: f32) -> f32 {
  shared_values[thread] = value;
  workgroupBarrier();
  for (var half = ${TEAM / 2}u; half > 0u; half /= 2u) {
    if (thread < half) { shared_values[thread] = ${combine('shared_values[thread]', 'shared_values[thread + half]')}; }
    workgroupBarrier();
  }
  let result = shared_values[0];
  workgroupBarrier();
  return result;
}`;

/** One workgroup a picture: whatever depends on all of its values. A thread keeps to its own elements throughout. */
const wholeShader = (attributes: AugmentAttributes, channels: number): string => {
  const { channelShift, brightness = 'none', samplewiseCenter, samplewiseStdNormalization } = attributes;
  const each = (body: string): string => `for (var at = start + thread; at < start + SIZE; at += ${TEAM}u) { ${body} }`;
  return /* wgsl */ `
@group(0) @binding(0) var<storage, read> transforms: array<f32>;
@group(0) @binding(1) var<storage, read_write> batch: array<f32>;
override SAMPLES: u32;
override SIZE: u32;
override CHANNELS: u32;
var<workgroup> shared_values: array<f32, ${TEAM}>;
${finishShader(attributes, channels)}
${combineShader('least', (x, y) => `min(${x}, ${y})`)}
${combineShader('greatest', (x, y) => `max(${x}, ${y})`)}
${combineShader('total', (x, y) => `${x} + ${y}`)}
@compute @workgroup_size(${TEAM})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let n = group.y * groups.x + group.x;
  if (n >= SAMPLES) { return; }
  let start = n * SIZE;
  let m = n * ${TRANSFORM_SIZE}u;
  ${
    channelShift
      ? /* wgsl */ `
  var low = batch[start];
  var high = low;
  ${each('low = min(low, batch[at]); high = max(high, batch[at]);')}
  low = least(thread, low);
  high = greatest(thread, high);
  ${each(`batch[at] = clamp(batch[at] + transforms[m + ${SHIFT}u + min(at % CHANNELS, 2u)], low, high);`)}`
      : ''
  }
  ${
    brightness === 'stretched'
      ? /* wgsl */ `
  var most = 0.0;
  ${each('most = max(most, batch[at]);')}
  most = greatest(thread, most);
  ${each(`batch[at] = select(batch[at], batch[at] * 255.0 / most + ${STRETCH_MARGIN}, most > 0.0);`)}`
      : ''
  }
  ${each(
    `batch[at] = RESCALE * ${brightness === 'none' ? 'batch[at]' : `brightened(batch[at], transforms[m + ${BRIGHTNESS}u])`};`,
  )}
  ${
    samplewiseCenter || samplewiseStdNormalization
      ? /* wgsl */ `
  var sum = 0.0;
  ${each('sum += batch[at];')}
  let mean = total(thread, sum) / f32(SIZE);
  var squares = 0.0;
  ${each('squares += (batch[at] - mean) * (batch[at] - mean);')}
  let divisor = ${samplewiseStdNormalization ? `sqrt(total(thread, squares) / f32(SIZE)) + ${EPSILON}` : '1.0'};
  ${each(`batch[at] = (batch[at]${samplewiseCenter ? ' - mean' : ''}) / divisor;`)}`
      : ''
  }
  ${each('batch[at] = standardized(batch[at], at % CHANNELS);')}
}`;
};

/** A coordinate's way back into 0 … last. In mode 'constant' it may stay outside. */
function fold(at: number, last: number, mode: FillMode): number {
  if (mode === 'constant') return at;
  if (mode === 'nearest') return Math.min(Math.max(at, 0), last);
  if (mode === 'reflect') {
    const period = 2 * (last + 1);
    const shifted = at + 0.5 - period * Math.floor((at + 0.5) / period);
    return Math.min(Math.max(Math.min(shifted, period - shifted) - 0.5, 0), last);
  }
  if (last === 0) return 0;
  if (at < 0) return at + last * (Math.floor(-at / last) + 1);
  return at > last ? at - last * Math.floor(at / last) : at;
}

/** One picture, warped: [H,W,C] values 0 … 255 from `batch[at]` on. */
function warp(
  { pictures, batch, transforms }: { pictures: Numbers; batch: Numbers; transforms: Numbers },
  [height, width, channels]: readonly number[],
  { interpolation, fillMode = 'nearest', fillValue = 0 }: AugmentAttributes,
  picture: number,
  m: number,
  at: number,
): void {
  const [m0, m1, m2, m3, m4, m5] = [0, 1, 2, 3, 4, 5].map((i) => transforms[m + i]);
  const [lastRow, lastColumn] = [height - 1, width - 1];
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const row = fold(m0 * i + m1 * j + m2, lastRow, fillMode);
      const column = fold(m3 * i + m4 * j + m5, lastColumn, fillMode);
      if (fillMode === 'constant' && (row < 0 || row > lastRow || column < 0 || column > lastColumn)) {
        for (let c = 0; c < channels; c++) batch[at++] = fillValue;
        continue;
      }
      if (interpolation === 'nearest') {
        const from = picture + (Math.floor(row + 0.5) * width + Math.floor(column + 0.5)) * channels;
        for (let c = 0; c < channels; c++) batch[at++] = pictures[from + c];
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
        batch[at++] = above * (1 - down) + below * down;
      }
    }
  }
}

/** The values of one warped picture, from `start` on, through all further steps. */
function finish(
  batch: Numbers,
  transforms: Numbers,
  start: number,
  size: number,
  channels: number,
  m: number,
  attributes: AugmentAttributes,
): void {
  const { channelShift, brightness = 'none', rescale, samplewiseCenter, samplewiseStdNormalization } = attributes;
  const { featurewiseMean, featurewiseStd } = attributes;
  const end = start + size;
  if (channelShift) {
    let [low, high] = [batch[start], batch[start]];
    for (let at = start; at < end; at++) {
      low = Math.min(low, batch[at]);
      high = Math.max(high, batch[at]);
    }
    for (let at = start; at < end; at++) {
      const shift = transforms[m + SHIFT + Math.min((at - start) % channels, 2)];
      batch[at] = Math.min(Math.max(batch[at] + shift, low), high);
    }
  }
  if (brightness === 'stretched') {
    let most = 0;
    for (let at = start; at < end; at++) most = Math.max(most, batch[at]);
    for (let at = start; at < end; at++) if (most > 0) batch[at] = (batch[at] * 255) / most + STRETCH_MARGIN;
  }
  const factor = transforms[m + BRIGHTNESS];
  for (let at = start; at < end; at++) {
    if (brightness !== 'none') {
      const whole = Math.floor(Math.min(Math.max(batch[at], 0), 255));
      batch[at] = Math.floor(Math.min(Math.fround(whole * factor), 255)); // Pillow multiplies in float32
    }
    batch[at] = rescale * batch[at];
  }
  if (samplewiseCenter || samplewiseStdNormalization) {
    let sum = 0;
    for (let at = start; at < end; at++) sum += batch[at];
    const mean = sum / size;
    let squares = 0;
    for (let at = start; at < end; at++) squares += (batch[at] - mean) ** 2;
    const divisor = samplewiseStdNormalization ? Math.sqrt(squares / size) + EPSILON : 1;
    for (let at = start; at < end; at++) batch[at] = (batch[at] - (samplewiseCenter ? mean : 0)) / divisor;
  }
  if (!featurewiseMean && !featurewiseStd) return;
  for (let at = start; at < end; at++) {
    const c = (at - start) % channels;
    batch[at] =
      (batch[at] - (featurewiseMean ? featurewiseMean[c] : 0)) / (featurewiseStd ? featurewiseStd[c] + EPSILON : 1);
  }
}

/** pictures [N,H,W,C] uint8, indices [B] uint32, transforms [B,TRANSFORM_SIZE] → batch [B,H,W,C] */
export const augmentKernel = defineKernel<AugmentAttributes>({
  name: 'augment',
  outputs([pictures, indices, transforms], { featurewiseMean, featurewiseStd }) {
    if (pictures.length !== 4)
      throw new ShapeError(`augment: pictures expects [N,H,W,C], got ${formatShape(pictures)}`);
    if (transforms[0] !== indices[0] || transforms[1] !== TRANSFORM_SIZE) {
      throw new ShapeError(
        `augment: transforms expects [${indices[0]},${TRANSFORM_SIZE}], got ${formatShape(transforms)}`,
      );
    }
    for (const [name, values] of Object.entries({ featurewiseMean, featurewiseStd })) {
      if (!values || values.length === pictures[3]) continue;
      throw new ShapeError(`augment: ${name} expects ${pictures[3]} values, one a channel, got ${values.length}`);
    }
    return [{ shape: [indices[0], ...pictures.slice(1)], dtype: 'float32' }];
  },
  twin(
    { inputs: [pictures, indices, transforms], outputs: [batch] },
    { inputs: [, , shape], outputs: [output] },
    attributes,
  ) {
    const picture = output.slice(1);
    const size = sizeOf(picture);
    for (let n = 0; n < shape[0]; n++) {
      const m = n * TRANSFORM_SIZE;
      warp({ pictures, batch, transforms }, picture, attributes, indices[n] * size, m, n * size);
      finish(batch, transforms, n * size, size, picture[2], m, attributes);
    }
  },
  wgsl({ inputs: [pictures], outputs: [batch] }, attributes) {
    const [, HEIGHT, WIDTH, CHANNELS] = pictures;
    const [samples] = batch;
    const { rescale, fillValue = 0 } = attributes;
    return {
      steps: ({ inputs, outputs }) => {
        const constants = { HEIGHT, WIDTH, CHANNELS, FILL: fillValue, RESCALE: rescale };
        const warped = dispatchThreads(
          warpShader(attributes, CHANNELS),
          sizeOf(batch),
          [...inputs, ...outputs],
          constants,
        );
        if (!needsPicture(attributes)) return [warped];
        const columns = Math.min(samples, 32768); // of workgroups; a dimension holds 65,535
        const whole: Dispatch = {
          code: wholeShader(attributes, CHANNELS),
          constants: { SAMPLES: samples, SIZE: HEIGHT * WIDTH * CHANNELS, CHANNELS, RESCALE: rescale },
          bindings: [inputs[2], ...outputs],
          workgroups: [columns, Math.ceil(samples / columns), 1],
        };
        return [warped, whole];
      },
    };
  },
  wasm({ inputs: [[, height, width, channels], [samples]] }, attributes) {
    const { interpolation, fillMode = 'nearest', fillValue = 0, rescale, brightness = 'none' } = attributes;
    const { featurewiseMean, featurewiseStd } = attributes;
    if (needsPicture(attributes) || brightness !== 'none' || featurewiseMean || featurewiseStd) return null;
    const warping = [TRANSFORM_SIZE, Number(interpolation === 'bilinear'), fillModes.indexOf(fillMode)];
    return {
      steps: ({ inputs, outputs }) => [
        {
          function: 'warp',
          parts: samples,
          arguments: [...inputs, ...outputs, height, width, channels, ...warping, fillValue, rescale],
        },
      ],
    };
  },
});

/**
 * @param pictures [N,H,W,C] uint8
 * @param indices [B] uint32: which pictures
 * @param transforms [B,TRANSFORM_SIZE]: see above
 * @returns [B,H,W,C] float32; pictures have no gradient
 */
export function augment(pictures: Tensor, indices: Tensor, transforms: Tensor, attributes: AugmentAttributes): Tensor {
  return launch(augmentKernel, [pictures, indices, transforms], attributes)[0];
}
