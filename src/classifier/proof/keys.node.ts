/** Keys that sign a record: Ed25519 (RFC 8032) by Node's own crypto, in the files that OpenSSL makes as well (PKCS #8 and SPKI, PEM). */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
  verify as verifyBytes,
  KeyObject,
} from 'node:crypto';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { DiskError, UsageError } from '../../errors.js';
import { expectPath, expectText, objectWith, refuse, type Check } from '../../expect.js';
import { readWholeFileSync } from '../../files.node.js';

/** Who signs. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  /** The public key's 32 bytes, base64url: its name in records. */
  readonly name: string;
}

/** @throws UsageError unless it is one */
export const expectKey: Check = objectWith({
  name: expectText,
  privateKey: (value, what) => {
    if (!(value instanceof KeyObject)) refuse(value, what, 'a KeyObject');
  },
});

const READABLE_BY_OTHERS = 0o077;

/** What is signed, so that no signature for another purpose fits. */
const signed = (hash: string): Buffer => Buffer.from(`beltnet record entry ${hash}`);

/** @param hash of an entry */
export const sign = ({ privateKey }: SigningKey, hash: string): string =>
  signBytes(null, signed(hash), privateKey).toString('base64url');

/** Whether the holder of the key `name` signed an entry of that hash. */
export function isSignedBy(name: string, hash: string, signature: string): boolean {
  try {
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: name }, format: 'jwk' });
    return verifyBytes(null, signed(hash), publicKey, Buffer.from(signature, 'base64url'));
  } catch {
    return false; // no such key
  }
}

const nameOf = (publicKey: KeyObject): string => publicKey.export({ format: 'jwk' }).x as string;

/**
 * A new pair: `path` for signing, readable by nobody else, and `path.pub` for those who check.
 * @returns the key's name and the paths
 * @throws DiskError when one of the files is there or cannot be written: nothing is left then
 */
export function createKeys(path: string): { readonly name: string; readonly files: readonly [string, string] } {
  expectPath(path, 'createKeys: path');
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const files = [path, `${path}.pub`] as const;
  const texts = [
    privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicKey.export({ type: 'spki', format: 'pem' }),
  ] as const;
  for (const [index, mode] of [0o600, 0o644].entries()) {
    try {
      writeFileSync(files[index], texts[index], { flag: 'wx', mode });
    } catch (error) {
      for (const made of files.slice(0, index)) rmSync(made);
      const { code, message } = error as NodeJS.ErrnoException;
      const why = code === 'EEXIST' ? 'it exists, and keys are never overwritten; choose another name' : message;
      throw new DiskError(`${files[index]}: the key cannot be written: ${why}`);
    }
  }
  return { name: nameOf(publicKey), files };
}

function read<Key>(path: string, what: string, parse: (pem: Buffer) => KeyObject, use: (key: KeyObject) => Key): Key {
  const refused = (message: string) => new UsageError(message);
  const pem = Buffer.from(readWholeFileSync(path, { what, mostBytes: 65536, refuse: refused }));
  let key: KeyObject;
  try {
    key = parse(pem);
  } catch {
    throw refused(`${path}: expected ${what} (PEM), got something else; "beltnet keygen" makes keys`);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw refused(
      `${path}: expected ${what} of Ed25519, got one of ${key.asymmetricKeyType}; "beltnet keygen" makes keys`,
    );
  return use(key);
}

/** @throws UsageError for a file that is no private key of Ed25519, or that others can read */
export function readSigningKey(path: string): SigningKey {
  expectPath(path, 'readSigningKey: path');
  const { mode } = statSync(path, { throwIfNoEntry: false }) ?? { mode: 0 };
  if (process.platform !== 'win32' && (mode & READABLE_BY_OTHERS) !== 0)
    throw new UsageError(
      `${path}: expected a key that only you can read (0600), got ${(mode & 0o777).toString(8).padStart(4, '0')}; ` +
        `make a new one, or chmod 600 it if nobody else had it`,
    );
  return read(path, 'a private key', createPrivateKey, (privateKey) => ({
    privateKey,
    name: nameOf(createPublicKey(privateKey)),
  }));
}

/** The name of a public key. @throws UsageError for a file that is none of Ed25519 */
export function readPublicKey(path: string): string {
  expectPath(path, 'readPublicKey: path');
  // A private key would do as well, but whoever checks should not have it.
  return read(
    path,
    'a public key',
    (pem) => {
      if (pem.includes('PRIVATE')) throw new UsageError('private');
      return createPublicKey(pem);
    },
    nameOf,
  );
}
