/**
 * What happens on a line as Server-Sent Events: the state at once and after every change, what happened, and a beat in between, by which a page knows
 * that it is still told everything.
 */
import type { LineEvent } from './events.js';
import type { Line } from './output.js';
import { Pulse } from './outputs/pulse.js';
import type { OutputHealth, WatchedOutput } from './outputs/watched-output.js';
import type { LineState } from './state.js';

/** What pages are told. */
export interface LineView {
  readonly state: LineState;
  readonly outputs: readonly (OutputHealth & { readonly name: string })[];
  readonly isReady: boolean;
  /** Whether the line itself gives signs of life. */
  readonly isBeating: boolean;
  /** By the clock of the machine, and milliseconds since the last verdict of each region by one that nobody sets, by camera and region. */
  readonly now: string;
  readonly verdictAges: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Milliseconds between two states at least, and between two messages at most. */
const SOONEST = 200;
const LATEST = 2000;
/** Events that whoever comes later is told. */
const REMEMBERED = 200;

const isTold = ({ kind }: LineEvent): boolean => kind === 'alarm' || kind === 'fault' || kind === 'note';

export class LineStream {
  readonly #line: Line;
  readonly #outputs: readonly WatchedOutput[];
  readonly #pulse: Pulse;
  readonly #stop: () => void;
  readonly #history: LineEvent[] = [];
  readonly #verdictAt = new Map<string, number>();
  readonly #listeners = new Set<(event: LineEvent) => void>();

  constructor(line: Line, outputs: readonly WatchedOutput[], heartbeatSeconds: number) {
    this.#line = line;
    this.#outputs = outputs;
    this.#pulse = new Pulse(heartbeatSeconds);
    this.#stop = line.onEvent((event) => this.#hear(event));
  }

  #hear(event: LineEvent): void {
    this.#pulse.hear(event);
    if (event.kind === 'verdict') this.#verdictAt.set(`${event.camera}/${event.region}`, performance.now());
    if (isTold(event)) {
      this.#history.push(event);
      if (this.#history.length > REMEMBERED) this.#history.shift();
    }
    for (const listener of this.#listeners) listener(event);
  }

  /** The newest last. */
  get history(): readonly LineEvent[] {
    return this.#history;
  }

  view(): LineView {
    const state = this.#line.state();
    const now = performance.now();
    const agesOf = (camera: string, regions: object): Record<string, number> =>
      Object.fromEntries(
        Object.keys(regions).flatMap((region) => {
          const at = this.#verdictAt.get(`${camera}/${region}`);
          return at === undefined ? [] : [[region, Math.round(now - at)]];
        }),
      );
    return {
      state,
      outputs: this.#outputs.map((each) => ({ name: each.name, ...each.health() })),
      isReady: this.#line.isReady(),
      isBeating: this.#pulse.isBeating,
      now: new Date().toISOString(),
      verdictAges: Object.fromEntries(
        Object.entries(state.cameras).map(([camera, { regions }]) => [camera, agesOf(camera, regions)]),
      ),
    };
  }

  /** @param signal ends it */
  async *messages(signal: AbortSignal): AsyncGenerator<string> {
    const events: LineEvent[] = [...this.#history];
    let wake = (): void => {};
    const listener = (event: LineEvent): void => {
      if (isTold(event)) events.push(event);
      if (events.length > REMEMBERED) events.shift();
      wake();
    };
    this.#listeners.add(listener);
    try {
      yield 'retry: 1000\n\n';
      while (!signal.aborted) {
        yield messageOf('view', this.view());
        for (const event of events.splice(0)) yield messageOf('event', event, event.id);
        await sleep(SOONEST, signal);
        await sleep(LATEST - SOONEST, signal, (now) => (wake = now));
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  close(): void {
    this.#stop();
  }
}

function messageOf(event: string, data: unknown, id?: string): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

function sleep(milliseconds: number, signal: AbortSignal, onWake?: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
    onWake?.(end);
    if (signal.aborted) end();
  });
}
