/** SHA-256 by Node's own OpenSSL: the same digests, ten times as fast. */
import { createHash } from 'node:crypto';
import type { Sha256 } from './content-hash.js';

export const sha256Natively: Sha256 = (pieces) => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
};
