/** DEFLATE in WebAssembly, or, where an engine or a page does not allow that, by the plain functions that it is tested against. */
import { type Inflater, MEMORY, PAGE } from './inflater.js';
import { plainInflater } from './plain-inflater.js';
import { wasmBinaries } from './wasm.generated.js';

let module: WebAssembly.Module | null | undefined;

export function openInflater(): Inflater {
  if (module === undefined) module = compile();
  if (module === null) return plainInflater();
  const memory = new WebAssembly.Memory({ initial: MEMORY / PAGE });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return { ...(exports as unknown as Omit<Inflater, 'memory'>), memory: new Uint8Array(memory.buffer) };
}

function compile(): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(Uint8Array.from(atob(wasmBinaries.simd), (letter) => letter.charCodeAt(0)));
  } catch {
    return null; // no SIMD, or a page whose security policy forbids it
  }
}
