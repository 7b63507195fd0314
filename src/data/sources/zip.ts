/** ZIP archives, as Keras 3 (.keras) and NumPy (.npz) write them. Source: PKWARE, APPNOTE.TXT 6.3.10; packed and unpacked by fflate. */
import { crc32 } from '../pictures/crc32.js';

/** What is wrong with an archive, as it follows 'received'; whoever knows the archive's name puts it in front. */
export class ZipError extends Error {}

export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;

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
 * @param wanted tells by its name whether an entry is to be unpacked
 * @param mostBytes that all of them may have, unpacked
 * @throws ZipError when the archive is damaged, or an entry larger than it can be
 */
export async function unzip(
  bytes: Uint8Array,
  wanted: (entry: string) => boolean,
  mostBytes: number,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { unzipSync } = await import('fflate');
  const checksums = readChecksums(bytes);
  let total = 0;
  let unpacked: Record<string, Uint8Array> = {};
  try {
    unpacked = unzipSync(bytes, {
      filter: ({ name, size, originalSize, compression }) => {
        if (!wanted(name)) return false;
        total += originalSize;
        const most = compression === 0 ? size : size * MOST_DEFLATED;
        if (!(originalSize <= most && size <= bytes.length && total <= mostBytes))
          throw new ZipError(`one whose '${name}' has ${originalSize} bytes, more than the archive can hold`);
        return true;
      },
    });
  } catch (error) {
    if (error instanceof ZipError) throw error;
    throw new ZipError(`one that cannot be unpacked (${(error as Error).message})`, { cause: error });
  }
  const entries = new Map(Object.entries(unpacked));
  for (const [name, data] of entries)
    if (crc32(data) !== checksums.get(name)) throw new ZipError(`a damaged '${name}' (its checksum is wrong)`);
  return entries;
}

/** The CRC-32 of each entry, from the directory at the archive's end. */
function readChecksums(bytes: Uint8Array): ReadonlyMap<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - DIRECTORY_END_LENGTH;
  const first = Math.max(0, end - LONGEST_COMMENT);
  while (end >= first && view.getUint32(end, true) !== DIRECTORY_END) end--;
  if (end < first) throw new ZipError('one without a directory (is it cut off?)');
  const count = view.getUint16(end + 10, true);
  if (count > MOST_ENTRIES) throw new ZipError(`one of ${count} entries`);
  const checksums = new Map<string, number>();
  let at = view.getUint32(end + 16, true);
  for (let entry = 0; entry < count; entry++) {
    if (at + DIRECTORY_ENTRY_LENGTH > end || view.getUint32(at, true) !== DIRECTORY_ENTRY)
      throw new ZipError('a damaged directory');
    const nameEnd = at + DIRECTORY_ENTRY_LENGTH + view.getUint16(at + 28, true);
    const entryName = new TextDecoder().decode(bytes.subarray(at + DIRECTORY_ENTRY_LENGTH, nameEnd));
    if (checksums.has(entryName)) throw new ZipError(`'${entryName}' twice`);
    checksums.set(entryName, view.getUint32(at + 16, true));
    at = nameEnd + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return checksums;
}

/** A ZIP archive, its entries not compressed, as Keras writes them. Equal entries give equal bytes. */
export async function zip(entries: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  const { zipSync } = await import('fflate');
  return zipSync(entries, { level: 0, mtime: new Date(1980, 0, 1) });
}
