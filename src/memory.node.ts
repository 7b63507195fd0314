/** How much memory loading may take, whatever files say that they hold. */
import { totalmem } from 'node:os';
import { DataError, UsageError } from './errors.js';

/**
 * Bytes that pictures, arrays and models may take while they are loaded: `BELTNET_MEMORY` in GB, or half of what the machine,
 * or the container, has.
 *
 * @throws UsageError for a BELTNET_MEMORY that is no positive number
 */
export function memoryLimit(environment: NodeJS.ProcessEnv = process.env): number {
  const { BELTNET_MEMORY: given } = environment;
  if (given) {
    const gigabytes = Number(given);
    if (gigabytes > 0 && Number.isFinite(gigabytes)) return gigabytes * 1e9;
    throw new UsageError(`BELTNET_MEMORY: expects a positive number of GB, got '${given}'`);
  }
  const constrained = process.constrainedMemory(); // 0 where nobody knows
  return Math.min(totalmem(), constrained || Infinity) / 2;
}

/** What one load may take in all. */
export class MemoryBudget {
  readonly bytes: number;
  #left: number;

  constructor(bytes: number = memoryLimit()) {
    this.bytes = bytes;
    this.#left = bytes;
  }

  get left(): number {
    return this.#left;
  }

  /** Takes a part of it, before anything of that size is allocated. @throws DataError when there is not that much left */
  take(bytes: number, name: string): void {
    if (bytes > this.#left) {
      throw new DataError(
        `${name}: expects to need at most ${inGigabytes(this.#left)} of memory (half of what there is, or BELTNET_MEMORY, ` +
          `less what is taken already), it takes ${inGigabytes(bytes)}; set BELTNET_MEMORY to more GB, or use a smaller file`,
      );
    }
    this.#left -= bytes;
  }
}

const inGigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
