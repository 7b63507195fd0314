/**
 * What the ranks of a training tell each other. Within a recorded step: the gradients with the figures of the step, in one buffer;
 * with `syncEvery`, every so many steps the parameters instead. Beside it: that all have the same parameters.
 */
import type { Group } from '../../distributed/group.js';
import { gather } from '../../distributed/group.js';
import { DataError, DeviceError } from '../../errors.js';
import { METRICS } from '../../kernels/loss/batch-metrics.js';
import type { Batches } from './batches.js';

type Numbers = Float32Array | Float64Array;

/** Numbers that a step's figures take behind the gradients: loss, correct, samples, not finite, and how many ranks wish to stop. */
export const FIGURES = 5;

/** A step on its way. */
export interface RankStep {
  /** Its row in the table of figures. */
  readonly row: number;
  /** Whether this rank has samples of the batch. */
  readonly counts: boolean;
  readonly wishesToStop: boolean;
}

/** Puts a row of the table of figures where it can be added to others'. */
function figuresOf(table: Numbers, { row, counts, wishesToStop }: RankStep, into: Numbers): void {
  const [loss, correct, samples, notFinite] = table.subarray(row * METRICS, (row + 1) * METRICS);
  into.set(counts ? [loss * samples, correct, samples, notFinite] : [0, 0, 0, 0]);
  into[FIGURES - 1] = wishesToStop ? 1 : 0;
}

function writeFigures(table: Numbers, row: number, [loss, correct, samples, notFinite]: Numbers): void {
  table.set([loss / samples, correct, samples, notFinite], row * METRICS);
}

/**
 * Sums gradients and the figures of a step, in one buffer: the gradients, [n], and behind them FIGURES numbers.
 * @returns how many ranks wish to stop
 */
export async function sumGradients(group: Group, all: Numbers, table: Numbers, step: RankStep): Promise<number> {
  const figures = all.subarray(all.length - FIGURES);
  if (!step.counts) all.fill(0);
  figuresOf(table, step, figures);
  await group.sum(all, 'gradients and figures');
  writeFigures(table, step.row, figures);
  return figures[FIGURES - 1];
}

/** Sums the figures of steps that went by without gradients being summed. @returns as above, of the last */
export async function sumFigures(group: Group, table: Numbers, steps: readonly RankStep[]): Promise<number> {
  const all = new Float64Array(steps.length * FIGURES);
  const partOf = (index: number): Float64Array => all.subarray(index * FIGURES, (index + 1) * FIGURES);
  for (const [index, step] of steps.entries()) figuresOf(table, step, partOf(index));
  await group.sum(all, 'figures');
  for (const [index, { row }] of steps.entries()) writeFigures(table, row, partOf(index));
  return all[all.length - 1];
}

/**
 * Has all ranks go on with the mean of their parameters (and of what belongs to them: running statistics, the optimizer's moments),
 * weighed by the samples that each has trained on since the last time.
 */
export async function averageParameters(group: Group, arrays: readonly Numbers[], samples: number): Promise<void> {
  const all = Float64Array.of(samples);
  await group.sum(all, 'parameters');
  const share = samples / all[0];
  for (const array of arrays) {
    for (let i = 0; i < array.length; i++) array[i] *= share;
    await group.sum(array, 'parameters');
  }
}

/** Gives all ranks rank 0's values. */
export async function takeFromFirst(group: Group, arrays: readonly Numbers[]): Promise<void> {
  for (const { buffer, byteOffset, byteLength } of arrays)
    await group.broadcast(new Uint8Array(buffer, byteOffset, byteLength), 'parameters');
}

/** FNV-1a over 32-bit words, in two lanes of which one begins elsewhere: 53 bits, which float64 carries. */
function hashOf(arrays: readonly Numbers[]): number {
  let [low, high] = [0x811c9dc5, 0x01234567];
  for (const { buffer, byteOffset, byteLength } of arrays) {
    const words = new Uint32Array(buffer, byteOffset, byteLength / 4);
    for (let i = 0; i < words.length; i++) {
      low = Math.imul(low ^ words[i], 0x01000193);
      high = Math.imul(high ^ words[i], 0x01000193) ^ (low >>> 15);
    }
  }
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0);
}

/** @throws DataError, on all ranks, when one has other pictures than rank 0 */
export async function compareData(group: Group, { labels, files, sampleCount }: Batches): Promise<void> {
  const names = Float64Array.from((files ?? []).join('\n'), (letter) => letter.codePointAt(0) ?? 0);
  const hashes = await gather(
    group,
    hashOf([Float64Array.of(sampleCount), labels ?? new Float32Array(), names]),
    'start',
  );
  const others = othersThanFirst(hashes);
  if (others.length > 0)
    throw new DataError(
      `rank ${others.join(', ')}: expects the pictures of rank 0, under the same names and labels, got others; each machine needs the same folder`,
    );
}

const othersThanFirst = (hashes: Float64Array): number[] =>
  [...hashes.keys()].filter((rank) => hashes[rank] !== hashes[0]);

/** @throws DeviceError, on all ranks, when one has other values than rank 0 */
export async function compareParameters(group: Group, arrays: readonly Numbers[], where: string): Promise<void> {
  const hashes = await gather(group, hashOf(arrays), 'comparison of parameters');
  const others = othersThanFirst(hashes);
  if (others.length === 0) return;
  throw new DeviceError(
    `rank ${others.join(', ')}: expects the parameters of rank 0 ${where}, got others: machines or devices that compute alike are needed ` +
      '(the same kind of device, the same version of beltnet), or memory is bad; resume from the last checkpoint',
  );
}
