/** Where a command puts a file that it makes: nothing is overwritten, and nothing is put among the user's pictures. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '../../src/errors.js';
import { isWithin } from '../../src/index.node.js';
import { note } from './output.js';

/** @throws UsageError for a file that exists */
export function refuseExisting(option: string, file: string): void {
  if (existsSync(file)) throw new UsageError(`${option}: expects a new file, got '${file}', which exists`);
}

/**
 * Where a picture goes.
 * @param given the option's file, or true for the default
 * @param name of the default, `audit` for audit.png, audit-2.png …
 * @param directories the user's pictures
 * @returns null when the default place is among the pictures
 * @throws UsageError for a file that exists
 */
export function newFile(
  option: string,
  given: string | true,
  name: string,
  directories: readonly string[],
): string | null {
  if (given !== true) {
    refuseExisting(option, given);
    return given;
  }
  let path = `${name}.png`;
  for (let number = 2; existsSync(path); number++) path = `${name}-${number}.png`;
  if (!directories.some((directory) => isWithin(dirname(path), directory))) return path;
  note(`note: this folder is one of pictures, so no contact sheet is put here; ${option} FILE names another place`);
  return null;
}
