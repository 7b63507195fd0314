/** A line at work: cameras, models, alarms, record and outputs, put together from its configuration. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Verdict } from '../classifier/verdict.js';
import { endingOf } from '../data/pictures/format.js';
import { PictureThreads } from '../data/pictures/picture-threads.node.js';
import type { Picture } from '../data/pictures/picture.js';
import { BeltnetError, UsageError } from '../errors.js';
import { expectBytes, expectFunction, expectObject, expectText } from '../expect.js';
import type { Device } from '../tensor/device.js';
import { openDevice } from '../tensor/open-device.node.js';
import { Camera } from './camera.js';
import { Challenge } from './challenge.node.js';
import { checkLineConfig, withoutSecrets, type CameraConfig, type LineConfig } from './config.js';
import { Dispatcher } from './dispatcher.js';
import type { AlarmEvent, LineEvent, NewEvent } from './events.js';
import { SetAside } from './set-aside.node.js';
import { Models } from './models.node.js';
import { movedWatch } from './moved-reference.node.js';
import { openSource } from './open-source.node.js';
import type { Line, LineOptions, LiveModel, ReplaceModelOptions, Submitted } from './output.js';
import { readLineConfig } from './read-config.node.js';
import { frameKey, LineRecord } from './record.node.js';
import { Shifts } from './shifts.node.js';
import type { Frame, Seen } from './source.js';
import { initialState, nextState, type LineState } from './state.js';

const MILLISECONDS_BETWEEN_TICKS = 100;
/** The clock of the day and the one that nobody sets may drift apart by so much between two looks. */
const CLOCK_JUMP_MILLISECONDS = 1000;
/** What hangs has so long to end. */
const CLOSE_MILLISECONDS = 5000;
/** Of pictures that are kept of streams. */
const JPEG_QUALITY = 92;
/** A camera's own pictures may be larger than those of strangers, and take longer; they disturb nobody else. */
const CAMERA_PICTURES = {
  limits: { maximumPixels: 64_000_000, maximumMemory: 2 ** 30 },
  mostTime: 30_000,
  mostWaiting: 1000,
};

/**
 * Starts a line.
 *
 * @param given the path of its configuration (line.json), or what would stand there; paths in a file are relative to it
 * @throws UsageError for a configuration that cannot be used; ModelFileError, NoDeviceError; DiskError for a record that cannot be written
 * @example
 * const line = await startLine('line.json');
 * line.onEvent((event) => event.kind === 'alarm' && console.log(event.camera, event.state, event.reason));
 */
export async function startLine(given: string | object, options: LineOptions = {}): Promise<Line> {
  if (typeof given !== 'string') expectObject(given, 'startLine: config');
  expectObject(options, 'startLine: options');
  const read = async (): Promise<LineConfig> =>
    typeof given === 'string' ? readLineConfig(given) : checkLineConfig(given, 'the configuration', process.env);
  const config = await read();
  const line = new WatchedLine(config, options, typeof given === 'string' ? read : null);
  await line.start();
  return line;
}

class WatchedLine implements Line {
  #config: LineConfig;
  readonly #options: LineOptions;
  readonly #read: (() => Promise<LineConfig>) | null;
  readonly #now: () => number;
  readonly #today: () => Date;
  /** Of this start: ids are its name and a number. */
  readonly #instance = randomBytes(4).toString('hex');
  #events = 0;
  readonly #startedAt: number;
  #clockDifference: number;
  #state: LineState;
  #device: Device | null = null;
  #models: Models | null = null;
  /** For pictures of strangers, which may be anything: the cameras' frames wait for none of them. */
  readonly #pictures = new PictureThreads();
  /** A thread for each camera, by its name: its pictures wait for those of no other. */
  readonly #threads = new Map<string, PictureThreads>();
  #record: LineRecord | null = null;
  #dispatcher: Dispatcher | null = null;
  #setAside: SetAside | null = null;
  #shifts: Shifts | null = null;
  readonly #challenges = new Map<string, Challenge>();
  readonly #cameras = new Map<string, Camera>();
  readonly #standing: Record<string, AlarmEvent> = {};
  #keeping: Promise<void> = Promise.resolve();
  readonly #listeners = new Set<(event: LineEvent, state: LineState) => void>();
  readonly #timers: NodeJS.Timeout[] = [];
  #closing: Promise<void> | null = null;
  #end: () => void = () => {};
  readonly ended = new Promise<void>((settle) => (this.#end = settle));
  #fail: (error: BeltnetError) => void = () => {};
  readonly failed = new Promise<BeltnetError>((settle) => (this.#fail = settle));

  constructor(config: LineConfig, options: LineOptions, read: (() => Promise<LineConfig>) | null) {
    this.#config = config;
    this.#options = options;
    this.#read = read;
    const { clock, onEvent } = options;
    if (onEvent) this.onEvent(onEvent);
    this.#now = clock?.now ?? (() => performance.now());
    this.#today = clock?.today ?? (() => new Date());
    this.#startedAt = this.#now();
    this.#clockDifference = this.#today().getTime() - this.#startedAt;
    this.#state = this.#initialState();
  }

  async start(): Promise<void> {
    const { record, models, device, shadow } = this.#config;
    try {
      this.#device = await openDevice(device);
      this.#models = await Models.load(models, this.#device);
      if (record) this.#openRecord(record);
      const warn = (detail: string): void => this.#note('record', 'warning', detail);
      this.#shifts = new Shifts(this.#config.shifts, record ? record.folder : null, this.#today(), warn);
      if (record && record.queue.megabytes > 0)
        this.#setAside = new SetAside(join(record.folder, 'queue'), record.queue, warn);
      this.#dispatcher = new Dispatcher(shadow ? [] : (this.#options.outputs ?? []), (output, isFailing, detail) =>
        this.#tell({ kind: 'fault', fault: 'output', active: isFailing, detail: `${output}: ${detail}` }),
      );
      const torn = this.#record?.torn ?? null;
      this.#note('line', 'info', `started${shadow ? ' in shadow: outputs are told nothing' : ''}`);
      if (torn !== null) this.#note('record', 'warning', `the last line was torn and is taken away: ${torn}`);
      for (const camera of this.#config.cameras) await this.#startCamera(camera);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#timers.push(
      setInterval(() => this.#tick(), MILLISECONDS_BETWEEN_TICKS),
      setInterval(() => this.#beat(), this.#config.heartbeatSeconds * 1000),
    );
    this.#beat();
    void Promise.all([...this.#cameras.values()].map((camera) => camera.ended)).then(this.#end);
  }

  #openRecord({ folder, pictureMegabytes }: NonNullable<LineConfig['record']>): void {
    this.#record = LineRecord.open({
      folder,
      pictureMegabytes,
      now: this.#today,
      onWarning: (detail) => this.#note('record', 'warning', detail),
      onFull: (isFull, detail) => this.#tell({ kind: 'fault', fault: 'record', active: isFull, detail }),
    });
    Object.assign(this.#standing, this.#record.standing());
  }

  async #startCamera(config: CameraConfig): Promise<void> {
    const { name, suspects } = config;
    const threads = new PictureThreads(CAMERA_PICTURES);
    this.#threads.set(name, threads);
    const camera = new Camera({
      config,
      withFile: async (frame, isAlert) =>
        frame.bytes === null && this.#isKept(isAlert)
          ? { ...frame, bytes: await threads.encode(frame.picture, frame.name, JPEG_QUALITY) }
          : frame,
      setAside: (frame, region, verdict) =>
        this.#setAside?.offer(
          { camera: name, frame, region, verdict, now: this.#now() },
          this.#loaded().classifier(region.model).info.alert,
          (picture) => threads.encode(picture, frame.name, JPEG_QUALITY),
        ),
      classifierOf: (model) => this.#loaded().classifier(model),
      tell: (event, frame) => this.#tell(event, frame),
      now: this.#now,
      newId: () => `${this.#instance}-alarm-${this.#events}`,
      moved: suspects.reference === undefined ? null : await movedWatch(suspects.reference, suspects.movedPart),
      onFatal: (error) => {
        if (error instanceof BeltnetError) this.#fail(error);
      },
    });
    const record = this.#record;
    const look = (given: Uint8Array | Picture, file: string): Promise<Seen> => this.#look(given, file, config, threads);
    const source = await openSource(config.source, {
      name,
      look,
      now: this.#now,
      fault: (fault, active, detail) => camera.fault(fault, active, this.#clean(detail)),
      dropped: (count) => camera.dropped(count),
      note: (detail) => this.#note('camera', 'warning', `${name}: ${this.#clean(detail)}`),
      isJudged: (file, takenAt) => record?.judged.has(frameKey({ camera: name, source: file, takenAt })) ?? false,
      lastTaken: record?.lastTaken.get(name) ?? null,
    });
    this.#cameras.set(name, camera);
    const challenge = config.challenge && new Challenge(config.challenge, camera, this.#now(), look);
    const ofCamera = Object.values(this.#standing).filter((event) => event.camera === name);
    camera.restore(Object.fromEntries(ofCamera.map((event) => [event.region, event])));
    camera.start(source);
    if (challenge) this.#challenges.set(name, challenge);
  }

  async #look(
    given: Uint8Array | Picture,
    name: string,
    { regions }: CameraConfig,
    threads: PictureThreads,
  ): Promise<Seen> {
    const cuts = regions.map(({ box, model }) => {
      const { picture: preparation } = this.#loaded().classifier(model).preparation;
      return { box, preparation };
    });
    // Pictures are turned as their EXIF orientation says if the models were trained so.
    const exif = cuts.some(({ preparation }) => preparation.exif ?? false);
    const seen = await threads.look(given, name, { exif, cuts });
    return {
      picture: seen.picture,
      cuts: seen.cuts.map((data, n) => ({ data, preparation: cuts[n].preparation })),
    };
  }

  #loaded(): Models {
    if (this.#models) return this.#models;
    throw new UsageError('line: expects an open line, got one that was closed');
  }

  /** Everything that happens goes through here, in one order: record, state, listeners, outputs. */
  #tell(given: NewEvent, frame?: Frame): LineEvent {
    const event = {
      id: `${this.#instance}-${++this.#events}`,
      at: this.#today().toISOString(),
      ...given,
    } as LineEvent;
    this.#record?.append(event, this.#pictureOf(event, frame));
    this.#state = nextState(this.#state, event);
    if (event.kind === 'alarm') this.#keep(event);
    for (const listener of this.#listeners) {
      try {
        listener(event, this.#state);
      } catch (error) {
        this.#listeners.delete(listener);
        this.#note('output', 'warning', `a listener failed and is not called again: ${String(error)}`);
      }
    }
    this.#dispatcher?.tell(event, this.#state);
    return event;
  }

  #note(
    about: 'line' | 'configuration' | 'model' | 'record' | 'clock' | 'output' | 'camera' | 'drift',
    level: 'info' | 'warning',
    detail: string,
  ): void {
    this.#tell({ kind: 'note', about, level, detail: this.#clean(detail) });
  }

  #clean(detail: string): string {
    return withoutSecrets(detail, this.#config.secrets);
  }

  /** Whether the record keeps the picture of a verdict. */
  #isKept(isAlert: boolean): boolean {
    const wanted = this.#config.record?.pictures ?? 'none';
    return wanted === 'all' || (wanted === 'alerts' && isAlert);
  }

  #pictureOf(event: LineEvent, frame: Frame | undefined): { bytes: Uint8Array; ending: string } | null {
    if (event.kind !== 'verdict' || !frame?.bytes || !this.#isKept(event.alert)) return null;
    return { bytes: frame.bytes, ending: endingOf(frame.bytes) };
  }

  /** Alarms that stand outlive the line. */
  #keep(event: AlarmEvent): void {
    const key = `${event.camera}/${event.region}`;
    if (event.state === 'clear') delete this.#standing[key];
    else this.#standing[key] = event;
    const all = { ...this.#standing };
    this.#keeping = this.#keeping.then(() => this.#record?.keepStanding(all));
  }

  #tick(): void {
    for (const camera of this.#cameras.values()) camera.tick();
    for (const challenge of this.#challenges.values()) challenge.tick(this.#now());
    const difference = this.#today().getTime() - this.#now();
    const jump = difference - this.#clockDifference;
    this.#clockDifference = difference;
    if (Math.abs(jump) > CLOCK_JUMP_MILLISECONDS)
      this.#note(
        'clock',
        'warning',
        `the clock was set ${jump < 0 ? 'back' : 'forward'} by ${(Math.abs(jump) / 1000).toFixed(0)} s; alarms go by another`,
      );
  }

  #beat(): void {
    for (const [shift, drifts] of this.#shifts?.tick(this.#today(), this.#cameras.values()) ?? []) {
      this.#tell(shift);
      if (drifts !== null) this.#note('drift', 'warning', drifts);
    }
    const uptimeSeconds = Math.round((this.#now() - this.#startedAt) / 1000);
    this.#tell({ kind: 'heartbeat', head: this.#record?.head ?? null, uptimeSeconds });
  }

  state(): LineState {
    return this.#state;
  }

  onEvent(listener: (event: LineEvent, state: LineState) => void): () => void {
    expectFunction(listener, 'onEvent: listener');
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  isReady(): boolean {
    const regions = Object.values(this.#state.cameras).flatMap((camera) => Object.values(camera.regions));
    return (
      !this.#closing &&
      regions.every(({ lastVerdict, faults }) => lastVerdict && faults.every(({ fault }) => fault !== 'no-verdict'))
    );
  }

  acknowledge(camera: string, region: string, who: string): void {
    expectText(who, 'acknowledge: who');
    this.#camera(camera).acknowledge(region, who.slice(0, 200));
  }

  async submit(camera: string, bytes: Uint8Array, name = 'submitted'): Promise<Submitted> {
    expectBytes(bytes, 'submit: bytes');
    expectText(name, 'submit: name');
    const to = this.#camera(camera);
    const arrivedAt = this.#now();
    const takenAt = this.#today().toISOString();
    const seen = await this.#look(bytes, name, to.config, this.#pictures);
    return to.judge({ name, ...seen, bytes, takenAt, arrivedAt, lateMilliseconds: 0 });
  }

  lastPicture(camera: string, region: string): Picture | null {
    return this.#camera(camera).lastPicture(region);
  }

  #camera(name: string): Camera {
    const camera = this.#cameras.get(name);
    if (camera) return camera;
    throw new UsageError(`camera: expects one of ${[...this.#cameras.keys()].join(', ')}, got ${name}`);
  }

  models(): readonly LiveModel[] {
    return this.#loaded().list();
  }

  async classify(model: string, bytes: Uint8Array, name = 'picture'): Promise<Verdict> {
    expectBytes(bytes, 'classify: bytes');
    expectText(name, 'classify: name');
    const { preparation } = this.#loaded().classifier(model);
    const picture = await this.#pictures.prepare(bytes, name, preparation.picture);
    return this.#loaded().classifier(model).classifyPrepared(picture, name);
  }

  async replaceModel(name: string, path: string, { trial = true }: ReplaceModelOptions = {}): Promise<LiveModel> {
    return this.#replaceModel(name, path, trial ? this.#config.testSets[name] : undefined);
  }

  async #replaceModel(name: string, path: string, testSet: string | undefined): Promise<LiveModel> {
    try {
      const { tried, ...model } = await this.#loaded().replace(name, path, testSet ?? null);
      this.#note('model', 'info', `${name} is ${path} now (${model.digest})${tried === '' ? '' : `; ${tried}`}`);
      return model;
    } catch (error) {
      this.#note('model', 'warning', `${name} stays as it is: ${(error as Error).message}`);
      throw error;
    }
  }

  async reload(): Promise<void> {
    if (!this.#read) throw new UsageError('reload: expects a line from a configuration file, got one from an object');
    let config: LineConfig;
    try {
      config = await this.#read();
      refuseChanges(this.#config, config);
      for (const [name, path] of Object.entries(config.models))
        if (await this.#loaded().isChanged(name, path)) await this.#replaceModel(name, path, config.testSets[name]);
    } catch (error) {
      this.#note('configuration', 'warning', `stays as it is: ${(error as Error).message}`);
      throw error;
    }
    const before = this.#config;
    this.#config = config;
    const same = (camera: CameraConfig): boolean => {
      const old = before.cameras.find(({ name }) => name === camera.name);
      return old !== undefined && JSON.stringify(old) === JSON.stringify(camera);
    };
    const changed = config.cameras.filter((camera) => !same(camera));
    for (const [name, camera] of this.#cameras) {
      if (config.cameras.some((one) => one.name === name && same(one))) continue;
      this.#cameras.delete(name);
      await this.#closeCamera(name, camera);
    }
    const entries = Object.entries(this.#initialState().cameras);
    const cameras = entries.map(([name, fresh]) => [name, this.#cameras.has(name) ? this.#state.cameras[name] : fresh]);
    this.#state = { ...this.#state, cameras: Object.fromEntries(cameras) as LineState['cameras'] };
    for (const camera of changed) await this.#startCamera(camera);
    this.#note(
      'configuration',
      'info',
      `read again; cameras that changed: ${changed.map(({ name }) => name).join(', ') || 'none'}`,
    );
  }

  #initialState(): LineState {
    const { cameras, shadow } = this.#config;
    const names = cameras.map(({ name, regions }) => [name, regions.map((region) => region.name)]);
    return initialState(Object.fromEntries(names) as Record<string, string[]>, {
      at: this.#today().toISOString(),
      shadow,
    });
  }

  async #closeCamera(name: string, camera: Camera): Promise<void> {
    this.#challenges.delete(name);
    await bounded(camera.close(), CLOSE_MILLISECONDS);
    await this.#threads.get(name)?.close();
    this.#threads.delete(name);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([...this.#cameras].map(([name, camera]) => this.#closeCamera(name, camera)));
    this.#note('line', 'info', 'stopped');
    await this.#dispatcher?.close(CLOSE_MILLISECONDS);
    await bounded(this.#keeping, CLOSE_MILLISECONDS);
    await this.#setAside?.close();
    await this.#record?.close();
    await this.#pictures.close();
    await this.#models?.close();
    this.#device?.destroy();
  }
}

/** What only a new start can change. */
function refuseChanges(before: LineConfig, after: LineConfig): void {
  for (const setting of ['record', 'device', 'shadow', 'heartbeatSeconds', 'shifts', 'outputs', 'serve'] as const) {
    if (JSON.stringify(before[setting]) !== JSON.stringify(after[setting]))
      throw new UsageError(
        `${setting}: expects what it was at the start, got another; stop the line and start it again`,
      );
  }
}

async function bounded(work: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((settle) => (timer = setTimeout(settle, milliseconds)));
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
}
