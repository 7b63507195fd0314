/** What all rooms of the engine share: where things are kept, the open project, the device, and how the page is told. */
import { chooseDevice, UsageError, type Device, type DeviceChoice, type DeviceName } from '../../../src/index.js';
import type { DeviceState, EngineEvents, PictureId, ProjectId, StorageState, Work } from './protocol.js';
import type { PictureRecord, ProjectRecord } from './records.js';
import { QuotaError, type Store } from './store.js';

/** The project that is open, with what is known of its pictures. */
export interface OpenProject {
  readonly id: ProjectId;
  record: ProjectRecord;
  readonly pictures: Map<PictureId, PictureRecord>;
  /** Of the next picture. */
  nextId: PictureId;
  /** Counted up whenever pictures change. */
  version: number;
  /** Lets other tabs have it. */
  readonly release: () => void;
}

export class Session {
  readonly store: Store;
  readonly #emit: <Name extends keyof EngineEvents>(name: Name, data: EngineEvents[Name]) => void;
  #project: OpenProject | null = null;
  #device: { readonly device: Device; readonly choice: DeviceChoice } | null = null;
  #opening: Promise<Device> | null = null;
  #wanted: DeviceName = 'auto';
  #storageFull = false;

  constructor(store: Store, emit: Session['tell']) {
    this.store = store;
    this.#emit = emit;
  }

  /** An event for the page. */
  tell<Name extends keyof EngineEvents>(name: Name, data: EngineEvents[Name]): void {
    this.#emit(name, data);
  }

  /** Progress of long work, at most twenty times a second. */
  progress(work: Work['work'], total: number): (done: number) => void {
    let last = 0;
    return (done) => {
      const now = performance.now();
      if (done < total && now - last < 50) return;
      last = now;
      this.tell('progress', { work, done, total });
    };
  }

  // --- the project

  get isOpen(): OpenProject | null {
    return this.#project;
  }

  /** @throws UsageError where none is open */
  get project(): OpenProject {
    if (this.#project) return this.#project;
    throw new UsageError('expects an open project, got none: create or open one first');
  }

  set project(project: OpenProject | null) {
    this.#project?.release();
    this.#project = project;
  }

  /** Writes what changes in the project, and when it changed. */
  async change(changes: Partial<ProjectRecord>): Promise<void> {
    const { project } = this;
    const record = { ...project.record, ...changes, changed: Date.now() };
    await this.write([{ shelf: 'projects', key: [project.id], value: record }]);
    project.record = record;
  }

  /** As the store's; the page is told when there is no more room. */
  async write(changes: Parameters<Store['write']>[0]): Promise<void> {
    try {
      await this.store.write(changes);
      if (this.#storageFull) {
        this.#storageFull = false;
        this.tell('storage', await this.storage());
      }
    } catch (error) {
      if (error instanceof QuotaError) {
        this.#storageFull = true;
        this.tell('trouble', { kind: 'storage', message: error.message });
        this.tell('storage', await this.storage());
      }
      throw error;
    }
  }

  async storage(): Promise<StorageState> {
    const { kind } = this.store;
    const manager = (navigator as { storage?: StorageManager }).storage;
    const { usage, quota } = (await manager?.estimate().catch(() => null)) ?? {};
    const persisted = kind === 'kept' && ((await manager?.persisted().catch(() => false)) ?? false);
    return { kind, persisted, used: usage ?? null, quota: quota ?? null, warning: this.#warning(usage, quota) };
  }

  #warning(usage?: number, quota?: number): string | null {
    if (this.store.kind === 'memory')
      return 'This browser keeps nothing here (a private window, or storage is forbidden): what you do is gone when the tab is closed. Save the project as a file.';
    if (this.#storageFull)
      return 'The browser gives no more room: nothing more can be kept. Save the project as a file, then remove projects or runs.';
    if (usage !== undefined && quota !== undefined && usage > quota * 0.9)
      return 'Nine tenths of the room that the browser gives are used. Save the project as a file, and remove what is not needed.';
    return null;
  }

  // --- the device

  /** Opens it where it is not open yet. */
  async device(): Promise<Device> {
    if (this.#device) return this.#device.device;
    this.#opening ??= (async () => {
      const choice = await chooseDevice(this.#wanted);
      const device = await choice.open();
      this.#device = { device, choice };
      return device;
    })().finally(() => (this.#opening = null));
    return this.#opening;
  }

  /** Of the device that was opened last. */
  get choice(): DeviceChoice {
    if (this.#device) return this.#device.choice;
    throw new UsageError('expects an open device, got none');
  }

  /** What was asked for. */
  get choiceName(): DeviceName {
    return this.#wanted;
  }

  async deviceState(): Promise<DeviceState> {
    const device = await this.device();
    const { choice } = this.#device as { choice: DeviceChoice };
    const { name } = device.description;
    const threads = /(\d+) threads?/.exec(name);
    const shared = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated ?? false;
    return {
      ...{ kind: choice.kind, name, threads: choice.kind === 'cpu' ? Number(threads?.[1] ?? 1) : null },
      adapter: choice.adapter && { name: choice.adapter.name, kind: choice.adapter.kind },
      reason:
        choice.reason +
        (choice.kind === 'cpu' && !shared
          ? '; on one thread, since the page has no shared memory (its server does not send the two cross-origin headers)'
          : ''),
      crossOriginIsolated: shared,
      hasWebGpu: 'gpu' in navigator,
    };
  }

  /** Closes the device; the next one that is asked for is of this name. */
  async takeDevice(wanted: DeviceName): Promise<void> {
    await this.#opening?.catch(() => null);
    this.#wanted = wanted;
    this.#device?.device.destroy();
    this.#device = null;
  }
}
