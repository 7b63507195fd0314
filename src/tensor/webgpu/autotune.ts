/**
 * Choosing between the WGSL variants of a kernel by trying them. Only hardware adapters do so: which tile is quickest
 * depends on the GPU, while on a software adapter compiling the variants would take longer than they save.
 *
 * Variants may round differently, so a choice by time must not be made anew for a run that is to give the same bits:
 * choices are kept by kernel and shapes (`Device.kernelChoices`), written into a run's configuration, and can be given
 * to the device when it is opened.
 */
import type { DType, Shape, TensorType } from '../shape.js';
import { bytesOf } from '../shape.js';

/** What a choice is made for. */
export interface ChoiceSubject {
  readonly kernel: { readonly name: string };
  readonly shapes: { readonly inputs: readonly Shape[] };
  readonly attributes: unknown;
}

export const choiceKey = ({ kernel, shapes, attributes }: ChoiceSubject): string =>
  [kernel.name, ...shapes.inputs.map((shape) => `[${shape.join()}]`), JSON.stringify(attributes)].join(' ');

/** A variant that can be tried. */
export interface Contender {
  readonly variant: string;
  /** How many times as much its error may be. */
  readonly coarseness: number;
  /** Runs it once, and reads its outputs. */
  outputs(): Promise<readonly ArrayLike<number>[]>;
  /** Milliseconds of so many runs. */
  time(runs: number): Promise<number>;
}

/** Largest difference between two variants, as a share of the largest value: they add the same numbers in other orders. */
const AGREEMENT = 2 ** -12;
/** Share of the integers that may be others: places of maxima, where rounding decides between values that nearly tie. */
const OTHER_PLACES = 1e-4;
/** A variant must be so much quicker than one before it. */
const GAIN = 0.97;
const ROUNDS = 3;
/** Milliseconds that a measurement takes at least. */
const MEASURED = 5;

function agree(expected: readonly ArrayLike<number>[], got: readonly ArrayLike<number>[], coarseness: number): boolean {
  return expected.every((values, output) => {
    const others = got[output];
    if (values instanceof Uint32Array) {
      let differ = 0;
      for (let i = 0; i < values.length; i++) differ += Number(values[i] !== others[i]);
      return differ <= Math.ceil(OTHER_PLACES * values.length);
    }
    let largest = 0;
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]));
    const most = AGREEMENT * coarseness * largest;
    for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i] - others[i]) <= most)) return false;
    return true;
  });
}

/** The quickest of the variants that agree with the first. */
export async function quickest(contenders: readonly Contender[]): Promise<string> {
  const [first, ...others] = contenders;
  const expected = await first.outputs(); // which also has the driver compile it
  const measure = async (contender: Contender): Promise<number> => {
    const runs = Math.max(1, Math.ceil(MEASURED / Math.max(await contender.time(1), 0.01)));
    let best = Infinity;
    for (let round = 0; round < ROUNDS; round++) best = Math.min(best, (await contender.time(runs)) / runs);
    return best;
  };
  let winner = { variant: first.variant, milliseconds: await measure(first) };
  for (const contender of others) {
    if (!agree(expected, await contender.outputs(), contender.coarseness)) continue;
    const milliseconds = await measure(contender);
    if (milliseconds < GAIN * winner.milliseconds) winner = { variant: contender.variant, milliseconds };
  }
  return winner.variant;
}

/** Numbers to try kernels on: in −½ … ½, or for integers 0 … 4, the places of 2 × 2 pooling. */
export function trialData({ shape, dtype }: TensorType): Float32Array | Uint32Array | Uint8Array {
  const count = bytesOf({ shape, dtype: 'uint8' });
  const arrays: Record<DType, () => Float32Array | Uint32Array | Uint8Array> = {
    float32: () => new Float32Array(count),
    uint32: () => new Uint32Array(count),
    uint8: () => new Uint8Array(count),
  };
  const values = arrays[dtype]();
  for (let i = 0, state = 1; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = dtype === 'float32' ? state / 2 ** 32 - 0.5 : Math.floor((state / 2 ** 32) * 5);
  }
  return values;
}
