/** A run's folder as one ZIP archive, for the page. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { UsageError } from '../errors.js';
import { expectPath } from '../expect.js';
import { readWholeFile } from '../files.node.js';
import { zip } from '../data/sources/zip.js';

/** What a run is read by; not its training's state, which is large, nor what others put there. */
const isOfRun = (name: string): boolean =>
  /^[^.].*\.(json|jsonl|csv|md|safetensors)$/.test(name) && !name.endsWith('.state.safetensors');

const ofRun = { what: 'a file of a run', mostBytes: 2 ** 30, refuse: (message: string) => new UsageError(message) };

/**
 * @param run the folder of a run
 * @returns an archive with the folder in it, under its name
 * @throws UsageError for what is no run
 */
export async function zipRun(run: string): Promise<Uint8Array> {
  expectPath(run, 'zipRun: run');
  if (!existsSync(join(run, 'config.json')))
    throw new UsageError(`expects the folder of a run with its config.json, got '${run}'`);
  const folder = basename(resolve(run));
  const entries: Record<string, Uint8Array> = {};
  for (const name of readdirSync(run).filter(isOfRun))
    entries[`${folder}/${name}`] = await readWholeFile(join(run, name), ofRun);
  return zip(entries);
}
