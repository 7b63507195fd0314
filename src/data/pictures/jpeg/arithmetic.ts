/**
 * The arithmetic from coefficients to pixels, within one memory: in WebAssembly, eight or sixteen numbers at a time; or, where
 * an engine or a page does not allow that, by the plain functions that WebAssembly is tested against.
 */
import { rgbFromPlanes, rgbFromYcc } from './colours.js';
import { inverseDct } from './inverse-dct.js';
import { betweenRows, doubleColumns, doubleColumnsBetweenRows } from './upsample.js';
import { wasmBinaries } from './wasm.generated.js';

/** Places are bytes from the start of the memory. What is done there, say the plain functions of the same names. */
export interface Arithmetic {
  readonly memory: ArrayBuffer;
  inverseDct(
    coefficients: number,
    factors: number,
    workspace: number,
    blocks: number,
    samples: number,
    stride: number,
  ): void;
  doubleColumns(from: number, width: number, to: number): void;
  betweenRows(near: number, far: number, rounding: number, width: number, to: number): void;
  doubleColumnsBetweenRows(near: number, far: number, width: number, to: number): void;
  rgbFromYcc(y: number, cb: number, cr: number, width: number, to: number): void;
  rgbFromPlanes(red: number, green: number, blue: number, width: number, to: number): void;
}

const PAGE = 65536;

interface Instance {
  readonly memory: WebAssembly.Memory;
  readonly functions: Omit<Arithmetic, 'memory'>;
}

/** For all pictures that this thread decodes, one after the other; null where there is no WebAssembly. */
let instance: Instance | null | undefined;

/** @param bytes how large the memory has to be, at least; it holds whatever was in it */
export function openArithmetic(bytes: number): Arithmetic {
  if (instance === undefined) instance = instantiate();
  if (instance === null) return plainArithmetic(bytes);
  const { memory, functions } = instance;
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
  if (missing > 0) memory.grow(missing);
  return { memory: memory.buffer, ...functions };
}

function instantiate(): Instance | null {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const bytes = Uint8Array.from(atob(wasmBinaries.simd), (letter) => letter.charCodeAt(0));
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    return { memory, functions: exports as unknown as Instance['functions'] };
  } catch {
    return null; // no SIMD, or a page whose security policy forbids it
  }
}

export function plainArithmetic(bytes: number): Arithmetic {
  const memory = new ArrayBuffer(bytes);
  const samples = new Uint8ClampedArray(memory);
  const words = new Int16Array(memory);
  return {
    memory,
    inverseDct: (coefficients, factors, _workspace, blocks, to, stride) =>
      inverseDct(words, coefficients / 2, factors / 2, blocks, samples, to, stride),
    doubleColumns: (from, width, to) => doubleColumns(samples, from, width, to),
    betweenRows: (near, far, rounding, width, to) => betweenRows(samples, near, far, rounding, width, to),
    doubleColumnsBetweenRows: (near, far, width, to) => doubleColumnsBetweenRows(samples, near, far, width, to),
    rgbFromYcc: (y, cb, cr, width, to) => rgbFromYcc(samples, y, cb, cr, width, to),
    rgbFromPlanes: (red, green, blue, width, to) => rgbFromPlanes(samples, red, green, blue, width, to),
  };
}
