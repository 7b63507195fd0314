/** Tokens, certificates and their keys, from files that others cannot read. */
import { statSync } from 'node:fs';
import { UsageError } from '../errors.js';
import { expectPath } from '../expect.js';
import { readWholeFileSync } from '../files.node.js';
import { expectToken } from './asker.node.js';

const READABLE_BY_OTHERS = 0o077;

const read = (path: string, what: string): Buffer => {
  expectPath(path, `the path of ${what}`);
  return Buffer.from(
    readWholeFileSync(path, { what, mostBytes: 2 ** 20, refuse: (message) => new UsageError(message) }),
  );
};

/** @throws UsageError */
function refuseReadable(path: string, what: string): void {
  const { mode } = statSync(path, { throwIfNoEntry: false }) ?? { mode: 0 };
  if (process.platform === 'win32' || (mode & READABLE_BY_OTHERS) === 0) return;
  throw new UsageError(
    `${path}: expects ${what} that only you can read (0600), got ${(mode & 0o777).toString(8).padStart(4, '0')}; ` +
      'make a new one, or chmod 600 it if nobody else had it',
  );
}

/** A token: the only line of its file. @throws UsageError for a file that others can read, or without a token that nobody can guess */
export function readTokenFile(path: string): string {
  expectPath(path, 'the path of a token');
  refuseReadable(path, 'a token');
  const token = read(path, 'a token').toString('utf8').trim();
  expectToken(token, path);
  return token;
}

/** @throws UsageError for files that cannot be read, or a key that others can read; whether they fit is seen by who listens */
export function readTlsFiles(certificate: string, key: string): { readonly certificate: Buffer; readonly key: Buffer } {
  expectPath(key, 'the path of a private key');
  refuseReadable(key, 'a private key');
  return { certificate: read(certificate, 'a certificate'), key: read(key, 'a private key') };
}
