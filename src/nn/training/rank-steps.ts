/**
 * What of the steps of a training is there for other ranks. Within a recorded step the host takes part: it reads what the device
 * has made, meets the other ranks, and writes what all have come to.
 *
 *   sum:         gradients and figures of a step, which then is as one of the whole batch
 *   tell:        the figures of the steps since ranks last did, where no gradients are summed
 *   synchronize: parameters, averaged over what each rank has trained on by itself (`syncEvery`)
 *   compare:     whether all have the same parameters
 *   take:        rank 0's parameters, at the beginning
 */
import type { Group } from '../../distributed/group.js';
import type { BoundOptimizer } from '../../optim/optimizer.js';
import type { BatchShare } from '../../tensor/batch-share.js';
import type { Device } from '../../tensor/device.js';
import { viewOf, type Tensor } from '../../tensor/tensor.js';
import type { ParameterArena } from '../parameters.js';
import {
  averageParameters,
  compareParameters,
  FIGURES,
  sumFigures,
  sumGradients,
  takeFromFirst,
  type RankStep,
} from './across-ranks.js';
import type { BatchPart } from './shared-batches.js';

const partsOfRanks = ['sum', 'tell', 'synchronize', 'compare', 'take'] as const;
export type PartOfRanks = (typeof partsOfRanks)[number];

export const isPartOfRanks = (part: string): part is PartOfRanks => partsOfRanks.includes(part as PartOfRanks);

/** What a step has the ranks do. */
export interface Meeting {
  /** Of which batch the samples are a part. */
  readonly part: BatchPart;
  /** Whether they tell each other the figures of the steps since they last did, … */
  readonly tell: boolean;
  /** … average their parameters after it, … */
  readonly synchronize: boolean;
  /** … and look whether those are the same. */
  readonly compare: boolean;
}

export interface RankStepsOptions {
  /** Who trains together … */
  readonly group: Group;
  /** … and after how many updates the parameters are averaged; 1: gradients are summed instead. */
  readonly syncEvery: number;
  readonly arena: ParameterArena;
  readonly optimizer: BoundOptimizer;
}

export class RankSteps {
  readonly #device: Device;
  readonly #options: RankStepsOptions;
  /** Figures of the last steps, a row each. */
  readonly #table: Tensor;
  /** Steps whose figures this rank alone knows, the last of them on its way. */
  #untold: RankStep[] = [];
  /** Samples that this rank has trained on since the parameters were averaged. */
  #trainedOn = 0;
  #update = 0;
  #stopAgreed = false;

  constructor(device: Device, options: RankStepsOptions, table: Tensor) {
    this.#device = device;
    this.#options = options;
    this.#table = table;
  }

  /** Whether the ranks have agreed to stop: one of them wished to. */
  get stopAgreed(): boolean {
    return this.#stopAgreed;
  }

  /** Whether all ranks have the same parameters, and know the figures of all steps. */
  get isSettled(): boolean {
    return this.#untold.length === 0 && this.#trainedOn === 0;
  }

  /** Whether this rank's parameters have moved by its own samples alone. */
  get isApart(): boolean {
    return this.#trainedOn > 0;
  }

  /** Whether gradients are those of the whole batch, rather than of this rank's part of it. */
  get #sharesBatches(): boolean {
    return this.#options.syncEvery === 1;
  }

  /** Samples over which the loss of a step is a mean. */
  samplesOf({ count, part }: { readonly count: number; readonly part?: BatchPart }): number {
    return part && this.#sharesBatches ? part.samples : count;
  }

  /** What the ops of a step are told of the batch that they work on a part of. */
  shareOf(part: BatchPart | undefined): BatchShare | null {
    const { group } = this.#options;
    if (!part) return null;
    const sum = (values: Float64Array) => group.sum(values, 'batch normalization');
    return { ...part, first: group.rank, every: group.size, sum: this.#sharesBatches ? sum : null };
  }

  /**
   * Takes note of a step that is about to run.
   * @param step.count samples of this rank
   * @param step.last whether it ends with an update
   * @returns what the ranks do before the update, and after it
   */
  begin(
    meeting: Meeting,
    step: { update: number; last: boolean; row: number; count: number; wishesToStop: boolean },
  ): { before: readonly PartOfRanks[]; after: readonly PartOfRanks[] } {
    const { row, wishesToStop, count, update, last } = step;
    const { counts } = meeting.part;
    this.#untold.push({ row, counts, wishesToStop });
    if (counts) this.#trainedOn += count;
    this.#update = update;
    this.#options.group.at(update);
    const sums = last && this.#sharesBatches;
    const isWanted = { tell: meeting.tell && !sums, synchronize: meeting.synchronize, compare: meeting.compare };
    return {
      before: sums ? ['sum'] : [],
      after: (['tell', 'synchronize', 'compare'] as const).filter((part) => isWanted[part]),
    };
  }

  /** What rank 0 gives is all that counts from here on. */
  restart(): void {
    this.#trainedOn = 0;
    this.#untold = [];
    this.#stopAgreed = false;
  }

  /** Queues what ranks do, to be recorded. */
  queue(part: PartOfRanks): void {
    const { group, arena, optimizer } = this.#options;
    const all = [arena.values, arena.state, ...optimizer.slots].filter(({ size }) => size > 0);
    switch (part) {
      case 'sum': {
        const gradients = viewOf(arena.gradientsWithRoom, [arena.gradients.size + FIGURES]);
        this.#device.onHost([gradients, this.#table], async ([sums, table]) => {
          const wishes = await sumGradients(group, sums, table, this.#untold.at(-1) as RankStep);
          const earlier = this.#untold.slice(0, -1); // of an accumulation
          if (earlier.length > 0) await sumFigures(group, table, earlier);
          this.#told(wishes);
        });
        break;
      }
      case 'tell':
        this.#device.onHost([this.#table], async ([table]) => this.#told(await sumFigures(group, table, this.#untold)));
        break;
      case 'synchronize':
        this.#device.onHost(all, async (arrays) => {
          await averageParameters(group, arrays, this.#trainedOn);
          this.#trainedOn = 0;
        });
        break;
      case 'compare':
        this.#device.onHost(all, (arrays) => compareParameters(group, arrays, `after update ${this.#update}`));
        break;
      case 'take':
        this.#device.onHost(all, (arrays) => takeFromFirst(group, arrays));
        break;
    }
  }

  #told(wishes: number): void {
    this.#untold = [];
    if (this.#sharesBatches) this.#trainedOn = 0;
    if (wishes > 0) this.#stopAgreed = true;
  }
}
