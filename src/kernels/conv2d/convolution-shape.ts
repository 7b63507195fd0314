/** The sizes of one convolution, as its twin, WGSL and WebAssembly all need them. */
import type { Shape } from '../../tensor/shape.js';
import { windowGeometry, type WindowAttributes, type WindowGeometry } from '../window.js';

export interface ConvolutionShape extends WindowGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  readonly window: WindowAttributes;
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
