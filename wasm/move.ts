// Copying boxes of arrays (src/kernels/move). AssemblyScript. Addresses are bytes, strides elements.
import { partEnd } from './range';

/** to[count] = value */
export function fillValues(part: i32, to: usize, count: i32, chunk: i32, value: f32): void {
  const all = f32x4.splat(value);
  const end = to + ((<usize>partEnd(part, chunk, count)) << 2);
  to += (<usize>(part * chunk)) << 2;
  for (; to + 16 <= end; to += 16) v128.store(to, all);
  for (; to < end; to += 4) store<f32>(to, value);
}

/** Bytes from which the engine's own copying, which is a call out of WebAssembly, is quicker. */
const LONG: usize = 512;

/** Whole floats, as all runs of memory here are. */
export function copyFloats(to: usize, from: usize, bytes: usize): void {
  if (bytes > LONG) {
    memory.copy(to, from, bytes);
    return;
  }
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at));
}

export function clearFloats(to: usize, bytes: usize): void {
  if (bytes > LONG) {
    memory.fill(to, 0, bytes);
    return;
  }
  const zeros = f32x4.splat(0);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, zeros);
  for (; at < bytes; at += 4) store<f32>(to + at, 0);
}

/** Runs [part · chunk, …) of those at every (i, j, k) of a box [·, second, third]: `length` values each. */
export function copyRuns(
  part: i32,
  from: usize,
  to: usize,
  runs: i32,
  chunk: i32,
  second: i32,
  third: i32,
  length: i32,
  read0: i32,
  read1: i32,
  read2: i32,
  write0: i32,
  write1: i32,
  write2: i32,
): void {
  const bytes = (<usize>length) << 2;
  const end = partEnd(part, chunk, runs);
  const start = part * chunk;
  let k = start % third,
    j = (start / third) % second,
    i = start / third / second;
  for (let run = start; run < end; run++) {
    const source = from + ((<usize>(i * read0 + j * read1 + k * read2)) << 2);
    const target = to + ((<usize>(i * write0 + j * write1 + k * write2)) << 2);
    copyFloats(target, source, bytes);
    if (++k < third) continue;
    k = 0;
    if (++j < second) continue;
    j = 0;
    i++;
  }
}
