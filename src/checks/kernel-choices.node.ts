/** What a run's kernels.json holds. */
import { UsageError } from '../errors.js';
import { expectText } from '../expect.js';
import { readWholeFile } from '../files.node.js';
import { checkNames } from './gradcheck.js';

/**
 * The variants of WebGPU kernels that an earlier run chose, for the same bits as then: `kernelChoices` of `openDevice`.
 * @param path of a run's kernels.json
 * @throws UsageError for a file that is none, or names a kernel that this version does not have
 */
export async function readKernelChoices(path: string): Promise<Record<string, string>> {
  expectText(path, 'readKernelChoices: path');
  const refused = (got: string): UsageError =>
    new UsageError(`kernels: expects the kernels.json of a run, got ${got}; leave it out to have them chosen anew`);
  const bytes = await readWholeFile(path, { what: 'the kernels.json of a run', mostBytes: 2 ** 20, refuse: refused });
  let choices: unknown;
  try {
    choices = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw refused(`${path}: ${(error as Error).message}`);
  }
  const isObject = typeof choices === 'object' && choices !== null && !Array.isArray(choices);
  if (!isObject || !Object.values(choices as object).every((variant) => typeof variant === 'string'))
    throw refused(`${path}: not an object of names`);
  // A key is a kernel's name, then shapes and attributes; a variant's name is checked where it is used.
  const names = checkNames();
  const unknown = Object.keys(choices as object).find((key) => !names.includes(key.split(' ', 1)[0]));
  if (unknown !== undefined) throw refused(`${path}: choices for '${unknown}', which is no kernel of this version`);
  return choices as Record<string, string>;
}
