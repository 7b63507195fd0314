/** The runs of a project: the files of the command line's run folder, and what the page notes beside them. */
import {
  bestEpoch,
  DataError,
  epochsIn,
  Run,
  runFiles,
  UsageError,
  type EpochRecord,
  type RunFiles,
} from '../../../src/index.js';
import type { FullOptions } from './options.js';
import type { ProjectId, RunSummary } from './protocol.js';
import type { Session } from './session.js';
import type { Store } from './store.js';

/** What the page notes of a run; it is no part of the run's folder. */
export interface RunNote {
  readonly phase: 'running' | 'finished' | 'stopped' | 'failed';
  /** In words: "mission, 64×64, 10 epochs". */
  readonly what: string;
  readonly options: FullOptions | null;
  readonly imported: boolean;
  readonly started: string;
  readonly message: string | null;
}

const NOTE = '.page.json';

/** Whether a file belongs to the run's folder. */
export const isOfFolder = (name: string): boolean => name !== NOTE;

const encoder = new TextEncoder();
const bytesOfText = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? encoder.encode(content) : content;

/** The files of a run of the open project. */
export function filesOf(session: Session, name: string): RunFiles {
  const { store, project } = session;
  const key = (file: string): [number, string, string] => [project.id, name, file];
  const read = (file: string): Promise<Uint8Array | null> => store.get('runs', key(file));
  return {
    directory: name,
    path: (file) => `${name}/${file}`,
    read,
    async write(file, content, previous) {
      const before = previous === undefined ? null : await read(file);
      await session.write([
        { shelf: 'runs', key: key(file), value: bytesOfText(content) },
        ...(before && previous !== undefined ? [{ shelf: 'runs' as const, key: key(previous), value: before }] : []),
      ]);
    },
    async append(file, content) {
      const before = (await read(file)) ?? new Uint8Array(0);
      const more = bytesOfText(content);
      const all = new Uint8Array(before.length + more.length);
      all.set(before);
      all.set(more, before.length);
      await session.write([{ shelf: 'runs', key: key(file), value: all }]);
    },
    async nameAlso(file, other) {
      const content = await read(file);
      if (content) await session.write([{ shelf: 'runs', key: key(other), value: content }]);
    },
  };
}

/** A run that is nowhere but in memory: of a training that is made to be compared. */
export function filesInMemory(name: string): RunFiles {
  const files = new Map<string, Uint8Array>();
  return {
    directory: name,
    path: (file) => `${name}/${file}`,
    read: (file) => Promise.resolve(files.get(file) ?? null),
    async write(file, content) {
      files.set(file, bytesOfText(content).slice());
    },
    async append(file, content) {
      files.set(file, Uint8Array.from([...(files.get(file) ?? []), ...bytesOfText(content)]));
    },
    async nameAlso(file, other) {
      const content = files.get(file);
      if (content) files.set(other, content);
    },
  };
}

export const runOf = (session: Session, name: string): Run => new Run(filesOf(session, name));

/** The run that is looked at. @throws UsageError without one */
export function currentRun(session: Session): string {
  const { run } = session.project.record;
  if (run !== null) return run;
  throw new UsageError('expects a run, got none yet: train first, or open a model');
}

export async function runNames(store: Store, id: ProjectId): Promise<string[]> {
  const names = (await store.keys('runs', [id])).map(([, name]) => String(name));
  const natural = new Intl.Collator('en', { numeric: true });
  return [...new Set(names)].toSorted(natural.compare);
}

export async function readNote(session: Session, name: string): Promise<RunNote | null> {
  const bytes = await session.store.get('runs', [session.project.id, name, NOTE]);
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as RunNote);
}

export async function writeNote(session: Session, name: string, note: RunNote): Promise<void> {
  const value = encoder.encode(JSON.stringify(note));
  await session.write([{ shelf: 'runs', key: [session.project.id, name, NOTE], value }]);
}

/** The epochs in a run's events.jsonl. */
export async function epochsOf(files: RunFiles): Promise<EpochRecord[]> {
  const text = new TextDecoder().decode((await files.read(runFiles.events)) ?? new Uint8Array(0));
  return epochsIn(text);
}

export async function runSummaries(session: Session): Promise<RunSummary[]> {
  const { store, project } = session;
  const keys = await store.keys('runs', [project.id]);
  const has = (name: string, file: string): boolean => keys.some(([, run, each]) => run === name && each === file);
  const names = await runNames(store, project.id);
  return Promise.all(
    names.map(async (name): Promise<RunSummary> => {
      const note = await readNote(session, name);
      const epochs = await epochsOf(filesOf(session, name));
      return {
        ...{ name, started: note?.started ?? '', what: note?.what ?? 'a run' },
        ...{ epochs: epochs.length, best: bestEpoch(epochs) ?? null },
        ...{ imported: note?.imported ?? false, hasModel: has(name, runFiles.best) },
      };
    }),
  );
}

/** run-1, run-2 …: the first that is free; or the one that is asked for. @throws UsageError where it is taken */
export async function freeRunName({ store, project }: Session, wanted?: string): Promise<string> {
  const taken = await runNames(store, project.id);
  if (wanted === undefined || wanted === '') {
    for (let n = 1; ; n++) if (!taken.includes(`run-${n}`)) return `run-${n}`;
  }
  if (/[/\\\p{C}]|^\./u.test(wanted))
    throw new UsageError(`run: expects a name that can be a folder's, got '${wanted}'`);
  if (taken.includes(wanted))
    throw new UsageError(`run: '${wanted}' is there already, and is not overwritten; choose another name`);
  return wanted;
}

export async function removeRun(session: Session, name: string): Promise<void> {
  await session.write([{ shelf: 'runs', key: [session.project.id, name] }]);
}

/** config.json of a run; empty where there is none. @throws DataError for what is no JSON */
export async function configOf(files: RunFiles): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await files.read(runFiles.config);
  if (!bytes) return {};
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch (error) {
    throw new DataError(`${files.path(runFiles.config)}: expects JSON, got ${(error as Error).message}`);
  }
}
