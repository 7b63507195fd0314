/** What the screens show: one state, kept up to date by the engine's events. Screens ask the engine, and never keep copies of their own. */
import { createContext } from 'preact';
import { useContext, useEffect, useReducer, useRef } from 'preact/hooks';
import type {
  DeviceState,
  Engine,
  EngineErrorShape,
  ModelState,
  PictureEntry,
  ProjectState,
  ProjectSummary,
  StorageState,
  Training,
  TrainingStatus,
  Work,
} from '../engine/protocol.js';
import type { Progress } from '../../../src/index.js';
import { words } from '../strings.js';

export const screens = ['pictures', 'train', 'try', 'prove', 'files'] as const;
export type Screen = (typeof screens)[number];

type EpochLine = Awaited<ReturnType<Training['epochs']>>[number];

export interface Notice {
  readonly id: number;
  readonly tone: 'error' | 'warning' | 'info';
  readonly title: string;
  readonly text: string;
  readonly lines?: readonly string[];
  readonly act?: { readonly label: string; readonly run: () => void };
}

export interface State {
  readonly ready: boolean;
  readonly screen: Screen;
  readonly projects: readonly ProjectSummary[];
  readonly project: ProjectState | null;
  readonly pictures: readonly PictureEntry[];
  readonly device: DeviceState | null;
  readonly storage: StorageState | null;
  readonly training: TrainingStatus;
  readonly epochs: readonly EpochLine[];
  /** Means of the epoch that goes on. */
  readonly step: Progress | null;
  readonly model: ModelState | null;
  readonly work: Work | null;
  readonly notices: readonly Notice[];
}

/** While pictures are added, ms: each listing draws all that is seen. */
const BETWEEN_LISTINGS = 250;

const untrained: TrainingStatus = { phase: 'none', run: null, epoch: 0, epochs: 0, message: null, command: null };

const screenOf = (hash: string): Screen => screens.find((name) => hash === `#${name}`) ?? 'pictures';

/** With a capital and a full stop, as beside other sentences. */
const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/** Errors of the engine say which kind they are; others are defects. */
export function errorOf(error: unknown): EngineErrorShape {
  const { kind = 'Defect', message = String(error) } = (error ?? {}) as Partial<EngineErrorShape>;
  return { kind: kind in words.errors ? kind : 'Defect', message };
}

export class Store {
  readonly engine: Engine;
  readonly #listeners = new Set<() => void>();
  #notices = 0;
  #loading = false;
  #stale = false;
  state: State = {
    ready: false,
    screen: screenOf(location.hash),
    projects: [],
    project: null,
    pictures: [],
    device: null,
    storage: null,
    training: untrained,
    epochs: [],
    step: null,
    model: null,
    work: null,
    notices: [],
  };

  constructor(engine: Engine) {
    this.engine = engine;
    addEventListener('hashchange', () => this.set({ screen: screenOf(location.hash) }));
    engine.on('project', (project) => {
      const isOther = project.run !== this.state.project?.run || project.id !== this.state.project.id;
      this.set({ project, training: project.training });
      if (isOther) void this.attempt(() => this.#loadRun());
    });
    engine.on('pictures', () => void this.loadPictures());
    engine.on('training', (training) => this.#followTraining(training));
    engine.on('step', (step) => this.set({ step }));
    engine.on('epoch', ({ record, line }) => {
      this.set({ epochs: [...this.state.epochs.filter((one) => one.record.epoch < record.epoch), { record, line }] });
    });
    engine.on('storage', (storage) => this.set({ storage }));
    engine.on('progress', (work) => {
      // The example is added as it is made: one bar for both.
      if (work.work === 'adding' && this.state.work?.work === 'example') return;
      this.set({ work: work.done >= work.total ? null : work });
    });
    engine.on('trouble', ({ kind, message }) =>
      this.notify({ tone: kind === 'training' ? 'error' : 'warning', title: words.trouble[kind], text: message }),
    );
  }

  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** At the page's start: the device, the projects, and the one that was open last. */
  async begin(): Promise<void> {
    await this.attempt(async () => {
      const [projects, storage] = await Promise.all([this.engine.projects.list(), this.engine.machine.storage()]);
      this.set({ projects, storage });
      const last = projects.at(0);
      if (last) await this.#take(await this.engine.projects.open(last.id));
    });
    this.set({ ready: true });
    // The GPU is asked when there is something to see.
    await this.attempt(async () => this.set({ device: await this.engine.machine.device() }));
  }

  /** Does what was asked; what goes wrong is told, and nothing is thrown. */
  async attempt<Result>(action: () => Promise<Result>): Promise<Result | null> {
    try {
      return await action();
    } catch (error) {
      const { kind, message } = errorOf(error);
      this.set({ work: null });
      this.notify({
        tone: 'error',
        title: words.errors[kind],
        text: [sentence(message), words.advice[kind]].filter(Boolean).join(' '),
      });
      return null;
    }
  }

  notify(notice: Omit<Notice, 'id'>): number {
    const id = ++this.#notices;
    const others = this.state.notices.filter(({ title, text }) => title !== notice.title || text !== notice.text);
    this.set({ notices: [...others.slice(-2), { id, ...notice }] });
    if (notice.tone === 'info') setTimeout(() => this.dismiss(id), 8000);
    return id;
  }

  dismiss(id: number): void {
    this.set({ notices: this.state.notices.filter((notice) => notice.id !== id) });
  }

  go(screen: Screen): void {
    location.hash = screen;
  }

  /** The project, which is made where there is none yet. */
  async needProject(): Promise<ProjectState> {
    if (this.state.project) return this.state.project;
    const project = await this.engine.projects.create(words.project.untitled);
    await this.#take(project);
    return project;
  }

  async switchTo(make: () => Promise<ProjectState>): Promise<boolean> {
    const project = await this.attempt(make);
    if (project) await this.#take(project);
    return project !== null;
  }

  async removeProject(id: number): Promise<void> {
    await this.attempt(async () => {
      await this.engine.projects.remove(id);
      const projects = await this.engine.projects.list();
      this.set({ projects });
      if (this.state.project?.id !== id) return;
      if (projects.length > 0) await this.#take(await this.engine.projects.open(projects[0].id));
      else this.set({ project: null, pictures: [], epochs: [], model: null, training: untrained });
    });
  }

  async renameProject(id: number, name: string): Promise<void> {
    await this.attempt(async () => {
      await this.engine.projects.rename(id, name);
      const { project } = this.state;
      this.set({ projects: await this.engine.projects.list() });
      if (project?.id === id) this.set({ project: { ...project, name } });
    });
  }

  /** One listing at a time: events that come while one is under way make one more. */
  async loadPictures(): Promise<void> {
    this.#stale = true;
    if (this.#loading) return;
    this.#loading = true;
    while (this.#stale) {
      this.#stale = false;
      await this.attempt(async () => {
        const [pictures, project] = await Promise.all([this.engine.pictures.list(), this.engine.projects.current()]);
        this.set({ pictures, project });
      });
      if (this.#stale) await new Promise((resolve) => setTimeout(resolve, BETWEEN_LISTINGS));
    }
    this.#loading = false;
  }

  async loadModel(): Promise<void> {
    this.set({ model: (await this.attempt(() => this.engine.trial.model())) ?? null });
  }

  async #take(project: ProjectState): Promise<void> {
    this.set({ project, training: project.training, step: null });
    await Promise.all([
      this.loadPictures(),
      this.attempt(() => this.#loadRun()),
      this.attempt(async () => this.set({ projects: await this.engine.projects.list() })),
    ]);
  }

  async #loadRun(): Promise<void> {
    const [epochs, model] = await Promise.all([this.engine.training.epochs(), this.engine.trial.model()]);
    this.set({ epochs, model });
  }

  #followTraining(training: TrainingStatus): void {
    const begins = training.run !== this.state.training.run && training.phase !== 'none';
    const ends = ['finished', 'stopped'].includes(training.phase) && training.phase !== this.state.training.phase;
    this.set({ training, ...(begins && { epochs: [], step: null }) });
    if (ends) {
      this.set({ step: null });
      void this.loadModel();
    }
  }
}

const StoreContext = createContext<Store | null>(null);
export const StoreProvider = StoreContext.Provider;

export function useStore(): Store {
  const store = useContext(StoreContext);
  if (store === null) throw new Error('no store around this screen');
  return store;
}

/** A part of the state; the component is drawn again when that part is another one. */
export function useView<Part>(select: (state: State) => Part): Part {
  const store = useStore();
  const [, redraw] = useReducer((times: number) => times + 1, 0);
  const part = select(store.state);
  const shown = useRef(part);
  const chosen = useRef(select);
  shown.current = part;
  chosen.current = select;
  useEffect(() => {
    const look = (): void => {
      if (chosen.current(store.state) !== shown.current) redraw(0);
    };
    look();
    return store.subscribe(look);
  }, [store]);
  return part;
}

/** Whether a training goes on, so that another may not begin. */
export const isBusy = ({ phase }: TrainingStatus): boolean =>
  ['preparing', 'running', 'paused', 'finishing'].includes(phase);
