/** Checks and forms of options that several layers take. */
import { UsageError } from '../../errors.js';
import type { Pair } from '../../kernels/shared/window.js';

export const pair = (value: number | Pair): Pair => (typeof value === 'number' ? [value, value] : value);

export function checkCount(layer: string, option: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`${layer}: ${option} expects an integer of at least 1, got ${value}`);
}
