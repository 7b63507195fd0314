/** Initial weights. */
import type { Random } from '../tensor/random.js';
import { sizeOf, type Shape } from '../tensor/shape.js';

/** Inputs and outputs of one unit; a convolution's are multiplied by its window's area. shape: [..., in, out]. */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  const area = sizeOf(shape.slice(0, -2));
  return { fanIn: shape.at(-2)! * area, fanOut: shape.at(-1)! * area };
}

/**
 * Uniform in ±√(6 / (fanIn + fanOut)). Source: Glorot and Bengio, "Understanding the difficulty of training deep
 * feedforward neural networks" (AISTATS 2010); Keras' default.
 */
export function glorotUniform(shape: Shape, random: Random): Float32Array {
  const { fanIn, fanOut } = fans(shape);
  const limit = Math.sqrt(6 / (fanIn + fanOut));
  return random.fillUniform(new Float32Array(sizeOf(shape)), -limit, limit);
}
