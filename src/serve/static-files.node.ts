/** Files of a folder, and nothing else: no listing, no link followed, no hidden file, no way out of it. */
import { constants } from 'node:fs';
import { lstat, open, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { Refused, type Answer } from './answers.js';

/** What else is in a folder is no business of a page. */
const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.safetensors': 'application/octet-stream',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};
const MOST_BYTES = 2 ** 30;

const missing = () => new Refused(404, 'there is nothing here');

/**
 * @param root a folder
 * @param path within it, decoded once
 * @throws Refused for everything that is not a plain file of a known kind within the folder
 */
export async function fileAnswer(root: string, path: string): Promise<Answer> {
  const names = path.split('/');
  const isPlain = (name: string): boolean => name !== '' && !name.startsWith('.') && !/[\0\\:]/.test(name);
  const type = types[extname(path).toLowerCase()];
  if (type === undefined || !names.every(isPlain)) throw missing();
  try {
    const folder = await realpath(root);
    let place = folder;
    for (const name of names) {
      place = join(place, name);
      if ((await lstat(place)).isSymbolicLink()) throw missing();
    }
    if (!place.startsWith(folder + sep) || (await realpath(place)) !== place) throw missing();
    // A pipe would wait for ever, and what has become a link since then is not followed.
    const file = await open(place, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      const facts = await file.stat();
      if (!facts.isFile() || facts.size > MOST_BYTES) throw missing();
      return { type, body: await file.readFile() };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw missing(); // what the system says would tell what is there
  }
}
