/** Activations that are fused into a kernel's last step. */
import { notAbove } from '../../tensor/math.wgsl.js';

export type FusedActivation = 'linear' | 'relu';

/** WGSL expression for the activation of `x`, a scalar or a vector. relu keeps NaN. */
export function activate(activation: FusedActivation, x: string, type: 'f32' | 'vec4f' = 'f32'): string {
  return activation === 'relu' ? `select(${x}, ${type}(0.0), ${notAbove(x, type)})` : x;
}
