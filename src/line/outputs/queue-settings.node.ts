/** Settings of outputs that send events. */
import { join } from 'node:path';
import * as v from 'valibot';
import { UsageError } from '../../errors.js';
import type { EventQueueOptions } from './event-queue.node.js';
import { sentKinds, type OutputContext } from './watched-output.js';

export const queueSettings = {
  /** Kinds of events that are sent; verdicts are many. */
  events: v.optional(v.array(v.picklist(sentKinds, `one of ${sentKinds.join(', ')}`)), ['alarm', 'fault', 'note']),
  /** The folder of the queue. Default: in the record's. */
  queue: v.optional(v.pipe(v.string('a folder'), v.nonEmpty('a folder'))),
  /** Events that waited for longer are of no use to anybody. */
  expirySeconds: v.optional(v.pipe(v.number('seconds'), v.minValue(1, 'seconds from 1')), 86_400),
  /** Of more that wait the oldest are lost. */
  mostEvents: v.optional(
    v.pipe(v.number('a number'), v.integer('a whole number'), v.minValue(1, 'a whole number from 1')),
    10_000,
  ),
};

interface Given {
  readonly queue?: string | undefined;
  readonly expirySeconds: number;
  readonly mostEvents: number;
}

/** @throws UsageError for a line that has nowhere to keep events */
export function queueFolder(given: Given, { name, folder, onProblem }: OutputContext): EventQueueOptions {
  const place = given.queue ?? (folder === null ? null : join(folder, `queue-${name}`));
  if (place === null)
    throw new UsageError(`outputs.${name}: expects queue, a folder in which events wait, or a record, got neither`);
  return { folder: place, expirySeconds: given.expirySeconds, mostEvents: given.mostEvents, onProblem };
}
