/** The pictures of the project: kept as the files that were given, and looked at by our own decoders. */
import {
  auditDatasets,
  BeltnetError,
  DataError,
  divideParts,
  encodeJpeg,
  placesOf,
  readFacts,
  runFiles,
  UsageError,
  type Dataset,
  type FileList,
  type GivenParts,
  type PictureUse,
  type RunFiles,
} from '../../../src/index.js';
import { manifestLines } from '../../../src/classifier/picture-manifest.js';
import type { Added, Audited, Badge, GivenFile, NamedBlob, PictureEntry, PictureId, Pictures } from './protocol.js';
import { decoders, inOrder } from './decoders.js';
import { pixelsOf } from './frames.js';
import type { PictureRecord } from './records.js';
import type { OpenProject, Session } from './session.js';
import { type Change, QuotaError } from './store.js';

/** Pictures that are written together: few enough that a closed tab loses little. */
const TOGETHER = 16;
const FRAME_QUALITY = 92;

/** The folder of the pictures in the saved project, where the lines for the command line find them. */
export const PICTURES = 'pictures';

/** The path of a picture in the saved project: under a folder of its part where somebody has made parts. */
export function pathOf({ file, part }: PictureRecord, isDivided: boolean): string {
  if (!isDivided) return `${PICTURES}/${file}`;
  return `${PICTURES}/${part === 'validation' ? 'val' : part === 'test' ? 'test' : 'train'}/${file}`;
}

/** Whether somebody has put pictures aside. */
export const isDivided = ({ pictures }: OpenProject): boolean =>
  [...pictures.values()].some(({ part }) => part === 'validation' || part === 'test');

/** The project's pictures as lists that the library divides: each path stands for one picture. */
export function listsOf(project: OpenProject): { parts: GivenParts; ids: ReadonlyMap<string, PictureId> } {
  const divided = isDivided(project);
  const all = [...project.pictures].map(([id, record]) => ({ id, record, path: pathOf(record, divided) }));
  all.sort((a, b) => (a.path < b.path ? -1 : 1));
  const listOf = (part: PictureUse): FileList | null => {
    const own = all.filter(({ record }) => (record.part ?? 'training') === part);
    if (own.length === 0 && part !== 'training') return null;
    const classNames = [...new Set(own.map(({ record }) => record.class))].toSorted();
    const files = classNames.flatMap((name, label) =>
      own.flatMap(({ record, path }) => (record.class === name ? [{ path, label }] : [])),
    );
    const folder = { training: 'train', validation: 'val', test: 'test' }[part];
    return { name: divided ? `${PICTURES}/${folder}` : PICTURES, classNames, files, skipped: [], notes: [] };
  };
  return {
    parts: { training: listOf('training') as FileList, validation: listOf('validation'), test: listOf('test') },
    ids: new Map(all.map(({ id, path }) => [path, id])),
  };
}

/** What `restore` brings back. */
interface Removed {
  readonly key: PictureId;
  readonly record: PictureRecord;
  readonly file: Blob;
  readonly thumbnail: Uint8Array;
}

/** @throws DataError with what the server says */
async function fetched(url: string, path: string): Promise<ArrayBuffer> {
  const response = await fetch(url).catch((error: unknown) => error as Error);
  if (response instanceof Error)
    throw new DataError(`${path}: expects an answer of the server, got ${response.message}`);
  if (!response.ok) throw new DataError((await response.text()).trim());
  return response.arrayBuffer();
}

export class PictureRoom implements Omit<Pictures, 'preview'> {
  readonly #session: Session;
  #removed: Removed[] = [];
  #audit: { version: number; audited: Audited; badges: ReadonlyMap<PictureId, readonly Badge[]> } | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  async add(files: readonly GivenFile[], className?: string): Promise<Added> {
    const wanted = files.filter(({ path }) => !path.split('/').some((name) => name.startsWith('.')));
    const places = placesOf(wanted.map(({ path }) => path));
    const jobs = wanted.map(({ file, path }, n) => ({
      path,
      className: className ?? places[n].className,
      name: className === undefined ? places[n].name : (path.split('/').at(-1) ?? path),
      part: className === undefined ? places[n].part : null,
      read: () => file.arrayBuffer(),
    }));
    return this.#keep(jobs);
  }

  async addFrom(files: readonly { readonly url: string; readonly path: string }[]): Promise<Added> {
    const places = placesOf(files.map(({ path }) => path));
    return this.#keep(files.map(({ url, path }, n) => ({ path, ...places[n], read: () => fetched(url, path) })));
  }

  async addFrame(frame: ImageData | ImageBitmap | VideoFrame, className: string): Promise<Added> {
    const bytes = encodeJpeg(pixelsOf(frame), FRAME_QUALITY);
    const name = `frame-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.jpg`;
    const read = (): Promise<ArrayBuffer> => Promise.resolve(bytes.slice().buffer);
    return this.#keep([{ path: name, name, className, part: null, read }]);
  }

  async #keep(
    jobs: readonly {
      readonly path: string;
      readonly className: string | null;
      readonly name: string;
      readonly part: PictureUse | null;
      readonly read: () => Promise<ArrayBuffer>;
    }[],
  ): Promise<Added> {
    const session = this.#session;
    const { project } = session;
    const ids: PictureId[] = [];
    const refused: { path: string; reason: string }[] = [];
    const known = new Map([...project.pictures.values()].map((record) => [placeOf(record), record]));
    const tell = session.progress('adding', jobs.length);
    let waiting: { id: PictureId; record: PictureRecord; path: string; changes: Change[] }[] = [];
    let full: QuotaError | null = null;
    const flush = async (): Promise<void> => {
      const some = waiting;
      waiting = [];
      if (some.length === 0) return;
      try {
        await session.write(some.flatMap(({ changes }) => changes));
        for (const { id, record } of some) {
          project.pictures.set(id, record);
          ids.push(id);
        }
        project.version++;
      } catch (error) {
        if (!(error instanceof QuotaError)) throw error;
        full = error;
        for (const { path } of some) refused.push({ path, reason: error.message });
      }
    };
    const { exif } = project.record.settings;
    const looked = inOrder(jobs, async ({ path, className, read }) => {
      if (full !== null) throw full;
      if (className === null)
        throw new DataError(
          `${path}: expects a picture in the folder of its class; drop the folder, or choose a class first`,
        );
      checkedClass(className);
      const bytes = new Uint8Array(await read());
      return { bytes, className, recorded: await decoders.record({ bytes, name: path, exif }) };
    });
    let n = 0;
    for await (const seen of looked) {
      const { path, name, part } = jobs[n++];
      try {
        if (seen instanceof Error) throw seen;
        const { bytes, className, recorded } = seen;
        const { thumbnail, ...facts } = recorded;
        const record = { ...facts, class: className, part, bytes: bytes.length };
        const { file, same } = freeName(known, { ...record, file: `${className}/${name}` });
        if (same) throw new DataError(`${path}: is in class '${className}' already`);
        const kept: PictureRecord = { ...record, file };
        known.set(placeOf(kept), kept);
        const id = project.nextId++;
        const key = [project.id, id];
        const changes = [
          { shelf: 'pictures', key, value: kept },
          { shelf: 'files', key, value: new Blob([bytes]) },
          { shelf: 'thumbnails', key, value: thumbnail },
        ] as const;
        waiting.push({ id, record: kept, path, changes: [...changes] });
      } catch (error) {
        if (!(error instanceof BeltnetError || error instanceof QuotaError || error instanceof DOMException))
          throw error;
        const reason = error instanceof DOMException ? `${path}: cannot be read (${error.message})` : error.message;
        refused.push({ path, reason });
      }
      if (waiting.length >= TOGETHER) await flush();
      tell(n);
    }
    await flush();
    if (ids.length > 0) await this.#changed();
    return { ids, refused };
  }

  async list(): Promise<PictureEntry[]> {
    const { project } = this.#session;
    const { parts, ids } = listsOf(project);
    const use = new Map<PictureId, PictureUse>();
    const divided = await divideParts(project.record.name, parts, { holdBack: 'auto' }).catch(() => null);
    for (const part of ['training', 'validation', 'test'] as const)
      for (const { path } of divided?.[part]?.files ?? []) use.set(ids.get(path) as PictureId, part);
    const badges = this.#audit?.badges;
    return [...ids.values()].map((id): PictureEntry => {
      const record = project.pictures.get(id) as PictureRecord;
      const { file, class: name, part, width, height, bytes } = record;
      const entry = { id, file, class: name, part: use.get(id) ?? part ?? 'training', partIsGiven: part !== null };
      return { ...entry, width, height, bytes, badges: badges?.get(id) ?? [] };
    });
  }

  async move(ids: readonly PictureId[], className: string): Promise<void> {
    await this.#alter(ids, (record) => ({ ...record, ...renamed(record, checkedClass(className)) }));
  }

  async setPart(ids: readonly PictureId[], part: PictureUse | null): Promise<void> {
    await this.#alter(ids, (record) => ({ ...record, part }));
  }

  async renameClass(from: string, to: string): Promise<void> {
    const { project } = this.#session;
    const ids = [...project.pictures].flatMap(([id, { class: name }]) => (name === from ? [id] : []));
    if (ids.length === 0) throw new UsageError(`renameClass: expects a class of the project, got '${from}'`);
    await this.move(ids, to);
    if (project.record.settings.alertClass === from)
      await this.#session.change({ settings: { ...project.record.settings, alertClass: to } });
  }

  async #alter(ids: readonly PictureId[], change: (record: PictureRecord) => PictureRecord): Promise<void> {
    const { project } = this.#session;
    const chosen = new Set(ids);
    const known = new Map(
      [...project.pictures].flatMap(([id, record]) => (chosen.has(id) ? [] : [[placeOf(record), record]])),
    );
    const altered = ids.map((id) => {
      const record = change(recordOf(project, id));
      const kept = { ...record, file: freeName(known, record).file };
      known.set(placeOf(kept), kept);
      return [id, kept] as const;
    });
    await this.#session.write(altered.map(([id, value]) => ({ shelf: 'pictures', key: [project.id, id], value })));
    for (const [id, record] of altered) project.pictures.set(id, record);
    await this.#changed();
  }

  async remove(ids: readonly PictureId[]): Promise<void> {
    const { project, store } = this.#session;
    const removed: Removed[] = [];
    for (const id of ids) {
      const key = [project.id, id];
      const [file, thumbnail] = await Promise.all([store.get('files', key), store.get('thumbnails', key)]);
      if (file && thumbnail)
        removed.push({ key: id, record: recordOf(project, id), file: new Blob([await file.arrayBuffer()]), thumbnail });
    }
    await this.#session.write(
      ids.flatMap((id) =>
        (['pictures', 'files', 'thumbnails'] as const).map((shelf) => ({ shelf, key: [project.id, id] })),
      ),
    );
    for (const id of ids) project.pictures.delete(id);
    this.#removed = removed;
    await this.#changed();
  }

  async restore(): Promise<number> {
    const { project } = this.#session;
    const back = this.#removed;
    await this.#session.write(
      back.flatMap(({ key: id, record, file, thumbnail }): Change[] => [
        { shelf: 'pictures', key: [project.id, id], value: record },
        { shelf: 'files', key: [project.id, id], value: file },
        { shelf: 'thumbnails', key: [project.id, id], value: thumbnail },
      ]),
    );
    for (const { key, record } of back) project.pictures.set(key, record);
    this.#removed = [];
    if (back.length > 0) await this.#changed();
    return back.length;
  }

  async thumbnails(ids: readonly PictureId[]): Promise<(ImageBitmap | null)[]> {
    const { project, store } = this.#session;
    return Promise.all(
      ids.map(async (id) => {
        const jpeg = await store.get('thumbnails', [project.id, id]);
        return jpeg && createImageBitmap(new Blob([jpeg], { type: 'image/jpeg' }));
      }),
    );
  }

  async file(id: PictureId): Promise<NamedBlob> {
    const record = recordOf(this.#session.project, id);
    const { format } = readFacts(record.facts);
    const type = format === null ? 'application/octet-stream' : `image/${format.toLowerCase()}`;
    const bytes = await bytesOf(this.#session, id);
    return { name: record.file.split('/').at(-1) ?? record.file, blob: new Blob([bytes], { type }) };
  }

  async audit(): Promise<Audited> {
    const { project } = this.#session;
    if (this.#audit?.version === project.version) return this.#audit.audited;
    const { version } = project;
    const { parts, ids } = listsOf(project);
    const divided = await divideParts(project.record.name, parts, { holdBack: 'auto' }).catch(() => ({ ...parts }));
    const setOf = (list: FileList): Dataset => recordsOnly(project, list, ids);
    const others = [divided.validation, divided.test].flatMap((list) => (list ? [setOf(list)] : []));
    const report = await auditDatasets(setOf(divided.training), others);
    const idsOf = report.findings.map(({ groups }) =>
      groups.map((group) => group.flatMap((path) => ids.get(path) ?? [])),
    );
    const badges = new Map<PictureId, Badge[]>();
    for (const [n, { kind, severity, message, advice, groups }] of report.findings.entries()) {
      // What is said of a class or of all stands on no picture.
      if (groups.length === 0) continue;
      for (const id of new Set(idsOf[n].flat()))
        badges.set(id, [...(badges.get(id) ?? []), { kind, severity, message, advice }]);
    }
    const audited = { ...report, ids: idsOf };
    this.#audit = { version, audited, badges };
    this.#session.tell('pictures', { pictures: project.pictures.size });
    return audited;
  }

  /** Another project: what was known is of the old one. */
  forget(): void {
    this.#removed = [];
    this.#audit = null;
  }

  async #changed(): Promise<void> {
    const { project } = this.#session;
    project.version++;
    await this.#session.change({});
    this.#session.tell('pictures', { pictures: project.pictures.size });
  }
}

/** Finds the pictures of a run of the project: by what is in their files where the run knows that, else by their paths. */
export async function finderFor({ project }: Session, run: RunFiles): Promise<(file: string) => PictureId | null> {
  const text = new TextDecoder().decode((await run.read(runFiles.pictures)) ?? undefined);
  return finderBy(project, text);
}

/** @param manifest a pictures.jsonl; perhaps empty */
export function finderBy(project: OpenProject, manifest: string): (file: string) => PictureId | null {
  const byPath = finderOf(listsOf(project).ids);
  const digests = new Map(manifestLines(manifest).map(({ file, sha256 }) => [file, sha256]));
  if (digests.size === 0) return byPath;
  const length = [...digests.values()][0].length;
  const byDigest = new Map<string, PictureId[]>();
  for (const [id, { digest }] of project.pictures) {
    const key = hexOf(digest).slice(0, length);
    byDigest.set(key, [...(byDigest.get(key) ?? []), id]);
  }
  return (file) => {
    const digest = digests.get(file);
    const same = digest === undefined ? undefined : byDigest.get(digest);
    const named = byPath(file);
    // Of copies of one picture, that of the path.
    return same === undefined || (named !== null && same.includes(named)) ? named : same[0];
  };
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * Finds pictures by the paths that a run elsewhere has for them: of the same name, and where several have it, in folders of the same
 * names.
 */
function finderOf(ids: ReadonlyMap<string, PictureId>): (file: string) => PictureId | null {
  const end = (path: string, parts: number): string => path.replaceAll('\\', '/').split('/').slice(-parts).join('/');
  const byEnd = [3, 2, 1].map((parts) => {
    const found = new Map<string, PictureId | null>();
    for (const [path, id] of ids) found.set(end(path, parts), found.has(end(path, parts)) ? null : id); // null: not one alone
    return { parts, found };
  });
  return (file) => {
    for (const { parts, found } of byEnd) {
      const id = found.get(end(file, parts));
      if (id !== undefined && id !== null) return id;
    }
    return null;
  };
}

/** The bytes of a picture's file. @throws DataError where it is gone */
export async function bytesOf({ project, store }: Session, id: PictureId): Promise<Uint8Array<ArrayBuffer>> {
  const blob = await store.get('files', [project.id, id]);
  if (blob) return new Uint8Array(await blob.arrayBuffer());
  throw new DataError(`picture ${id}: expects its file, got none: the browser has lost it; add it again`);
}

export function recordOf({ pictures }: OpenProject, id: PictureId): PictureRecord {
  const record = pictures.get(id);
  if (record) return record;
  throw new UsageError(`expects the number of a picture in the project, got ${String(id)}`);
}

/** A data set that has its records and no pixels: enough for the audit. */
function recordsOnly(project: OpenProject, list: FileList, ids: ReadonlyMap<string, PictureId>): Dataset {
  const records = list.files.map(({ path }) => recordOf(project, ids.get(path) as PictureId));
  return {
    ...{ name: list.name, classNames: list.classNames, skipped: list.skipped, pictureShape: [1, 1, 3] },
    pictures: new Uint8Array(3 * records.length),
    labels: Uint8Array.from(list.files, ({ label }) => label),
    files: list.files.map(({ path }) => path),
    records: { digest: (n) => records[n].digest, facts: (n) => records[n].facts },
  };
}

const placeOf = ({ part, file }: Pick<PictureRecord, 'part' | 'file'>): string => `${part ?? 'training'} ${file}`;

/** A name that no other picture has; `same` where the very picture is there already. */
function freeName(
  known: ReadonlyMap<string, PictureRecord>,
  record: PictureRecord,
): { readonly file: string; readonly same: boolean } {
  const [, stem, ending] = /^(.*?)((?:\.[^./]*)?)$/s.exec(record.file) as RegExpExecArray;
  for (let n = 1; ; n++) {
    const file = n === 1 ? record.file : `${stem}-${n}${ending}`;
    const there = known.get(placeOf({ part: record.part, file }));
    if (!there) return { file, same: false };
    if (there.digest.every((byte, at) => byte === record.digest[at])) return { file, same: true };
  }
}

const renamed = ({ file }: PictureRecord, className: string): Pick<PictureRecord, 'class' | 'file'> => ({
  class: className,
  file: `${className}/${file.slice(file.indexOf('/') + 1)}`,
});

/** @throws UsageError for what cannot be the name of a folder */
function checkedClass(name: string): string {
  if (typeof name === 'string' && name.trim() === name && name !== '' && !/[/\\:*?"<>|]|^\.|\p{C}/u.test(name))
    return name;
  throw new UsageError(`class: expects a name that can be a folder's, such as ok or gap, got '${name}'`);
}
