/** The chain of entries by Node's own crypto. */
import { createHash } from 'node:crypto';
import { sha256Natively } from '../../formats/sha256.node.js';
import { linkHash as hashOfLink, type ChainTools } from './chain.js';
import { isSignedBy } from './keys.node.js';

export const nativeChain: ChainTools = { hash: sha256Natively, isSignedBy };

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** @throws DataError for what JSON cannot hold */
export const linkHash = (entry: object): string => hashOfLink(entry, sha256Natively);
