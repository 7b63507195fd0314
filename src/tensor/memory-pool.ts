/** Memory that is free for reuse. Who takes memory gets it with any content, and gives the same buffer back. */
import type { DeviceBuffer } from './kernel.js';

/** Buffer sizes are rounded up to this. Also WebGPU's view alignment. */
export const ALIGNMENT = 256;

export const alignUp = (bytes: number): number => Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);

export interface MemoryPool<Buffer extends DeviceBuffer = DeviceBuffer> {
  /** The size of a new buffer where `take` had none. @param scratch whether a launch wants it only while it runs */
  sizeFor(bytes: number, scratch: boolean): number;
  /** @param bytes of `sizeFor` */
  take(bytes: number): Buffer | undefined;
  give(buffer: Buffer): void;
  /** All that is free; it is the caller's then. */
  drain(): Buffer[];
}

/** Whole buffers by their size, for devices whose buffers cannot be parted (WebGPU binds none twice, to read and to write). */
export class SizedPool<Buffer extends DeviceBuffer> implements MemoryPool<Buffer> {
  readonly #free = new Map<number, Buffer[]>();

  /** Scratch memory comes in powers of two, so that launches which want nearly as much share it. */
  sizeFor(bytes: number, scratch: boolean): number {
    let size = alignUp(bytes);
    if (scratch) for (size = ALIGNMENT; size < bytes;) size *= 2;
    return size;
  }

  take(bytes: number): Buffer | undefined {
    return this.#free.get(bytes)?.pop();
  }

  give(buffer: Buffer): void {
    const free = this.#free.get(buffer.bytes);
    if (free) free.push(buffer);
    else this.#free.set(buffer.bytes, [buffer]);
  }

  drain(): Buffer[] {
    const buffers = [...this.#free.values()].flat();
    this.#free.clear();
    return buffers;
  }
}

/** A range of one memory. */
export interface RangeBuffer extends DeviceBuffer {
  readonly address: number;
}

/** Smaller ones are not cut out of large ranges, which they would hold apart for as long as they live. */
const LEAST_RANGE = 65536;

/**
 * Ranges of one memory, parted and joined as is needed: what the activations of late layers leave serves the gradients of early
 * ones, whatever their sizes, so that a training step takes little more than what lives at once. The smallest range that is large
 * enough is taken, the one that lies lowest among equals: the same addresses every time.
 */
export class RangePool implements MemoryPool<RangeBuffer> {
  readonly #small = new SizedPool<RangeBuffer>();
  /** By address; no two touch. */
  readonly #ranges: RangeBuffer[] = [];

  sizeFor(bytes: number, scratch: boolean): number {
    return bytes < LEAST_RANGE ? this.#small.sizeFor(bytes, scratch) : alignUp(bytes);
  }

  take(bytes: number): RangeBuffer | undefined {
    if (bytes < LEAST_RANGE) return this.#small.take(bytes);
    let best = -1;
    for (const [index, range] of this.#ranges.entries()) {
      if (range.bytes >= bytes && (best < 0 || range.bytes < this.#ranges[best].bytes)) best = index;
    }
    if (best < 0) return undefined;
    const { address, bytes: all } = this.#ranges[best];
    if (all === bytes) this.#ranges.splice(best, 1);
    else this.#ranges[best] = { address: address + bytes, bytes: all - bytes };
    return { address, bytes };
  }

  give(buffer: RangeBuffer): void {
    if (buffer.bytes < LEAST_RANGE) {
      this.#small.give(buffer);
      return;
    }
    let at = this.#ranges.findIndex(({ address }) => address > buffer.address);
    if (at < 0) at = this.#ranges.length;
    this.#ranges.splice(at, 0, buffer);
    this.#joinWithNext(at);
    if (at > 0) this.#joinWithNext(at - 1);
  }

  #joinWithNext(index: number): void {
    const [range, next] = [this.#ranges[index], this.#ranges[index + 1]];
    if (next && range.address + range.bytes === next.address)
      this.#ranges.splice(index, 2, { address: range.address, bytes: range.bytes + next.bytes });
  }

  drain(): RangeBuffer[] {
    return [...this.#ranges.splice(0), ...this.#small.drain()];
  }
}
