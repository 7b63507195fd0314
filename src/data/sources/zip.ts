/**
 * ZIP archives, as Keras 3 (.keras) and NumPy (.npz) write them; archives are written by fflate.
 * Source: PKWARE, APPNOTE.TXT 6.3.10.
 */
import { inflate, InflateError } from '../inflate/inflate.js';
import { crc32 } from '../pictures/crc32.js';
import { DataError } from '../../errors.js';
import { expectBytes, expectText } from '../../expect.js';
import { turns } from '../../turns.js';

/** What is wrong with an archive, as it follows 'received'; whoever knows the archive's name puts it in front. */
export class ZipError extends Error {}

export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;

/** Deflate cannot pack better than 1 : 1032. */
const MOST_DEFLATED = 1032;
/** As many as an archive without ZIP64 can have. */
const MOST_ENTRIES = 65_535;

const DIRECTORY_END = 0x06054b50;
const DIRECTORY_END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_ENTRY_LENGTH = 46;

const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_LENGTH = 30;
/** Where the true figure would stand elsewhere (ZIP64). */
const TOO_LARGE = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;

/** What the directory says of an entry. */
interface Entry {
  readonly name: string;
  readonly method: number;
  readonly checksum: number;
  readonly packedLength: number;
  readonly length: number;
  /** Of its local header. */
  readonly offset: number;
}

/**
 * The entries of the archive by name. What was unpacked must have the length and the checksum that the directory says. Entries are
 * unpacked in pieces, with turns of the event loop between them.
 *
 * @param wanted tells by its name whether an entry is to be unpacked
 * @param reserve is told the bytes of each before they are allocated, and throws if they are too many
 * @throws ZipError when the archive is damaged, or an entry larger than it says; what `reserve` throws
 */
export async function unzip(
  bytes: Uint8Array,
  wanted: (entry: string) => boolean,
  reserve: (bytes: number) => void,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const unpacked = new Map<string, Uint8Array>();
  for (const entry of readDirectory(bytes)) {
    if (!wanted(entry.name)) continue;
    const data = await unpack(bytes, entry, reserve);
    if (crc32(data) !== entry.checksum) throw new ZipError(`a damaged '${entry.name}' (its checksum is wrong)`);
    unpacked.set(entry.name, data);
  }
  return unpacked;
}

/** What the entries of an archive may take together. */
const MOST_UNPACKED = 2 ** 32;

/**
 * All entries of an archive of the user's, by name.
 * @param what with its article, for messages
 * @throws DataError for what is no archive, is damaged, or too large
 */
export async function unpackZip(bytes: Uint8Array, what: string): Promise<ReadonlyMap<string, Uint8Array>> {
  expectBytes(bytes, 'unpackZip: bytes');
  expectText(what, 'unpackZip: what');
  const wrong = (received: string): DataError => new DataError(`expects ${what} (.zip), got ${received}`);
  if (!isZip(bytes)) throw wrong('another kind of file');
  let total = 0;
  try {
    return await unzip(
      bytes,
      (name) => !name.endsWith('/'),
      (length) => {
        total += length;
        if (total > MOST_UNPACKED) throw new ZipError('one with more than 4 GiB in it');
      },
    );
  } catch (error) {
    if (error instanceof ZipError) throw wrong(error.message);
    throw error;
  }
}

async function unpack(bytes: Uint8Array, entry: Entry, reserve: (bytes: number) => void): Promise<Uint8Array> {
  const { name, method, packedLength, length, offset } = entry;
  if (packedLength === TOO_LARGE || length === TOO_LARGE || offset === TOO_LARGE)
    throw new ZipError(`one with entries of 4 GiB or more (ZIP64), such as '${name}'`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (offset + LOCAL_HEADER_LENGTH > bytes.length || view.getUint32(offset, true) !== LOCAL_HEADER)
    throw new ZipError(`a damaged '${name}' (it is not where the directory says)`);
  const start = offset + LOCAL_HEADER_LENGTH + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packedLength > bytes.length)
    throw new ZipError(`one whose '${name}' has ${packedLength} bytes, more than the archive`);
  if (length > (method === STORED ? packedLength : packedLength * MOST_DEFLATED))
    throw new ZipError(`one whose '${name}' has ${length} bytes, more than the archive can hold`);
  const packed = bytes.subarray(start, start + packedLength);
  const wrong = (received: string): never => {
    throw new ZipError(`a damaged '${name}' (expects ${length} bytes, got ${received})`);
  };
  if (method === STORED) return packedLength === length ? packed : wrong(String(packedLength));
  if (method !== DEFLATED)
    throw new ZipError(`one that is packed in a way that is not supported (${method}): '${name}'`);
  reserve(length);
  const data = new Uint8Array(length);
  let done = 0;
  const turn = turns();
  try {
    for (const piece of inflate([packed], 'raw')) {
      if (done + piece.length > length) wrong('more');
      data.set(piece, done);
      done += piece.length;
      await turn();
    }
  } catch (error) {
    if (error instanceof InflateError) throw new ZipError(`one that cannot be unpacked (${error.message})`);
    throw error;
  }
  return done === length ? data : wrong(String(done));
}

/** What the directory at the archive's end lists. */
function readDirectory(bytes: Uint8Array): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - DIRECTORY_END_LENGTH;
  const first = Math.max(0, end - LONGEST_COMMENT);
  while (end >= first && view.getUint32(end, true) !== DIRECTORY_END) end--;
  if (end < first) throw new ZipError('one without a directory (is it cut off?)');
  const count = view.getUint16(end + 10, true);
  if (count > MOST_ENTRIES) throw new ZipError(`one of ${count} entries`);
  const entries = new Map<string, Entry>();
  let at = view.getUint32(end + 16, true);
  for (let entry = 0; entry < count; entry++) {
    if (at + DIRECTORY_ENTRY_LENGTH > end || view.getUint32(at, true) !== DIRECTORY_ENTRY)
      throw new ZipError('a damaged directory');
    const nameEnd = at + DIRECTORY_ENTRY_LENGTH + view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + DIRECTORY_ENTRY_LENGTH, nameEnd));
    if (entries.has(name)) throw new ZipError(`'${name}' twice`);
    entries.set(name, {
      name,
      method: view.getUint16(at + 10, true),
      checksum: view.getUint32(at + 16, true),
      packedLength: view.getUint32(at + 20, true),
      length: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return [...entries.values()];
}

/** A ZIP archive, its entries not compressed, as Keras writes them. Equal entries give equal bytes. */
export async function zip(entries: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  const { zipSync } = await import('fflate');
  return zipSync(entries, { level: 0, mtime: new Date(1980, 0, 1) });
}
