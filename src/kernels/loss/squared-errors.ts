/**
 * Losses made of squared differences, per sample, from outputs a and targets y [N,K]:
 * mean squared error Σ_k (a_k − y_k)² / K, and the half-quadratic ½·Σ_k (y_k − a_k)², whose gradient is a − y.
 */
import type { Tensor } from '../../tensor/tensor.js';
import { squaredDifference } from '../elementwise/arithmetic.js';
import { sumOp } from '../reduce/reduce.js';

/** a, y [N,K] → mean over k of (a − y)² [N]. @throws ShapeError when the shapes differ */
export const meanSquaredErrors = (a: Tensor, y: Tensor): Tensor =>
  sumOp.apply([squaredDifference(a, y)], { first: 1, count: 1, scale: 1 / a.shape[1] });

/** a, y [N,K] → ½·Σ_k (a − y)² [N]. @throws ShapeError when the shapes differ */
export const halfSquaredErrors = (a: Tensor, y: Tensor): Tensor =>
  sumOp.apply([squaredDifference(a, y)], { first: 1, count: 1, scale: 0.5 });
