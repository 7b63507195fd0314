// A sum of scaled runs of memory, told by a list of entries (value, address): what sparse products are made of. 32 values of
// the target stay in registers while the list runs. AssemblyScript. Addresses are bytes, lengths elements.
import { multiplyAdd } from './range';

/** Bytes of an entry: a float32 value and the address of the run that it scales. */
export const ENTRY_BYTES: usize = 8;

/** target[length] += Σ over entries of value · run[length], `offset` bytes after the run's address. */
export function addScaledRuns(target: usize, entries: usize, end: usize, offset: usize, length: i32): void {
  for (; length >= 32; length -= 32) {
    let s0 = v128.load(target),
      s1 = v128.load(target, 16),
      s2 = v128.load(target, 32),
      s3 = v128.load(target, 48);
    let s4 = v128.load(target, 64),
      s5 = v128.load(target, 80),
      s6 = v128.load(target, 96),
      s7 = v128.load(target, 112);
    for (let entry = entries; entry < end; entry += ENTRY_BYTES) {
      const value = v128.load32_splat(entry);
      const run = <usize>load<u32>(entry, 4) + offset;
      s0 = multiplyAdd(s0, value, v128.load(run));
      s1 = multiplyAdd(s1, value, v128.load(run, 16));
      s2 = multiplyAdd(s2, value, v128.load(run, 32));
      s3 = multiplyAdd(s3, value, v128.load(run, 48));
      if (end == 0) break; // never: see tile.ts
      s4 = multiplyAdd(s4, value, v128.load(run, 64));
      s5 = multiplyAdd(s5, value, v128.load(run, 80));
      s6 = multiplyAdd(s6, value, v128.load(run, 96));
      s7 = multiplyAdd(s7, value, v128.load(run, 112));
    }
    v128.store(target, s0);
    v128.store(target, s1, 16);
    v128.store(target, s2, 32);
    v128.store(target, s3, 48);
    v128.store(target, s4, 64);
    v128.store(target, s5, 80);
    v128.store(target, s6, 96);
    v128.store(target, s7, 112);
    target += 128;
    offset += 128;
  }
  for (; length >= 4; length -= 4) {
    let sum = v128.load(target);
    for (let entry = entries; entry < end; entry += ENTRY_BYTES) {
      sum = multiplyAdd(sum, v128.load32_splat(entry), v128.load(<usize>load<u32>(entry, 4) + offset));
    }
    v128.store(target, sum);
    target += 16;
    offset += 16;
  }
  for (; length > 0; length--) {
    // by lanes here too, for the same rounding as above
    let sum = v128.load32_zero(target);
    for (let entry = entries; entry < end; entry += ENTRY_BYTES) {
      sum = multiplyAdd(sum, v128.load32_zero(entry), v128.load32_zero(<usize>load<u32>(entry, 4) + offset));
    }
    store<f32>(target, f32x4.extract_lane(sum, 0));
    target += 4;
    offset += 4;
  }
}
