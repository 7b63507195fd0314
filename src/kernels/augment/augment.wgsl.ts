/** Augmentation on WebGPU: one launch that gathers and warps, and one for what depends on whole pictures. */
import { ENTRY } from '../../tensor/kernel.js';
import {
  type AugmentAttributes,
  BLOBS,
  BRIGHTNESS,
  DEFECTS_SIZE,
  EPSILON,
  type FillMode,
  NOISE_SCALE,
  SHIFT,
  STRETCH_MARGIN,
  TRANSFORM_SIZE,
} from './attributes.js';

/** What has to be known of a whole picture before its values can be changed. */
export const needsPicture = (attributes: AugmentAttributes): boolean =>
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

/** WGSL of a pixel's level with defects; `plain` gives it without. */
const defectsShader = /* wgsl */ `
fn scene(picture: u32, n: u32, row: u32, column: u32, c: u32) -> f32 {
  let d = n * ${DEFECTS_SIZE}u;
  let first = u32(defects[d + 3u]);
  let end = u32(defects[d + 4u]);
  var value = plain(picture, row, column, c);
  if (row >= first && row < end) {
    let above = plain(picture, select(end, first - 1u, first > 0u), column, c);
    let below = plain(picture, select(max(first, 1u) - 1u, end, end < HEIGHT), column, c);
    let part = f32(row - first + 1u) / f32(end - first + 1u);
    value = above * (1.0 - part) + below * part;
  }
  for (var blob = d + 5u; blob < d + 5u + ${4 * BLOBS}u; blob += 4u) {
    let down = f32(row) - defects[blob];
    let along = f32(column) - defects[blob + 1u];
    let radius = defects[blob + 2u];
    let cover = select(0.0, clamp(radius - sqrt(down * down + along * along) + 0.5, 0.0, 1.0), radius > 0.0);
    value = value * (1.0 - cover) + defects[blob + 3u] * cover;
  }
  return value;
}
fn hash(seed: u32) -> u32 {
  let state = seed * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}
fn pixel(picture: u32, n: u32, row: u32, column: u32, c: u32) -> f32 {
  let d = n * ${DEFECTS_SIZE}u;
  let radius = u32(defects[d + 2u]);
  var sum = 0.0;
  for (var i = 0u; i <= 2u * radius; i++) {
    for (var j = 0u; j <= 2u * radius; j++) {
      let y = clamp(i32(row + i) - i32(radius), 0, i32(HEIGHT) - 1);
      let x = clamp(i32(column + j) - i32(radius), 0, i32(WIDTH) - 1);
      sum += scene(picture, n, u32(y), u32(x), c);
    }
  }
  let width = f32(2u * radius + 1u);
  let a = hash(u32(defects[d + 1u]) ^ hash((row * WIDTH + column) * CHANNELS + c));
  let b = hash(a);
  let noise = f32((a & 65535u) + (a >> 16u) + (b & 65535u) + (b >> 16u)) - 131070.0;
  return clamp(sum / (width * width) + defects[d] * noise * ${NOISE_SCALE}, 0.0, 255.0);
}`;

export const warpShader = (attributes: AugmentAttributes, channels: number, hasDefects: boolean): string => {
  const { interpolation, fillMode = 'nearest', brightness = 'none' } = attributes;
  const isWhole = needsPicture(attributes);
  return /* wgsl */ `
@group(0) @binding(0) var<storage, read> pictures: array<u32>;   // uint8 values, four to a word
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> transforms: array<f32>;
@group(0) @binding(3) var<storage, read_write> batch: array<f32>;
${hasDefects ? '@group(0) @binding(4) var<storage, read> defects: array<f32>;' : ''}
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override FILL: f32;
${finishShader(attributes, channels)}
fn plain(picture: u32, row: u32, column: u32, c: u32) -> f32 {
  let at = ((picture * HEIGHT + row) * WIDTH + column) * CHANNELS + c;
  return f32((pictures[at / 4u] >> (at % 4u * 8u)) & 255u);
}
${
  hasDefects
    ? defectsShader
    : /* wgsl */ `
fn pixel(picture: u32, n: u32, row: u32, column: u32, c: u32) -> f32 { return plain(picture, row, column, c); }`
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
      ? /* wgsl */ `var value = pixel(picture, n, u32(row + 0.5), u32(column + 0.5), c);`
      : /* wgsl */ `
  let top = u32(row);
  let left = u32(column);
  let bottom = min(top + 1u, HEIGHT - 1u);
  let right = min(left + 1u, WIDTH - 1u);
  let down = row - f32(top);
  let along = column - f32(left);
  let upper = pixel(picture, n, top, left, c) * (1.0 - along) + pixel(picture, n, top, right, c) * along;
  let lower = pixel(picture, n, bottom, left, c) * (1.0 - along) + pixel(picture, n, bottom, right, c) * along;
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
export const wholeShader = (attributes: AugmentAttributes, channels: number): string => {
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
