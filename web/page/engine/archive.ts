/** Zip archives: written piece by piece into a Blob, which the browser may keep on the disk, and read whole. */
import { Zip, ZipPassThrough } from 'fflate';
import { DataError, unpackZip } from '../../../src/index.js';

/** What archives without ZIP64 hold, and what a page can read again in one piece. */
const MOST_ENTRIES = 65_535;
const MOST_BYTES = 2 ** 31;

type Put = (name: string, bytes: Uint8Array) => Promise<void>;

/** Entries are not compressed: pictures and weights do not get smaller. Equal entries give equal bytes. */
export async function writeArchive(fill: (put: Put) => Promise<void>): Promise<Blob> {
  const pieces: BlobPart[] = [];
  let blob = new Blob([]);
  let waiting = 0;
  let failure: Error | null = null;
  const archive = new Zip((error, piece) => {
    if (error) failure = error;
    else {
      pieces.push(piece);
      waiting += piece.length;
    }
  });
  let [entries, total] = [0, 0];
  await fill(async (name, bytes) => {
    entries++;
    total += bytes.length;
    if (entries > MOST_ENTRIES || total > MOST_BYTES)
      throw new DataError(
        `expects at most ${MOST_ENTRIES} files and ${MOST_BYTES / 2 ** 30} GiB in one archive, got more; save a part of the project at a time`,
      );
    const entry = new ZipPassThrough(name);
    entry.mtime = new Date(1980, 0, 1);
    archive.add(entry);
    entry.push(bytes, true);
    if (failure) throw failure;
    if (waiting < 2 ** 24) return;
    blob = new Blob([blob, ...pieces.splice(0)]);
    waiting = 0;
    await Promise.resolve();
  });
  archive.end();
  return new Blob([blob, ...pieces], { type: 'application/zip' });
}

/** @param what with its article, for messages. @throws DataError for what is no such archive */
export async function unpackArchive(file: Blob, what: string): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  return unpackZip(new Uint8Array(await file.arrayBuffer()), what) as Promise<
    ReadonlyMap<string, Uint8Array<ArrayBuffer>>
  >;
}
