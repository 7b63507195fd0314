/**
 * One camera of a line: takes its frames, asks first whether the camera can be trusted and then the models of its regions, and says
 * what follows as events. Nothing that happens here touches another camera.
 */
import { settled, type Classifier } from '../classifier/classifier.js';
import { faultLimitsOf, type PictureFault } from '../classifier/picture-faults.js';
import type { Classification, Verdict } from '../classifier/verdict.js';
import { partOf, prepareNamed } from '../data/pictures/resize.js';
import type { Picture } from '../data/pictures/picture.js';
import { DataError, NotANumberError, UsageError } from '../errors.js';
import { RegionAlarm, type AlarmChange } from './alarm.js';
import type { CameraConfig, RegionConfig } from './config.js';
import type { AlarmEvent, FaultName, LineEvent, NewEvent, VerdictEvent } from './events.js';
import { ShiftWatch, type EndedShift } from './drift.js';
import { FaultBoard } from './fault-board.js';
import type { Submitted } from './output.js';
import type { Frame, Seen, Source } from './source.js';
import { FrozenWatch, type MovedWatch } from './suspects.js';

export interface CameraContext {
  readonly config: CameraConfig;
  /** What judges now, by the model's name. */
  classifierOf(this: void, model: string): Classifier;
  /** @returns the event as everybody is told it */
  tell(this: void, event: NewEvent, frame?: Frame): LineEvent;
  /** The frame with the bytes of a picture file, where one must be kept of it. */
  withFile(this: void, frame: Frame, isAlert: boolean): Promise<Frame>;
  /** A frame of which the model is not sure, or that is unlike its training. */
  setAside(this: void, frame: Frame, region: RegionConfig, verdict: Verdict): void;
  now(this: void): number;
  newId(this: void): string;
  /** Null without a reference. */
  readonly moved: MovedWatch | null;
  /** Told of what no camera can do anything about: the device is lost. */
  onFatal(this: void, error: unknown): void;
}

type NewVerdict = Extract<NewEvent, { kind: 'verdict' }>;

interface Region {
  readonly config: RegionConfig;
  readonly alarm: RegionAlarm;
  /** By the clock that nobody sets: when the last frame was that has a verdict and was not late. */
  freshAt: number;
  readonly shift: ShiftWatch;
  /** Of this shift. */
  verdicts: number;
  alerts: number;
}

/** What the models call a fault, and the line. */
const FAULT_OF: Readonly<Record<PictureFault, FaultName>> = {
  black: 'dark',
  dark: 'dark',
  overexposed: 'overexposed',
  blurred: 'blurred',
  covered: 'covered',
};

const DETAIL: Readonly<Record<PictureFault, string>> = {
  black: 'the picture is black: look after power, cable and lens cap',
  dark: 'darker than all of the training: look after the light',
  overexposed: 'brighter than all of the training: look after light and exposure',
  blurred: 'less sharp than all of the training: clean and focus the lens',
  covered: 'parts of the picture show nothing: clean the lens, look what stands before it',
};

export class Camera {
  readonly config: CameraConfig;
  readonly #context: CameraContext;
  readonly #regions: readonly Region[];
  readonly #frozen: FrozenWatch;
  readonly #faults: FaultBoard;
  #sequence = 0;
  #lastPicture: Picture | null = null;
  #source: Source | null = null;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;
  #endIdle: () => void = () => {};

  constructor(context: CameraContext) {
    this.#context = context;
    const { config, now, newId } = context;
    this.config = config;
    this.#frozen = new FrozenWatch(config.suspects.frozenSeconds);
    this.#regions = config.regions.map((region) => ({
      config: region,
      alarm: new RegionAlarm(region.alarm, newId),
      freshAt: now(),
      shift: new ShiftWatch(),
      verdicts: 0,
      alerts: 0,
    }));
    this.#faults = new FaultBoard((region, fault, active, detail) =>
      context.tell({
        kind: 'fault',
        camera: config.name,
        ...(region !== undefined && { region }),
        fault,
        active,
        detail,
      }),
    );
  }

  /** Begins to take frames. Where no source is, frames are handed in alone. */
  start(source: Source | null): void {
    this.#source = source;
    this.#running = source ? this.#take(source) : new Promise((settle) => (this.#endIdle = settle));
  }

  /** @param alarms that stood when the line ended, by region */
  restore(alarms: Readonly<Record<string, AlarmEvent>>): void {
    for (const { config, alarm } of this.#regions) {
      const stood = alarms[config.name];
      if (stood && stood.state !== 'clear')
        this.#change(config.name, alarm.restore(stood.alarmId, stood.state === 'acknowledged', this.#context.now()));
    }
  }

  async #take(source: Source): Promise<void> {
    while (!this.#isClosed) {
      try {
        const frames = await source.next();
        if (frames.length === 0) return;
        await Promise.all(frames.map((frame) => this.judge(frame)));
        for (const frame of frames) await frame.done?.();
      } catch (error) {
        this.fault('camera-lost', true, error instanceof Error ? error.message : String(error));
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  /** Frames that were never looked at. */
  dropped(count: number): void {
    this.#sequence += count;
    this.#context.tell({ kind: 'dropped', camera: this.config.name, count });
  }

  /** A fault of the whole camera begins or ends. */
  fault(fault: FaultName, active: boolean, detail: string): void {
    this.#faults.set(undefined, fault, active ? detail : null);
  }

  /** Frames have their verdicts in the order in which this is called. */
  async judge(frame: Frame): Promise<Submitted> {
    const sequence = ++this.#sequence;
    const camera = this.config.name;
    const { now } = this.#context;
    this.#lastPicture = frame.picture;
    this.fault('camera-lost', false, 'frames come again');
    this.fault('unreadable', false, 'frames can be read again');
    const isLate = frame.lateMilliseconds > this.config.suspects.staleSeconds * 1000;
    this.#faults.set(
      undefined,
      'stale',
      isLate ? `frames are ${seconds(frame.lateMilliseconds)} old when they come` : null,
    );
    const suspicion = this.#suspect(frame);
    if (suspicion) {
      const faults = this.#regions.map(({ config }) => ({ region: config.name, ...suspicion }));
      return { camera, sequence, verdicts: [], faults };
    }
    const results = await Promise.all(this.#regions.map((region, n) => this.#classify(region, n, frame)));
    const given = this.#regions.map((region, n) => this.#verdictOf(region.config, results[n], frame, sequence));
    const kept = await this.#context.withFile(
      frame,
      given.some((one) => one?.alert),
    );
    const verdicts: VerdictEvent[] = [];
    const faults: { region: string; fault: FaultName; detail: string }[] = [];
    for (const [n, region] of this.#regions.entries()) {
      const result = results[n];
      const wrong = this.#faultsOf(result);
      for (const [fault, detail] of wrong) faults.push({ region: region.config.name, fault, detail });
      this.#faults.see(region.config.name, wrong);
      const own = given[n];
      if (!('error' in result)) this.#notice(region, n, frame, result, [...wrong.keys()]);
      if (wrong.size > 0 || own === null) continue;
      const verdict = this.#context.tell(own, kept) as VerdictEvent;
      verdicts.push(verdict);
      region.verdicts++;
      region.alerts += Number(verdict.alert);
      // A late verdict is a record; that all is well now it does not say.
      const isFresh = !isLate;
      if (isFresh) {
        region.freshAt = now();
        this.#faults.set(region.config.name, 'no-verdict', null, 'verdicts come again');
        this.#change(region.config.name, region.alarm.blind(false, 0, now()));
      }
      const { className } = this.#context.classifierOf(region.config.model).info.alert;
      if (isFresh || verdict.alert)
        this.#change(region.config.name, region.alarm.verdict(verdict.alert, className, now()));
    }
    return { camera, sequence, verdicts, faults };
  }

  /** What is wrong with the camera as a whole. */
  #suspect(frame: Frame): { fault: FaultName; detail: string } | null {
    const now = this.#context.now();
    const frozen = this.#frozen.look(frame.picture, now);
    const moved = this.#context.moved?.look(frame.picture, now) ?? null;
    this.#faults.set(undefined, 'frozen', frozen);
    this.#faults.set(undefined, 'moved', moved);
    if (frozen !== null) return { fault: 'frozen', detail: frozen };
    return moved === null ? null : { fault: 'moved', detail: moved };
  }

  async #classify({ config: { model, box } }: Region, index: number, frame: Frame): Promise<Classification> {
    for (;;) {
      const classifier = this.#context.classifierOf(model);
      const { picture: preparation } = classifier.preparation;
      const { preparation: of, data } = frame.cuts[index];
      if (data instanceof DataError) return { error: data };
      try {
        return await settled(
          classifier.classifyPrepared(
            // Another model may judge since the frame was looked at.
            of === preparation
              ? data
              : prepareNamed(box ? partOf(frame.picture, box) : frame.picture, frame.name, preparation).data,
            frame.name,
          ),
        );
      } catch (error) {
        if (classifier !== this.#context.classifierOf(model)) continue; // another took its place meanwhile
        this.#context.onFatal(error);
        throw error;
      }
    }
  }

  #faultsOf(result: Classification): Map<FaultName, string> {
    const { quality, unlike } = this.config.suspects;
    const wrong = new Map<FaultName, string>();
    if ('error' in result) {
      const { error } = result;
      if (error instanceof NotANumberError) wrong.set('not-a-number', error.message);
      else if (error instanceof DataError) wrong.set('unreadable', error.message);
      else wrong.set('model', error.message);
      return wrong;
    }
    if (quality) for (const fault of result.faults ?? []) wrong.set(FAULT_OF[fault], DETAIL[fault]);
    if (unlike && result.unknown)
      wrong.set('unlike', `unlike what the model was trained on (${result.unlike?.toFixed(2)}, the limit is 1)`);
    return wrong;
  }

  /** Null where there is none. */
  #verdictOf(
    { name, model, alarm }: RegionConfig,
    verdict: Classification,
    frame: Frame,
    sequence: number,
  ): NewVerdict | null {
    if ('error' in verdict) return null;
    const { alert } = this.#context.classifierOf(model).info;
    const { class: given, probability, probabilities, unlike } = verdict;
    return {
      kind: 'verdict',
      camera: this.config.name,
      region: name,
      sequence,
      source: frame.name,
      takenAt: frame.takenAt,
      ageMilliseconds: Math.round(10 * (this.#context.now() - frame.arrivedAt + frame.lateMilliseconds)) / 10,
      class: given,
      probability,
      probabilities,
      alert: alarm.threshold === undefined ? verdict.alert : probabilities[alert.className] >= alarm.threshold,
      ...(unlike !== undefined && { unlike }),
      model,
    };
  }

  /** For the shift's figures, and to be labelled. */
  #notice({ config, shift }: Region, index: number, frame: Frame, verdict: Verdict, wrong: readonly FaultName[]): void {
    const { data, preparation } = frame.cuts[index];
    const { width, height } = preparation.size;
    if (data instanceof Uint8Array) shift.look(data, width, height, this.#context.now());
    // Of a camera that is dark there is nothing to be learned.
    if (wrong.every((fault) => fault === 'unlike')) this.#context.setAside(frame, config, verdict);
  }

  /** The shift ends: what each region showed. */
  endShift(): EndedShift[] {
    return this.#regions.map((region) => {
      const { config, shift, verdicts, alerts } = region;
      [region.verdicts, region.alerts] = [0, 0];
      const { info, name } = this.#context.classifierOf(config.model);
      const usual = faultLimitsOf(info, name)?.usual ?? null;
      return { camera: this.config.name, region: config.name, verdicts, alerts, figures: shift.take(), usual };
    });
  }

  /** Shows the models a picture that must raise the alert. It is no frame: nothing but the models has to do with it. */
  async challenge(seen: Seen, name: string): Promise<void> {
    const { region: wanted, alarm: raisesAlarm = false } = this.config.challenge ?? {};
    const now = this.#context.now();
    const frame = { name, ...seen, bytes: null, takenAt: '', arrivedAt: now, lateMilliseconds: 0 };
    const results = await Promise.all(
      this.#regions.map(async (region, n) => {
        const result = await this.#classify(region, n, frame);
        const wrong = [...this.#faultsOf(result).keys()];
        const verdict = this.#verdictOf(region.config, result, frame, 0);
        const said =
          wrong.length > 0 || !verdict ? wrong.join(', ') : `${verdict.class} ${verdict.probability.toFixed(3)}`;
        const isCaught = wrong.length === 0 && verdict?.alert === true;
        return { region, said, isCaught: isCaught && (wanted ?? region.config.name) === region.config.name };
      }),
    );
    const caught = results.filter(({ isCaught }) => isCaught);
    const isCaught = caught.length > 0;
    const detail = results.map(({ region, said }) => `${region.config.name}: ${said}`).join('; ');
    this.#context.tell({ kind: 'challenge', camera: this.config.name, piece: name, isCaught, detail });
    const missed = `${name} must raise the alert, and does not (${detail}): believe no "ok" since the last challenge that was noticed`;
    this.#faults.set(undefined, 'challenge', isCaught ? null : missed, `${name} was noticed`);
    if (!raisesAlarm) return;
    for (const { region } of caught)
      this.#change(region.config.name, region.alarm.raise(`challenge: ${name}`, this.#context.now()));
  }

  /** What time alone brings: no verdict for too long, an alarm that stood for its time. */
  tick(): void {
    const now = this.#context.now();
    const { noVerdictSeconds } = this.config;
    for (const { config, alarm, freshAt } of this.#regions) {
      if (now - freshAt > noVerdictSeconds * 1000) {
        this.#faults.set(config.name, 'no-verdict', `no verdict for ${noVerdictSeconds} s`);
        this.#change(config.name, alarm.blind(true, noVerdictSeconds, now));
      }
      this.#change(config.name, alarm.tick(now));
    }
  }

  /** @throws UsageError for a region that is not there */
  acknowledge(region: string, who: string): void {
    this.#change(region, this.#of(region).alarm.acknowledge(who, this.#context.now()));
  }

  lastPicture(region: string): Picture | null {
    const { box } = this.#of(region).config;
    return this.#lastPicture && box ? partOf(this.#lastPicture, box) : this.#lastPicture;
  }

  #of(name: string): Region {
    const region = this.#regions.find(({ config }) => config.name === name);
    if (region) return region;
    const known = this.#regions.map(({ config }) => config.name).join(', ');
    throw new UsageError(`region: camera ${this.config.name} expects one of ${known}, got ${name}`);
  }

  #change(region: string, change: AlarmChange | null): void {
    if (change) this.#context.tell({ kind: 'alarm', camera: this.config.name, region, ...change });
  }

  /** Settles when its source has ended, or was closed. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** Lets the frames at hand have their verdicts. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#endIdle();
    await this.#source?.close();
    await this.#running;
  }
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
