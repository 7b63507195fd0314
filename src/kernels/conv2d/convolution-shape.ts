/** The sizes of one convolution, as its twin, WGSL and WebAssembly all need them. */
import type { Shape } from '../../tensor/shape.js';
import { windowGeometry, type WindowAttributes, type WindowGeometry } from '../shared/window.js';

export interface ConvolutionShape extends WindowGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  readonly window: WindowAttributes;
}

/** A convolution whose channels are divided into groups. */
export interface GroupedShape extends ConvolutionShape {
  readonly groups: number;
  /** Channels of a group, in x and in y. */
  readonly inputs: number;
  readonly outputs: number;
}

/** All channels in one group. */
export const ungrouped = (shape: ConvolutionShape): GroupedShape => ({
  ...shape,
  groups: 1,
  inputs: shape.inputChannels,
  outputs: shape.outputChannels,
});

const isOne = (pair: readonly [number, number]): boolean => pair[0] === 1 && pair[1] === 1;

/** A 1×1 convolution treats all pixels alike, so that they may be counted as lines of whole fours, where that is possible. */
export function flat(shape: GroupedShape): GroupedShape {
  const { window, batch, height, width } = shape;
  const pixels = batch * height * width;
  if (!isOne(window.size) || !isOne(window.strides) || width % 4 === 0 || pixels % 4 !== 0) return shape;
  let line = 4;
  for (let length = 4; length <= 128; length += 4) if (pixels % length === 0) line = length;
  const lines = pixels / line;
  return { ...shape, batch: 1, height: lines, outputHeight: lines, width: line, outputWidth: line };
}

/**
 * @param x shape [N,H,W,C]
 * @param weight shape [KH,KW,C,K]
 * @throws ShapeError when no window fits
 */
export function convolutionShape(x: Shape, weight: Shape, window: WindowAttributes): ConvolutionShape {
  const [batch, height, width, inputChannels] = x as [number, number, number, number];
  return {
    batch,
    height,
    width,
    inputChannels,
    outputChannels: weight[3],
    window,
    ...windowGeometry('conv2d', x, window),
  };
}

/** Whether windows reach beyond the picture. */
export function isPadded({ height, width, outputHeight, outputWidth, top, left, window }: ConvolutionShape): boolean {
  const reach = (axis: 0 | 1, outputs: number): number =>
    (outputs - 1) * window.strides[axis] + (window.size[axis] - 1) * window.dilation[axis] + 1;
  return top > 0 || left > 0 || reach(0, outputHeight) > height || reach(1, outputWidth) > width;
}

/** Windows of 2 × 2 max pooling along so many pixels. */
export const pooledLength = (length: number): number => Math.floor(length / 2);

/** Pixels that the windows of so many neighbouring outputs touch along one axis, counted from the first one's first. */
export const touchedPixels = (outputs: number, taps: number, stride: number, dilation: number): number[] => {
  const touched = Array.from(
    { length: outputs * taps },
    (_, i) => Math.floor(i / taps) * stride + (i % taps) * dilation,
  );
  return [...new Set(touched)].toSorted((a, b) => a - b);
};

/** Additions and multiplications of a convolution, and of each of its gradients. */
export const convolutionOperations = (shape: ConvolutionShape): number =>
  operationsOf(shape, shape.outputHeight * shape.outputWidth);

/** Those of the pixels that 2 × 2 max pooling looks at; only every fourth has a gradient. */
export const pooledOperations = (shape: ConvolutionShape): number =>
  operationsOf(shape, 4 * pooledLength(shape.outputHeight) * pooledLength(shape.outputWidth));

function operationsOf({ batch, inputChannels, outputChannels, window }: ConvolutionShape, pixels: number): number {
  return 2 * batch * pixels * outputChannels * window.size[0] * window.size[1] * inputChannels;
}
