/** Networks from files of JSON. */
import { ModelFileError } from '../errors.js';
import { readWholeFile } from '../files.node.js';
import { networkOf } from './network-file.js';
import type { NetworkBuilder } from './networks.js';

const NETWORK_FILE = {
  what: 'the JSON of a network',
  mostBytes: 2 ** 24,
  refuse: (message: string) => new ModelFileError(message),
};

/** @throws ModelFileError for a file that cannot be read or is no JSON; see `networkOf` */
export async function loadNetwork(path: string): Promise<NetworkBuilder> {
  const bytes = await readWholeFile(path, NETWORK_FILE);
  try {
    return networkOf(JSON.parse(Buffer.from(bytes).toString('utf8')), path);
  } catch (error) {
    throw new ModelFileError(`${path}: expects the JSON of a network, got ${(error as Error).message}`);
  }
}
