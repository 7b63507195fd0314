/** `beltnet train --base --shard`: the features of a share of the pictures, which a training takes from the cache then. */
import { UsageError } from '../../src/errors.js';
import {
  basePreparation,
  computeFeatures,
  datasetOf,
  itemsOf,
  keepFeatures,
  loadShare,
  openBase,
  shareOf,
  sharesOfLists,
  weightsOf,
  type FileList,
  type Shard,
} from '../../src/index.node.js';
import { openCache, openTrainingSplits } from '../terminal/data.js';
import { withDevice } from '../terminal/device.js';
import { count, note, Output, showProgress } from '../terminal/output.js';
import type { TrainOptions } from '../terminal/training-flags.js';

/** @returns the exit code */
export async function keepFeaturesOfShard(shard: Shard, directory: string, options: TrainOptions): Promise<number> {
  if (options.base === undefined)
    throw new UsageError(
      '--shard: is for the features of a base, got no --base; trainings are shared out by "beltnet search --shard"',
    );
  const cache = openCache(options, [directory]);
  if (!cache) throw new UsageError('--shard: expects a cache in which the features are kept, got --no-cache');
  const base = await openBase(options.base, options.baseLayer === undefined ? undefined : [options.baseLayer]);
  const settings = { size: options.baseSize, region: options.roi, exif: options.exif };
  const preparation = basePreparation(base, settings);
  const { training, validation, test } = await openTrainingSplits(directory, options);
  const lists = [training, validation, test].filter((list): list is FileList => list !== null);
  const items = lists.flatMap(itemsOf);
  const share = shareOf(await weightsOf(items), shard);
  const output = new Output(options);
  return withDevice(options, async (device) => {
    let [done, unusable] = [0, 0];
    for (const { list, first, end } of sharesOfLists(lists, share)) {
      const loaded = await loadShare(list, {
        ...{ ...preparation.picture, cache, first, end, onInput: () => {} },
        ...(options.workers !== undefined && { workers: options.workers }),
        onNote: (line) => note(`note: ${line}`),
      });
      const part = { ...list, files: list.files.slice(first, end) };
      const dataset = datasetOf(part, loaded, preparation.picture.size, []);
      if (dataset.labels.length > 0)
        await computeFeatures(base, dataset, preparation, device, {
          keep: keepFeatures(cache, base),
          onProgress: (now) => showProgress(() => `Features ${done + now}/${share.end - share.first}`),
        });
      done += dataset.labels.length;
      unusable += end - first - dataset.labels.length;
    }
    output.emit({ event: 'features', ...shard, pictures: done, unusable, cache: cache.directory });
    output.say(
      `Shard ${shard.index} of ${shard.of}: the features of ${count(done, 'picture')} are in ${cache.directory}` +
        (unusable > 0 ? `; ${count(unusable, 'file')} cannot be used` : ''),
    );
    return 0;
  });
}
