/** Keras 3's `.keras` files: ZIP archives. Source: PKWARE, APPNOTE.TXT 6.3.10; packed and unpacked by fflate. */
import { crc32 } from '../../data/crc32.js';
import { ModelFileError } from '../../errors.js';

export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;

/** No model is larger unpacked: JavaScript's arrays end there. */
const MOST_BYTES = 2 ** 31;
/** Deflate cannot pack better than 1 : 1032. */
const MOST_DEFLATED = 1032;
const MOST_ENTRIES = 10_000;

const DIRECTORY_END = 0x06054b50;
const DIRECTORY_END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_ENTRY_LENGTH = 46;

/**
 * The entries of the archive by name. Sizes are compared with the file's before anything is allocated, and checksums with
 * what was unpacked, which fflate does not do.
 *
 * @param wanted the names that are unpacked, if they are there
 * @throws ModelFileError when the archive is damaged, or an entry larger than it can be
 */
export async function unzip(
  bytes: Uint8Array,
  name: string,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { unzipSync } = await import('fflate');
  const refuse = (what: string, cause?: unknown): never => {
    throw new ModelFileError(`${name}: expected a .keras archive, got ${what}`, { cause });
  };
  const checksums = readChecksums(bytes, refuse);
  let total = 0;
  let unpacked: Record<string, Uint8Array> = {};
  try {
    unpacked = unzipSync(bytes, {
      filter: ({ name: entry, size, originalSize, compression }) => {
        if (!wanted.includes(entry)) return false;
        total += originalSize;
        const most = compression === 0 ? size : size * MOST_DEFLATED;
        if (!(originalSize <= most && size <= bytes.length && total <= MOST_BYTES))
          refuse(`'${entry}' of ${originalSize} bytes, more than the archive can hold`);
        return true;
      },
    });
  } catch (error) {
    if (error instanceof ModelFileError) throw error;
    refuse(`one that cannot be unpacked (${(error as Error).message})`, error);
  }
  const entries = new Map(Object.entries(unpacked));
  for (const [entry, data] of entries)
    if (crc32(data) !== checksums.get(entry)) refuse(`a damaged '${entry}' (its checksum is wrong)`);
  return entries;
}

/** The CRC-32 of each entry, from the directory at the archive's end. */
function readChecksums(bytes: Uint8Array, refuse: (what: string) => never): ReadonlyMap<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - DIRECTORY_END_LENGTH;
  const first = Math.max(0, end - LONGEST_COMMENT);
  while (end >= first && view.getUint32(end, true) !== DIRECTORY_END) end--;
  if (end < first) return refuse('one without a directory; is it cut off?');
  const count = view.getUint16(end + 10, true);
  if (count > MOST_ENTRIES) return refuse(`${count} entries`);
  const checksums = new Map<string, number>();
  let at = view.getUint32(end + 16, true);
  for (let entry = 0; entry < count; entry++) {
    if (at + DIRECTORY_ENTRY_LENGTH > end || view.getUint32(at, true) !== DIRECTORY_ENTRY)
      return refuse('a damaged directory');
    const nameEnd = at + DIRECTORY_ENTRY_LENGTH + view.getUint16(at + 28, true);
    const entryName = new TextDecoder().decode(bytes.subarray(at + DIRECTORY_ENTRY_LENGTH, nameEnd));
    if (checksums.has(entryName)) return refuse(`'${entryName}' twice`);
    checksums.set(entryName, view.getUint32(at + 16, true));
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return checksums;
}

/** A ZIP archive, its entries not compressed, as Keras writes it. Equal entries give equal bytes. */
export async function zip(entries: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  const { zipSync } = await import('fflate');
  return zipSync(entries, { level: 0, mtime: new Date(1980, 0, 1) });
}
