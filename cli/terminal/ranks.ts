/** Processes that train together, as a training sees them that speaks for all. */
import type { Group } from '../../src/index.node.js';

export interface Ranks {
  readonly group: Group;
  /** Of the cpu device: this process's share of the machine's cores. */
  readonly threads: number;
  /** Wraps the steps, in which the others take part. */
  readonly around: <Result>(fit: () => Promise<Result>) => Promise<Result>;
}
