/** Training as the page steers it: one at a time, paused and gone on with, and found again after a reload. */
import {
  bestEpoch,
  checkpointOf,
  DataFlow,
  DeviceLostError,
  epochLine,
  renderBatch,
  UsageError,
  type EpochRecord,
} from '../../../src/index.js';
import { bitmapOf } from './frames.js';
import { shapeOf } from './messages.js';
import { augmentationOf, commandLine, DEFAULTS, fullOptions, inWords, isOnBase, type FullOptions } from './options.js';
import { isDivided } from './pictures.js';
import type { Training, TrainingOptions, TrainingStatus } from './protocol.js';
import { currentRun, epochsOf, filesOf, freeRunName, readNote, runOf, writeNote, type RunNote } from './runs.js';
import { divided, loadSet } from './sets.js';
import type { Session } from './session.js';
import { judgeStopped, trainProject } from './train-project.js';

const NONE: TrainingStatus = { phase: 'none', run: null, epoch: 0, epochs: 0, message: null, command: null };
/** Between two events of steps, in milliseconds. */
const BETWEEN_STEPS = 100;
const SHOWN = 8;

/** Why the work was ended. */
type Ending = 'pause' | 'stop';

export class TrainingRoom implements Training {
  readonly #session: Session;
  #status: TrainingStatus = NONE;
  #work: Promise<void> | null = null;
  #control = new AbortController();
  #ending: Ending = 'pause';
  /** What is told of the project once a training has changed it. */
  onProject: () => Promise<unknown> = () => Promise.resolve();
  /** Takes the device that was lost out of use. */
  onLost: () => Promise<void> = () => Promise.resolve();

  constructor(session: Session) {
    this.#session = session;
  }

  async defaults(): Promise<FullOptions> {
    return Promise.resolve(DEFAULTS);
  }

  get isBusy(): boolean {
    return this.#work !== null;
  }

  async start(given: TrainingOptions = {}): Promise<TrainingStatus> {
    this.#refuseBusy();
    const options = fullOptions(given);
    const name = await freeRunName(this.#session, options.name);
    const note: RunNote = {
      ...{ phase: 'running', what: inWords(options), options, imported: false },
      ...{ started: new Date().toISOString(), message: null },
    };
    return this.#begin(name, note, true);
  }

  async resume(): Promise<TrainingStatus> {
    this.#refuseBusy();
    const name = currentRun(this.#session);
    const note = await readNote(this.#session, name);
    if (!note?.options || this.#status.phase === 'finished' || this.#status.phase === 'none')
      throw new UsageError(`resume: expects a run that was paused, got '${name}', which is ${this.#status.phase}`);
    return this.#begin(name, { ...note, phase: 'running', message: null }, false);
  }

  async pause(): Promise<TrainingStatus> {
    return this.#end('pause');
  }

  async stop(): Promise<TrainingStatus> {
    if (this.#work) return this.#end('stop');
    if (this.#status.phase !== 'paused') return this.#status;
    const name = currentRun(this.#session);
    const note = await readNote(this.#session, name);
    if (!note?.options) return this.#status;
    await this.#finishStopped(name, note);
    return this.#status;
  }

  status(): Promise<TrainingStatus> {
    return Promise.resolve(this.#status);
  }

  async epochs(): Promise<{ record: EpochRecord; line: string }[]> {
    const { run } = this.#session.project.record;
    if (run === null) return [];
    return (await epochsOf(filesOf(this.#session, run))).map((record) => ({ record, line: epochLine(record) }));
  }

  /** Eight pictures of the first step, as it sees them. */
  async preview(given: TrainingOptions): Promise<ImageBitmap> {
    const session = this.#session;
    const options = fullOptions(given);
    const { seed, size } = options;
    const division = await divided(session, { seed, onBase: isOnBase(options) });
    const all = division.splits.training;
    const step = Math.max(1, Math.floor(all.files.length / SHOWN));
    const list = { ...all, name: 'preview', files: all.files.filter((_, n) => n % step === 0).slice(0, SHOWN) };
    const { region, exif } = session.project.record.settings;
    const preparation = { size, interpolation: 'bilinear' as const, exif, ...(region && { region }) };
    const dataset = await loadSet(session, list, division.ids, preparation);
    const flow = new DataFlow(dataset, {
      batchSize: SHOWN,
      seed,
      shuffle: false,
      augmentation: augmentationOf(options),
    });
    const values = await renderBatch(await session.device(), flow, 0);
    const count = dataset.labels.length;
    const columns = Math.min(4, count);
    const { width, height } = size;
    const sheet = { width: columns * width, height: Math.ceil(count / columns) * height };
    const data = new Uint8Array(sheet.width * sheet.height * 3).fill(255);
    for (let n = 0; n < count; n++)
      for (let row = 0; row < height; row++) {
        const from = values.subarray((n * height + row) * width * 3, (n * height + row + 1) * width * 3);
        const at = (Math.floor(n / columns) * height + row) * sheet.width + (n % columns) * width;
        data.set(
          Uint8Array.from(from, (value) => Math.min(Math.max(Math.round(value), 0), 255)),
          3 * at,
        );
      }
    return bitmapOf({ ...sheet, data });
  }

  /** What stands of the run that is looked at. */
  async enter(): Promise<void> {
    if (this.#work) return;
    const { run } = this.#session.project.record;
    this.#status = run === null ? NONE : await this.#standing(run);
    this.#session.tell('training', this.#status);
  }

  async #standing(run: string): Promise<TrainingStatus> {
    const note = await readNote(this.#session, run);
    const done = (await epochsOf(filesOf(this.#session, run))).at(-1)?.epoch ?? 0;
    const epochs = note?.options?.epochs ?? done;
    const phase = note?.phase === 'running' ? 'paused' : (note?.phase ?? 'finished');
    const asked = note?.options ?? null;
    const command = asked && this.#command(phase === 'stopped' && done > 0 ? { ...asked, epochs: done } : asked);
    return { phase, run, epoch: done, epochs, message: note?.message ?? null, command };
  }

  #command(options: FullOptions): string {
    const { project } = this.#session;
    return commandLine(options, project.record.settings, isDivided(project));
  }

  /** Before another project is opened. */
  async leave(): Promise<void> {
    if (this.#work) await this.#end('pause');
    this.#status = NONE;
  }

  /** Before a run is taken away. */
  async leaveRun(name: string): Promise<void> {
    if (this.#work && this.#status.run === name) await this.#end('pause');
  }

  #refuseBusy(): void {
    if (this.#work) throw new UsageError(`training: '${this.#status.run}' is at work; pause or stop it first`);
  }

  async #end(ending: Ending): Promise<TrainingStatus> {
    if (!this.#work) return this.#status;
    this.#ending = ending;
    this.#control.abort(new UsageError('the training was ended'));
    await this.#work;
    return this.#status;
  }

  #set(changes: Partial<TrainingStatus>): void {
    this.#status = { ...this.#status, ...changes };
    this.#session.tell('training', this.#status);
  }

  async #begin(name: string, note: RunNote, isNew: boolean): Promise<TrainingStatus> {
    const session = this.#session;
    const options = note.options ?? fullOptions();
    this.#control = new AbortController();
    this.#ending = 'pause';
    this.#status = {
      ...NONE,
      run: name,
      epochs: isOnBase(options) ? 0 : options.epochs,
      command: this.#command(options),
    };
    this.#set({ phase: 'preparing' });
    let begun: Promise<void> | null = null;
    return new Promise((resolve, reject) => {
      const work = async (): Promise<void> => {
        try {
          const checkpoint = isNew
            ? null
            : await checkpointOf(filesOf(session, name), (message) =>
                session.tell('trouble', { kind: 'storage', message }),
              );
          let last = 0;
          const records = [...(checkpoint?.epochs ?? [])];
          const isDone = await trainProject(session, {
            ...{ options, run: runOf(session, name), signal: this.#control.signal, checkpoint },
            onStart: () => {
              // Only now there is a run: a training that could not begin leaves none.
              this.#set({ phase: 'running', epoch: checkpoint?.state.position.epoch ?? 0 });
              begun = writeNote(session, name, note).then(() => session.change({ run: name }));
              begun.then(() => resolve(this.#status), reject);
            },
            onStep: (progress) => {
              const now = performance.now();
              if (now - last < BETWEEN_STEPS && progress.step < progress.steps) return;
              last = now;
              session.tell('step', progress);
            },
            onEpoch: (record) => {
              records.push(record);
              this.#set({ epoch: record.epoch });
              session.tell('epoch', { record, line: epochLine(record), isBest: bestEpoch(records) === record });
            },
            onTrained: () => this.#set({ phase: 'finishing' }),
          });
          await begun;
          if (isDone) {
            await writeNote(session, name, { ...note, phase: 'finished' });
            this.#set({ phase: 'finished' });
          } else if (this.#ending === 'stop') await this.#finishStopped(name, note);
          else this.#set({ phase: 'paused' });
        } catch (error) {
          await begun?.catch(() => {});
          await this.#failed(name, note, error, begun !== null, reject);
        }
      };

      const working = async (): Promise<void> => {
        await work();
        this.#work = null;
        await this.onProject().catch(() => {});
        resolve(this.#status);
      };
      this.#work = working();
    });
  }

  /** @param hasBegun whether whoever started it has its answer already */
  async #failed(
    name: string,
    note: RunNote,
    error: unknown,
    hasBegun: boolean,
    reject: (error: unknown) => void,
  ): Promise<void> {
    const session = this.#session;
    const wasEnded = this.#control.signal.aborted && error === this.#control.signal.reason;
    if (wasEnded && hasBegun) {
      if (this.#ending === 'stop') await writeNote(session, name, { ...note, phase: 'stopped' }).catch(() => {});
      this.#set({ phase: this.#ending === 'stop' ? 'stopped' : 'paused' });
      return;
    }
    if (wasEnded) {
      await this.enterAfter();
      reject(error);
      return;
    }
    const { message } = shapeOf(error);
    if (error instanceof DeviceLostError) await this.onLost();
    if (hasBegun) {
      // What was kept stays: resume() goes on from the last checkpoint, once the reason is gone.
      await writeNote(session, name, { ...note, phase: 'failed', message }).catch(() => {});
      this.#set({ phase: 'failed', message });
      session.tell('trouble', { kind: 'training', message });
      return;
    }
    await this.enterAfter();
    reject(error);
  }

  /** A training that could not begin changes nothing. */
  async enterAfter(): Promise<void> {
    const { run } = this.#session.project.record;
    this.#status = run === null ? NONE : await this.#standing(run);
    this.#session.tell('training', this.#status);
  }

  async #finishStopped(name: string, note: RunNote): Promise<void> {
    const session = this.#session;
    const run = runOf(session, name);
    this.#set({ phase: 'finishing' });
    if ((await run.read('best')) && note.options) await judgeStopped(session, { options: note.options, run });
    await writeNote(session, name, { ...note, phase: 'stopped' });
    this.#set(await this.#standing(name));
  }
}
