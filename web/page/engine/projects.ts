/** Projects: made, opened, saved as one file. One is open in one tab at a time. */
import { beltFiles, encodeBeltFile, UsageError } from '../../../src/index.js';
import { isDivided, pathOf, PICTURES, type PictureRoom } from './pictures.js';
import { unpackArchive, writeArchive } from './archive.js';
import type {
  GivenFile,
  NamedBlob,
  ProjectId,
  Projects,
  ProjectSettings,
  ProjectState,
  ProjectSummary,
} from './protocol.js';
import type { TrainingRoom } from './training.js';
import { removeRun, runNames, runSummaries } from './runs.js';
import type { PictureRecord, ProjectRecord } from './records.js';
import type { Session } from './session.js';
import type { Change } from './store.js';

const SETTINGS: ProjectSettings = { region: null, exif: false, alertClass: null };

/** In the saved file. */
const MANIFEST = 'project.json';

export class ProjectRoom implements Projects {
  readonly #session: Session;
  readonly #pictures: PictureRoom;
  readonly #training: TrainingRoom;

  constructor(session: Session, pictures: PictureRoom, training: TrainingRoom) {
    this.#session = session;
    this.#pictures = pictures;
    this.#training = training;
  }

  async list(): Promise<ProjectSummary[]> {
    const { store } = this.#session;
    const all = await store.all('projects', []);
    const summaries = all.map(async ({ key: [id], value: { name, changed } }) => ({
      ...{ id: id as ProjectId, name, changed },
      pictures: (await store.keys('pictures', [id])).length,
      runs: (await runNames(store, id as ProjectId)).length,
    }));
    return (await Promise.all(summaries)).toSorted((a, b) => b.changed - a.changed);
  }

  async create(name: string): Promise<ProjectState> {
    const record = { name: checkedName(name), changed: Date.now(), settings: SETTINGS, run: null };
    return this.open(await this.#add(record));
  }

  async #add(record: ProjectRecord): Promise<ProjectId> {
    const { store } = this.#session;
    const add = async (): Promise<ProjectId> => {
      const keys = await store.keys('projects', []);
      const id = Math.max(0, ...keys.map(([key]) => Number(key))) + 1;
      await this.#session.write([{ shelf: 'projects', key: [id], value: record }]);
      return id;
    };
    // Two tabs must not take one number.
    return 'locks' in navigator ? navigator.locks.request('beltnet projects', add) : add();
  }

  async open(id: ProjectId): Promise<ProjectState> {
    const session = this.#session;
    if (session.isOpen?.id === id) return this.#state();
    await this.#training.leave();
    const record = await session.store.get('projects', [id]);
    if (!record) throw new UsageError(`open: expects the number of a project, got ${String(id)}, which is none`);
    const release = await lock(`beltnet project ${id}`, session.store.kind);
    if (!release)
      throw new UsageError(
        `'${record.name}' is open in another tab or window: close it there, so that neither overwrites the other`,
      );
    const pictures = new Map<number, PictureRecord>();
    for (const { key, value } of await session.store.all('pictures', [id])) pictures.set(Number(key[1]), value);
    session.project = { id, record, pictures, nextId: Math.max(0, ...pictures.keys()) + 1, version: 1, release };
    this.#pictures.forget();
    await this.#training.enter();
    return this.#state();
  }

  async current(): Promise<ProjectState | null> {
    return this.#session.isOpen ? this.#state() : null;
  }

  async #state(): Promise<ProjectState> {
    const { project } = this.#session;
    const counts = new Map<string, number>();
    for (const { class: name } of project.pictures.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
    return {
      ...{ id: project.id, name: project.record.name, settings: project.record.settings },
      classes: [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, pictures]) => ({ name, pictures })),
      runs: await runSummaries(this.#session),
      run: project.record.run,
      training: await this.#training.status(),
    };
  }

  /** Says to the page what the project is now. */
  async changed(): Promise<ProjectState> {
    const state = await this.#state();
    this.#session.tell('project', state);
    return state;
  }

  async rename(id: ProjectId, given: string): Promise<void> {
    const name = checkedName(given);
    const session = this.#session;
    if (session.isOpen?.id === id) {
      await session.change({ name });
      await this.changed();
      return;
    }
    const record = await session.store.get('projects', [id]);
    if (!record) throw new UsageError(`rename: expects the number of a project, got ${String(id)}, which is none`);
    await session.write([{ shelf: 'projects', key: [id], value: { ...record, name } }]);
  }

  async remove(id: ProjectId): Promise<void> {
    const session = this.#session;
    const isOpen = session.isOpen?.id === id;
    if (isOpen) await this.#training.leave();
    const release = isOpen ? () => {} : await lock(`beltnet project ${id}`, session.store.kind);
    if (!release) throw new UsageError('remove: the project is open in another tab or window: close it there first');
    await session.write(
      (['projects', 'pictures', 'files', 'thumbnails', 'runs'] as const).map((shelf) => ({ shelf, key: [id] })),
    );
    release();
    if (isOpen) session.project = null;
  }

  async configure(settings: Partial<ProjectSettings>): Promise<ProjectState> {
    const { project } = this.#session;
    await this.#session.change({ settings: { ...project.record.settings, ...settings } });
    return this.changed();
  }

  async selectRun(name: string): Promise<ProjectState> {
    const { project, store } = this.#session;
    const names = await runNames(store, project.id);
    if (!names.includes(name)) throw new UsageError(`run: expects one of ${names.join(', ') || 'none'}, got '${name}'`);
    await this.#session.change({ run: name });
    await this.#training.enter();
    return this.changed();
  }

  async removeRun(name: string): Promise<ProjectState> {
    const { project, store } = this.#session;
    await this.#training.leaveRun(name);
    await removeRun(this.#session, name);
    const left = (await runNames(store, project.id)).at(-1) ?? null;
    if (project.record.run === name) await this.#session.change({ run: left });
    await this.#training.enter();
    return this.changed();
  }

  async saveFile(id: ProjectId): Promise<NamedBlob> {
    const { store, isOpen } = this.#session;
    const record = isOpen?.id === id ? isOpen.record : await store.get('projects', [id]);
    if (!record) throw new UsageError(`saveFile: expects the number of a project, got ${String(id)}, which is none`);
    const pictures = new Map(
      (await store.all('pictures', [id])).map(({ key, value }) => [Number(key[1]), value] as const),
    );
    const divided = isDivided({ pictures } as never);
    const runs = await store.keys('runs', [id]);
    const tell = this.#session.progress('packing', pictures.size + runs.length);
    let done = 0;
    const parts = [...pictures].flatMap(([key, { file, part }]) => (part === null ? [] : [[key, file, part]]));
    const manifest = {
      beltnet: 1,
      name: record.name,
      settings: record.settings,
      run: record.run,
      divided,
      parts: parts.map(([, file, part]) => [file, part]),
    };
    const blob = await writeArchive(async (put) => {
      await put(MANIFEST, new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`));
      for (const [key, picture] of pictures) {
        const file = await store.get('files', [id, key]);
        if (file) await put(pathOf(picture, divided), new Uint8Array(await file.arrayBuffer()));
        tell(++done);
      }
      for (const key of runs) {
        const bytes = await store.get('runs', key);
        if (bytes) await put(`runs/${key[1]}/${key[2]}`, bytes);
        tell(++done);
      }
    });
    tell(pictures.size + runs.length);
    return { name: `${record.name.replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')}.beltnet.zip`, blob };
  }

  async openFile(file: Blob): Promise<ProjectState> {
    const entries = await unpackArchive(file, 'a saved project');
    const text = entries.get(MANIFEST);
    if (!text)
      throw new UsageError(
        `openFile: expects a project that was saved here, got an archive without ${MANIFEST}; drop pictures as folders instead`,
      );
    const saved = manifestOf(text);
    const id = await this.#add({ name: saved.name, changed: Date.now(), settings: saved.settings, run: saved.run });
    try {
      await this.open(id);
      const given: GivenFile[] = [];
      const runs: Change[] = [];
      for (const [path, bytes] of entries) {
        if (path.startsWith(`${PICTURES}/`))
          given.push({ path: saved.divided ? path : path.slice(PICTURES.length + 1), file: new Blob([bytes]) });
        const [, run, name] = /^runs\/([^/]+)\/(.+)$/s.exec(path) ?? [];
        if (run !== undefined && name !== undefined) runs.push({ shelf: 'runs', key: [id, run, name], value: bytes });
      }
      await this.#session.write(runs);
      const { refused } = await this.#pictures.add(given);
      if (refused.length > 0)
        throw new UsageError(`openFile: ${refused.length} of the pictures cannot be kept: ${refused[0].reason}`);
      await this.#restoreParts(saved);
    } catch (error) {
      await this.remove(id); // all or nothing
      throw error;
    }
    await this.#training.enter();
    return this.changed();
  }

  /** Pictures that nobody put anywhere stand in train/ in a divided project. */
  async #restoreParts({ parts }: Saved): Promise<void> {
    const { project } = this.#session;
    const given = new Set(parts.map(([file, part]) => `${part} ${file}`));
    const free = [...project.pictures].flatMap(([id, { file, part }]) =>
      part !== null && !given.has(`${part} ${file}`) ? [id] : [],
    );
    if (free.length > 0) await this.#pictures.setPart(free, null);
    const training = [...project.pictures].flatMap(([id, { file, part }]) =>
      part === null && given.has(`training ${file}`) ? [id] : [],
    );
    if (training.length > 0) await this.#pictures.setPart(training, 'training');
  }

  async createExample({ pictures = 400, seed = 0 }: { pictures?: number; seed?: number } = {}): Promise<ProjectState> {
    const files = beltFiles({ count: pictures, seed });
    await this.create('Example: a belt');
    await this.configure({ alertClass: 'gap' });
    const tell = this.#session.progress('example', files.length);
    for (let first = 0; first < files.length; first += 16) {
      const some = files.slice(first, first + 16).map((file): GivenFile => {
        const { path } = file;
        return { path, file: new Blob([encodeBeltFile(file).slice()]) };
      });
      await this.#pictures.add(some);
      tell(Math.min(first + 16, files.length));
    }
    return this.changed();
  }
}

interface Saved {
  readonly name: string;
  readonly settings: ProjectSettings;
  readonly run: string | null;
  readonly divided: boolean;
  readonly parts: readonly (readonly [string, string])[];
}

/** @throws UsageError for what is no manifest */
function manifestOf(bytes: Uint8Array): Saved {
  let saved: Partial<Saved>;
  try {
    saved = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Saved>;
  } catch (error) {
    throw new UsageError(`openFile: ${MANIFEST}: expects the JSON of a saved project, got ${(error as Error).message}`);
  }
  const { name, settings, run = null, divided = false, parts = [] } = saved ?? {};
  if (typeof name !== 'string' || typeof settings !== 'object' || settings === null || !Array.isArray(parts))
    throw new UsageError(`openFile: ${MANIFEST}: expects name and settings of a project, got something else`);
  return { name, settings: { ...SETTINGS, ...settings }, run, divided, parts };
}

function checkedName(name: string): string {
  if (typeof name === 'string' && name.trim() !== '' && name.length <= 200) return name.trim();
  throw new UsageError(`project: expects a name of 1 to 200 characters, got '${name}'`);
}

/** @returns what gives it back; null where another tab has it */
async function lock(name: string, kind: 'kept' | 'memory'): Promise<(() => void) | null> {
  if (kind === 'memory' || !('locks' in navigator)) return () => {};
  return new Promise((resolve) => {
    void navigator.locks.request(name, { ifAvailable: true }, (held) => {
      if (!held) return resolve(null);
      return new Promise<void>((release) => resolve(release));
    });
  });
}
