/** Small pieces that generated WGSL is put together from. */

/** Values that a shader reads and computes at a time: neighbouring channels. */
export type VectorWidth = 1 | 4;

/** The widest vector that so many channels are a multiple of. */
export const widthOf = (channels: number): VectorWidth => (channels % 4 === 0 ? 4 : 1);

/** WGSL's float type of that width, and its type of unsigned integers. */
export const typeOf = (width: VectorWidth): 'f32' | 'vec4f' => (width === 1 ? 'f32' : 'vec4f');
export const integersOf = (width: VectorWidth): 'u32' | 'vec4u' => (width === 1 ? 'u32' : 'vec4u');

/** WGSL's type of that width in half precision, behind `shader-f16`. */
export const halfOf = (width: VectorWidth): 'f16' | 'vec4h' => (width === 1 ? 'f16' : 'vec4h');

/** WGSL of component `i` of a value that is a vector or a scalar. */
export const component = (name: string, width: VectorWidth, i: number): string =>
  width === 1 ? name : `${name}.${'xyzw'[i]}`;

/** 0, 1, … count − 1 */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The lines that `line` makes of each item. */
export const each = <Item>(items: readonly Item[], line: (item: Item) => string): string => items.map(line).join('\n');

/** `each` over 0, 1, … count − 1. */
export const unroll = (count: number, line: (i: number) => string): string => each(range(count), line);
