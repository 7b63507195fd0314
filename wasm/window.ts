// Windows that slide over a picture, for every convolution and its gradients. AssemblyScript. Pictures are NHWC, addresses bytes.
//
// Along one axis, output o sees through tap t the input (o · stride + t · dilation + shift) / divisor, where that is whole and
// inside. A convolution has divisor 1 and shift −padding. Its input gradient is the same sum with the sides exchanged:
// stride 1, dilation −d, shift +padding and the convolution's stride as divisor. Outputs that agree modulo the divisor
// are a phase: they see the same taps, and their windows lie evenly, so that no zeros are ever put between pixels.

import { clearFloats, copyFloats } from './move';

/** One axis of a convolution; its words are written by `windowAxis`. */
@unmanaged
export class Axis {
  inputs: i32;
  outputs: i32;
  taps: i32;
  stride: i32;
  divisor: i32;
  dilation: i32;
  shift: i32;
  /** Columns of zeros that a band needs before and after the inputs. */
  before: i32;
  after: i32;
}

/** Bytes of an Axis. */
export const AXIS_BYTES: usize = 36;

export function windowAxis(
  part: i32,
  to: usize,
  inputs: i32,
  outputs: i32,
  taps: i32,
  stride: i32,
  divisor: i32,
  dilation: i32,
  shift: i32,
  before: i32,
  after: i32,
): void {
  const axis = changetype<Axis>(to);
  axis.inputs = inputs;
  axis.outputs = outputs;
  axis.taps = taps;
  axis.stride = stride;
  axis.divisor = divisor;
  axis.dilation = dilation;
  axis.shift = shift;
  axis.before = before;
  axis.after = after;
}

// @ts-ignore: decorator
@inline
export function floorDivide(a: i32, b: i32): i32 {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/** The first tap that outputs of a phase see; `taps` if none. */
export function firstTap(axis: Axis, phase: i32): i32 {
  if (axis.divisor == 1) return 0;
  let tap = 0;
  while (tap < axis.taps && (phase * axis.stride + tap * axis.dilation + axis.shift) % axis.divisor != 0) tap++;
  return tap;
}

/** How far apart the taps of a phase are. */
export function tapStep(axis: Axis): i32 {
  if (axis.divisor == 1) return 1;
  let step = 1;
  while ((step * axis.dilation) % axis.divisor != 0) step++;
  return step;
}

// @ts-ignore: decorator
@inline
export function tapCount(axis: Axis, phase: i32): i32 {
  const first = firstTap(axis, phase);
  return first < axis.taps ? (axis.taps - 1 - first) / tapStep(axis) + 1 : 0;
}

/** Taps of the phase that has most. */
// @ts-ignore: decorator
@inline
export function mostTaps(axis: Axis): i32 {
  return (axis.taps - 1) / tapStep(axis) + 1;
}

/** Inputs between two taps of a phase that follow one another. */
// @ts-ignore: decorator
@inline
export function inputStep(axis: Axis): i32 {
  return (tapStep(axis) * axis.dilation) / axis.divisor;
}

/** Taps of the phases before this one. */
export function tapsBefore(axis: Axis, phase: i32): i32 {
  let count = 0;
  for (let earlier = 0; earlier < phase; earlier++) count += tapCount(axis, earlier);
  return count;
}

/** The input that the first output of a phase sees through its first tap; the phase's next output sees the one `stride` on. */
// @ts-ignore: decorator
@inline
export function firstInput(axis: Axis, phase: i32): i32 {
  return floorDivide(phase * axis.stride + firstTap(axis, phase) * axis.dilation + axis.shift, axis.divisor);
}

/** The lowest input, maybe outside of the picture, that outputs from `first` to `last` see. */
export function lowestInput(axis: Axis, first: i32): i32 {
  return floorDivide(first * axis.stride + min(0, (axis.taps - 1) * axis.dilation) + axis.shift, axis.divisor);
}

export function highestInput(axis: Axis, last: i32): i32 {
  return floorDivide(last * axis.stride + max(0, (axis.taps - 1) * axis.dilation) + axis.shift, axis.divisor);
}

/**
 * band[rows, before + W + after, C · repeat] = rows [first, …) of the picture [H, W, C], with zeros around it; each channel
 * `repeat` times.
 */
export function copyBand(
  band: usize,
  picture: usize,
  height: i32,
  width: i32,
  channels: i32,
  first: i32,
  rows: i32,
  before: i32,
  after: i32,
  repeat: i32,
): void {
  const pixelBytes = (<usize>(channels * repeat)) << 2;
  const sourceBytes = (<usize>(width * channels)) << 2,
    rowBytes = <usize>width * pixelBytes;
  const beforeBytes = <usize>before * pixelBytes,
    afterBytes = <usize>after * pixelBytes;
  for (let row = first; row < first + rows; row++) {
    if (row < 0 || row >= height) {
      clearFloats(band, beforeBytes + rowBytes + afterBytes);
    } else {
      const source = picture + <usize>row * sourceBytes;
      clearFloats(band, beforeBytes);
      if (repeat == 1) copyFloats(band + beforeBytes, source, rowBytes);
      else repeatValues(band + beforeBytes, source, width * channels, repeat);
      clearFloats(band + beforeBytes + rowBytes, afterBytes);
    }
    band += beforeBytes + rowBytes + afterBytes;
  }
}

function repeatValues(to: usize, source: usize, count: i32, repeat: i32): void {
  for (let i = 0; i < count; i++) {
    const value = load<f32>(source);
    for (let r = 0; r < repeat; r++) {
      store<f32>(to, value);
      to += 4;
    }
    source += 4;
  }
}
