// How many multiplications and additions the processor does at most: see src/kernels/multiply-add-chain.ts. AssemblyScript.
import { multiplyAdd, partEnd } from './range';

/** y = x, then `rounds` times y · 3/4 + 1/4; 32 values at a time, which stay in registers. */
export function multiplyAddChain(part: i32, x: usize, y: usize, count: i32, chunk: i32, rounds: i32): void {
  const factor = f32x4.splat(0.75);
  const term = f32x4.splat(0.25);
  const end = partEnd(part, chunk, count);
  for (let i = part * chunk; i < end; i += 32) {
    const from = x + ((<usize>i) << 2);
    const to = y + ((<usize>i) << 2);
    let a = v128.load(from);
    let b = v128.load(from, 16);
    let c = v128.load(from, 32);
    let d = v128.load(from, 48);
    let e = v128.load(from, 64);
    let f = v128.load(from, 80);
    let g = v128.load(from, 96);
    let h = v128.load(from, 112);
    for (let round = 0; round < rounds; round++) {
      a = multiplyAdd(term, a, factor);
      b = multiplyAdd(term, b, factor);
      c = multiplyAdd(term, c, factor);
      d = multiplyAdd(term, d, factor);
      e = multiplyAdd(term, e, factor);
      f = multiplyAdd(term, f, factor);
      g = multiplyAdd(term, g, factor);
      h = multiplyAdd(term, h, factor);
    }
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    v128.store(to, e, 64);
    v128.store(to, f, 80);
    v128.store(to, g, 96);
    v128.store(to, h, 112);
  }
}
