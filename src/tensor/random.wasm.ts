/** Many random numbers at once in WebAssembly, sixteen at a time: the bits of `Random.uniform`, a tenth of its time. */
import { wasmBinaries } from './random.generated.js';

/** Numbers of one call. */
const PIECE = 2 ** 16;
const PAGE = 65536;

interface Module {
  readonly numbers: Float32Array;
  fillUniform(out: number, rounds: number, ...address: readonly number[]): void;
}

/** Null where there is no WebAssembly, or a page forbids it. */
let instance: Module | null | undefined;

function instantiate(): Module | null {
  const bytes = Uint8Array.from(atob(wasmBinaries.simd), (letter) => letter.charCodeAt(0));
  try {
    const memory = new WebAssembly.Memory({ initial: (4 * PIECE) / PAGE });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    return { numbers: new Float32Array(memory.buffer), fillUniform: exports['fillUniform'] as Module['fillUniform'] };
  } catch {
    return null;
  }
}

/**
 * Fills whole rounds of sixteen numbers, from `from` on.
 *
 * @param counter of the first block; every round takes four
 * @returns how many were filled: 0 where there is no WebAssembly
 */
export function fillRounds(
  out: Float32Array,
  from: number,
  counter: readonly number[],
  key: readonly number[],
  low: number,
  range: number,
): number {
  if (instance === undefined) instance = instantiate();
  if (instance === null) return 0;
  const count = out.length - from - ((out.length - from) % 16);
  const [first, ...others] = counter;
  for (let done = 0; done < count; done += PIECE) {
    const length = Math.min(PIECE, count - done);
    instance.fillUniform(0, length / 16, first + done / 4, ...others, ...key, low, range);
    out.set(instance.numbers.subarray(0, length), from + done);
  }
  return count;
}
