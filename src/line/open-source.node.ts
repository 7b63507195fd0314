/** A source for each kind. */
import { statSync } from 'node:fs';
import { UsageError } from '../errors.js';
import type { SourceConfig } from './config.js';
import type { Source, SourceContext } from './source.js';

/**
 * @returns null where frames are handed in alone
 * @throws UsageError for a source that can never give frames as it is configured
 */
export async function openSource(config: SourceConfig, context: SourceContext): Promise<Source | null> {
  switch (config.kind) {
    case 'folder': {
      if (config.moveTo !== undefined) checkMove(context.name, config.path, config.moveTo);
      return new (await import('./sources/folder.node.js')).FolderSource(config, context);
    }
    case 'stream':
      return new (await import('./sources/stream.node.js')).StreamSource(config, context);
    case 'snapshot':
      return new (await import('./sources/snapshot.node.js')).SnapshotSource(config, context);
    case 'standard-input':
      return new (await import('./sources/standard-input.node.js')).StandardInputSource(context);
    default:
      return null; // submit
  }
}

/** Files are moved within a disk alone: between disks a file is a copy first, and half of one for a moment. */
function checkMove(camera: string, from: string, to: string): void {
  const [source, target] = [from, to].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (!target?.isDirectory())
    throw new UsageError(`camera ${camera}: moveTo expects a folder, got ${to}, which is none; make it first`);
  if (source && source.dev !== target.dev)
    throw new UsageError(`camera ${camera}: moveTo expects a folder on the disk of ${from}, got ${to} on another`);
  if (source && source.ino === target.ino)
    throw new UsageError(`camera ${camera}: moveTo expects another folder than ${from}, got the same`);
}
