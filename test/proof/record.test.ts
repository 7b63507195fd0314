/** The record of a run against whoever changes, cuts, tears or builds it anew. */
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  appendToRecord,
  checkRecord,
  createKeys,
  notProven,
  readPublicKey,
  readRecord,
  readSigningKey,
  verifyRecord,
  type CheckedRecord,
  type RecordEntry,
  type SigningKey,
} from '../../src/index.node.js';
import { DataError, DiskError, UsageError } from '../../src/errors.js';
import { temporaryFolder } from '../data/make-pictures.js';

const by = { beltnet: 'test' };
/** Windows has no such modes. */
const POSIX = process.platform === 'win32' ? 0 : 0o777;
const recordOf = async (run: string): Promise<CheckedRecord> => (await readRecord(run)) as CheckedRecord;
const textOf = (run: string): string => readFileSync(join(run, 'record.jsonl'), 'utf8');

/** A run with a record of some entries. */
async function makeRun(entries = 3, key: SigningKey | null = null): Promise<string> {
  const run = temporaryFolder({ 'config.json': '{}', 'best.safetensors': 'weights' });
  for (let n = 0; n < entries; n++) await appendToRecord(run, { event: 'export', by, facts: { n } }, key);
  return run;
}

function newKey(): SigningKey & { readonly path: string } {
  const path = join(temporaryFolder(), 'key');
  createKeys(path);
  return { ...readSigningKey(path), path };
}

/** As somebody would who can compute hashes: changes an entry, and all that follow from it. */
function rebuilt(run: string, change: (entry: RecordEntry) => object): Promise<string> {
  const copy = temporaryFolder({ 'config.json': '{}', 'best.safetensors': 'weights' });
  return checkRecord(textOf(run))
    .entries.reduce(
      (done, entry) =>
        done.then(async () => {
          await appendToRecord(copy, { event: entry.event, by, facts: change(entry) });
        }),
      Promise.resolve(),
    )
    .then(() => copy);
}

describe('the chain', () => {
  test('holds as it was written, with the hashes of the files', async () => {
    const run = await makeRun();
    const record = await recordOf(run);
    expect(verifyRecord(record).differences).toEqual([]);
    expect(record.head).toEqual({ count: 3, hash: record.entries[2].hash });
    expect(record.entries[0].files['best.safetensors']).toBe(
      '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c', // sha256sum
    );
  });

  test.each([
    ['a word of an entry', (text: string) => text.replace('"n":1', '"n":7'), 'entry 2 (export): was changed'],
    [
      'a line that is gone',
      (text: string) => text.split('\n').toSpliced(1, 1).join('\n'),
      'entry 2: says that it is number 3',
    ],
    [
      'two lines in another order',
      (text: string) => text.split('\n').toSorted().toReversed().join('\n').trim(),
      'entry',
    ],
    ['rubbish', (text: string) => text.replace('{"number":2', '{number:2'), 'entry 2: cannot be read'],
  ])('names %s', async (_, change, said) => {
    const run = await makeRun();
    const { differences } = verifyRecord(checkRecord(change(textOf(run))));
    expect(differences.join('\n')).toContain(said);
  });

  test('that was built anew or cut holds in itself, and is told by a head that was kept', async () => {
    const run = await makeRun();
    const { head } = await recordOf(run);
    const other = await recordOf(await rebuilt(run, () => ({ n: 9 })));
    expect(verifyRecord(other).differences).toEqual([]);
    expect(verifyRecord(other, { head }).differences.join()).toMatch(/^entry 3 has the hash .*, and had /);
    const cut = checkRecord(textOf(run).split('\n').slice(0, 2).join('\n') + '\n');
    expect(verifyRecord(cut).differences).toEqual([]);
    expect(verifyRecord(cut, { head }).differences).toEqual([
      'it has 2 entries, and had 3 when its head was written down: it was cut',
    ]);
    await appendToRecord(run, { event: 'export', by, facts: {} });
    expect(verifyRecord(await recordOf(run), { head }).differences).toEqual([]); // it only went on
  });

  test('a torn last line is taken away, and kept in the entry that says so', async () => {
    const run = await makeRun();
    const torn = '{"number":4,"time":"2026-';
    writeFileSync(join(run, 'record.jsonl'), textOf(run) + torn);
    expect(verifyRecord(await recordOf(run)).differences.join()).toContain('torn');
    await appendToRecord(run, { event: 'threshold', by, facts: {} });
    const record = await recordOf(run);
    expect(verifyRecord(record).differences).toEqual([]);
    expect(record.entries.map(({ event }) => event)).toEqual(['export', 'export', 'export', 'repair', 'threshold']);
    expect(record.entries[3].facts).toMatchObject({ line: torn });
  });

  test('nothing is added to one that does not hold', async () => {
    const run = await makeRun();
    const changed = textOf(run).replace('"n":0', '"n":5');
    writeFileSync(join(run, 'record.jsonl'), changed);
    await expect(appendToRecord(run, { event: 'export', by, facts: {} })).rejects.toThrow(DataError);
    expect(textOf(run)).toBe(changed);
  });

  test('entries that come at the same time are put behind each other', async () => {
    const run = await makeRun(0);
    const facts = Array.from({ length: 12 }, (_, n) => ({ n }));
    await Promise.all(facts.map((each) => appendToRecord(run, { event: 'export', by, facts: each })));
    expect(verifyRecord(await recordOf(run)).differences).toEqual([]);
    expect((await recordOf(run)).entries.map((entry) => entry.facts)).toEqual(facts);
  });
});

describe('keys', () => {
  test('are for their owner only, are never overwritten, and others are refused', async () => {
    const path = join(temporaryFolder(), 'key');
    const { name } = createKeys(path);
    expect(statSync(path).mode & 0o777 & POSIX & 0o077).toBe(0);
    const before = readFileSync(path);
    expect(() => createKeys(path)).toThrow(DiskError);
    expect(readFileSync(path)).toEqual(before);
    expect(readPublicKey(`${path}.pub`)).toBe(name);
    expect(() => readPublicKey(path)).toThrow(UsageError); // whoever checks should not have the private key
    expect(() => readSigningKey(`${path}.pub`)).toThrow(UsageError);
    const other = join(temporaryFolder(), 'other');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(other, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    expect(() => readSigningKey(other)).toThrow(/of Ed25519, got one of ec/);
    expect(() => readSigningKey(join(temporaryFolder(), 'none'))).toThrow(UsageError);
  });

  test.runIf(POSIX > 0)('that others can read are refused', () => {
    const { path } = newKey();
    chmodSync(path, 0o640);
    expect(() => readSigningKey(path)).toThrow(/only you can read \(0600\), got 0640/);
  });

  test('sign every entry, so that whoever builds it anew is found out', async () => {
    const [key, other] = [newKey(), newKey()];
    const run = await makeRun(2, key);
    const record = await recordOf(run);
    expect(verifyRecord(record, { trusted: key.name }).differences).toEqual([]);
    expect(verifyRecord(record, { trusted: other.name }).differences).toHaveLength(2);
    // as another program would check it
    const { hash, signature = '' } = record.entries[0];
    const publicKey = createPublicKey(readFileSync(`${key.path}.pub`));
    expect(
      verify(null, Buffer.from(`beltnet record entry ${hash}`), publicKey, Buffer.from(signature, 'base64url')),
    ).toBe(true);

    const forged = await recordOf(await rebuilt(run, () => ({ n: 9 })));
    expect(verifyRecord(forged, { trusted: key.name }).differences).toEqual([
      'entry 1 (export): is not signed',
      'entry 2 (export): is not signed',
    ]);
    const borrowed = textOf(run).replace(/"signature":"[^"]{4}/, '"signature":"AAAA');
    expect(verifyRecord(checkRecord(borrowed)).differences).toEqual([
      `entry 1: its signature is not that of the key ${key.name}`,
    ]);
  });

  test('what is not proven is said', async () => {
    const [signed, unsigned] = [await recordOf(await makeRun(1, newKey())), await recordOf(await makeRun(1))];
    expect(notProven(unsigned, {})[0]).toMatch(/^who wrote the record/);
    expect(notProven(signed, {})[0]).toMatch(/^whose key signed the record/);
    expect(notProven(signed, { trusted: signed.entries[0].key })[0]).toMatch(/^that nothing was cut off at its end/);
    expect(notProven(signed, { trusted: signed.entries[0].key, head: signed.head })).toEqual([]);
  });
});
