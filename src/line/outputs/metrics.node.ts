/** A line for Prometheus: what it counted since its start, and what holds now. */
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LineEvent } from '../events.js';
import type { Line } from '../output.js';
import { lamps } from '../state.js';
import { library } from './library.node.js';
import type { WatchedOutput } from './watched-output.js';

/** Seconds from the frame to its verdict. */
const BUCKETS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10];

type Labels = 'camera' | 'region' | 'class' | 'fault' | 'state' | 'output' | 'lamp' | 'model' | 'digest' | 'caught';

export class LineMetrics {
  readonly #line: Line;
  readonly #outputs: readonly WatchedOutput[];
  readonly #registry: Registry;
  readonly #stop: () => void;
  readonly #verdicts: Counter<Labels>;
  readonly #alerts: Counter<Labels>;
  readonly #alarms: Counter<Labels>;
  readonly #faults: Counter<Labels>;
  readonly #dropped: Counter<Labels>;
  readonly #seconds: Histogram<Labels>;
  readonly #lamp: Gauge<Labels>;
  readonly #challenges: Counter<Labels>;
  readonly #drift: Gauge<Labels>;
  readonly #now: Readonly<
    Record<
      'age' | 'ready' | 'uptime' | 'heartbeat' | 'there' | 'waiting' | 'lost' | 'failures' | 'model' | 'entries',
      Gauge<Labels>
    >
  >;
  /** When verdicts and heartbeats came, by a clock that nobody sets, ms. */
  readonly #verdictAt = new Map<string, { readonly camera: string; readonly region: string; readonly at: number }>();
  #heardAt = performance.now();

  private constructor(line: Line, outputs: readonly WatchedOutput[], prometheus: typeof import('prom-client')) {
    const { Counter: NewCounter, Gauge: NewGauge, Histogram: NewHistogram, Registry: NewRegistry } = prometheus;
    this.#line = line;
    this.#outputs = outputs;
    const registry = new NewRegistry();
    this.#registry = registry;
    const registers = [registry];
    const counter = (name: string, help: string, labelNames: Labels[]): Counter<Labels> =>
      new NewCounter({ name: `beltnet_${name}`, help, labelNames, registers });
    const gauge = (name: string, help: string, labelNames: Labels[] = []): Gauge<Labels> =>
      new NewGauge({ name: `beltnet_${name}`, help, labelNames, registers });
    const place: Labels[] = ['camera', 'region'];
    this.#verdicts = counter('verdicts_total', 'Verdicts by class.', [...place, 'class']);
    this.#alerts = counter('alerts_total', 'Verdicts that were alerts: frames, not yet alarms.', place);
    this.#alarms = counter('alarm_changes_total', 'Alarms that were raised, acknowledged, held or cleared.', [
      ...place,
      'state',
    ]);
    this.#faults = counter('faults_total', 'Faults that began; those of the line have no camera.', ['camera', 'fault']);
    this.#dropped = counter('dropped_frames_total', 'Frames that were never looked at, since newer ones were there.', [
      'camera',
    ]);
    this.#seconds = new NewHistogram({
      name: 'beltnet_verdict_seconds',
      help: 'From the frame to its verdict.',
      labelNames: ['camera'],
      buckets: BUCKETS,
      registers,
    });
    this.#lamp = gauge('lamp', '1 for the lamp that is lit.', [...place, 'lamp']);
    this.#challenges = counter('challenges_total', 'Pictures that must raise the alert, and whether they did.', [
      'camera',
      'caught',
    ]);
    this.#drift = gauge('drift', 'How far the last shift lies from the training, 1 at the limit.', place);
    this.#now = {
      age: gauge('last_verdict_age_seconds', 'Since the last verdict.', place),
      ready: gauge('ready', '1 when every region has a verdict that is not too old.'),
      uptime: gauge('uptime_seconds', 'Since the line began.'),
      heartbeat: gauge('heartbeat_age_seconds', 'Since the last heartbeat of the line.'),
      there: gauge('output_up', '1 when the other end answers.', ['output']),
      waiting: gauge('output_waiting_events', 'Events that are still to be delivered.', ['output']),
      lost: gauge('output_lost_events', 'Events that were too old, too many or refused.', ['output']),
      failures: gauge('output_failures', 'Attempts that failed.', ['output']),
      model: gauge('model_info', 'Models that judge.', ['model', 'digest']),
      entries: gauge('record_entries', 'Entries of the record, as of the last heartbeat.'),
    };
    this.#stop = line.onEvent((event) => this.#count(event));
  }

  /** @throws UsageError where prom-client is not installed */
  static async open(line: Line, outputs: readonly WatchedOutput[]): Promise<LineMetrics> {
    const { default: prometheus } = await library('prom-client', () => import('prom-client'));
    return new LineMetrics(line, outputs, prometheus);
  }

  #count(event: LineEvent): void {
    if (event.kind === 'heartbeat') this.#heardAt = performance.now();
    if (event.kind === 'dropped') this.#dropped.inc({ camera: event.camera }, event.count);
    if (event.kind === 'fault' && event.active) this.#faults.inc({ camera: event.camera ?? '', fault: event.fault });
    if (event.kind === 'alarm') this.#alarms.inc({ camera: event.camera, region: event.region, state: event.state });
    if (event.kind === 'challenge') this.#challenges.inc({ camera: event.camera, caught: String(event.isCaught) });
    if (event.kind === 'shift' && event.drift)
      this.#drift.set({ camera: event.camera, region: event.region }, event.drift.value);
    if (event.kind !== 'verdict') return;
    const { camera, region, class: name, alert, ageMilliseconds } = event;
    this.#verdicts.inc({ camera, region, class: name });
    if (alert) this.#alerts.inc({ camera, region });
    this.#seconds.observe({ camera }, ageMilliseconds / 1000);
    this.#verdictAt.set(`${camera}/${region}`, { camera, region, at: performance.now() });
  }

  /** In Prometheus' text format. */
  async text(): Promise<{ readonly type: string; readonly body: string }> {
    const state = this.#line.state();
    const { age, ready, uptime, heartbeat, there, waiting, lost, failures, model, entries } = this.#now;
    this.#lamp.reset();
    const show = (camera: string, region: string, lit: string): void => {
      for (const lamp of lamps) this.#lamp.set({ camera, region, lamp }, Number(lamp === lit));
    };
    show('', '', state.lamp);
    for (const [camera, one] of Object.entries(state.cameras)) {
      show(camera, '', one.lamp);
      for (const [region, { lamp }] of Object.entries(one.regions)) show(camera, region, lamp);
    }
    const now = performance.now();
    for (const { camera, region, at } of this.#verdictAt.values()) age.set({ camera, region }, (now - at) / 1000);
    ready.set(Number(this.#line.isReady()));
    uptime.set((Date.now() - Date.parse(state.startedAt)) / 1000);
    heartbeat.set((now - this.#heardAt) / 1000);
    entries.set(state.head?.count ?? 0);
    for (const { name, ...output } of this.#outputs.map((each) => ({ name: each.name, ...each.health() }))) {
      there.set({ output: name }, Number(output.isThere));
      waiting.set({ output: name }, output.waiting);
      lost.set({ output: name }, output.lost);
      failures.set({ output: name }, output.failures);
    }
    model.reset();
    for (const { name, digest } of this.#line.models()) model.set({ model: name, digest }, 1);
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  close(): void {
    this.#stop();
  }
}
