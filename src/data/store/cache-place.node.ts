/** Where prepared pictures are kept from run to run, and how much room they may take. */
import { expectPath, expectText, objectWith, perhaps } from '../../expect.js';
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { markOf } from './cache-mark.node.js';

/**
 * The folder of the cache: `BELTNET_CACHE`, or the system's place for what can be made again:
 * `$XDG_CACHE_HOME/beltnet` or `~/.cache/beltnet`, `~/Library/Caches/beltnet` on macOS, `%LOCALAPPDATA%\beltnet\cache`
 * on Windows.
 */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  const place = {
    BELTNET_CACHE: perhaps(expectText),
    XDG_CACHE_HOME: perhaps(expectText),
    LOCALAPPDATA: perhaps(expectText),
  };
  objectWith(place)(environment, 'cacheDirectory: environment');
  const { BELTNET_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  if (BELTNET_CACHE) return resolve(BELTNET_CACHE);
  if (platform === 'win32') return join(LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'beltnet', 'cache');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'beltnet');
  // The specification ignores a relative path here.
  const home = XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache');
  return join(home, 'beltnet');
}

/**
 * The folder of the cache for whoever names none: `cacheDirectory`, or a folder in it where the system's place holds something
 * that carries no mark, as the caches of old versions, which are left alone. A folder that BELTNET_CACHE names is taken as it is.
 */
export function markedCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const directory = cacheDirectory(environment);
  return !environment['BELTNET_CACHE'] && markOf(directory) === 'foreign' ? join(directory, 'cache') : directory;
}

/** Bytes that the cache may take; the pictures that were used least recently make room. */
export const DEFAULT_CACHE_LIMIT = 10 * 2 ** 30;

/** Whether `path` is `folder` or lies in it, links followed as far as the path exists. */
export function isWithin(path: string, folder: string): boolean {
  expectPath(path, 'isWithin: path');
  expectPath(folder, 'isWithin: folder');
  const way = relative(realPath(folder), realPath(path));
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}

function realPath(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const parent = resolve(whole, '..');
    return parent === whole ? whole : join(realPath(parent), relative(parent, whole));
  }
}
