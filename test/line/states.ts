/** A line for outputs to be told of, without cameras: its states are made by the functions that the line itself uses. */
import type { AlarmState, LineEvent, NewEvent } from '../../src/line/events.js';
import { initialState, nextState, type LineState } from '../../src/line/state.js';
import type { Output } from '../../src/line/output.js';

export class PlayedLine {
  state: LineState;
  readonly outputs: Output[] = [];
  readonly troubles: string[] = [];
  #number = 0;

  constructor(cameras: Readonly<Record<string, readonly string[]>> = { left: ['all'] }) {
    this.state = initialState(cameras, { at: new Date().toISOString(), shadow: false });
  }

  /** Something happens, and every output is told. */
  async play(event: NewEvent): Promise<LineEvent> {
    const whole = { ...event, id: `line-${++this.#number}`, at: new Date().toISOString() } as LineEvent;
    this.state = nextState(this.state, whole);
    for (const output of this.outputs) {
      await this.#call(() => output.state(this.state));
      await this.#call(() => output.event(whole));
    }
    return whole;
  }

  /** What an output throws is kept, and keeps nothing from the next call. */
  async #call(call: () => void | Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.troubles.push((error as Error).message);
    }
  }

  verdict(alert = false, camera = 'left', region = 'all'): Promise<LineEvent> {
    return this.play({
      ...{ kind: 'verdict', camera, region, sequence: this.#number, source: 'played', alert, model: 'belt' },
      ...{ takenAt: new Date().toISOString(), ageMilliseconds: 20 },
      ...{
        class: alert ? 'gap' : 'ok',
        probability: 0.9,
        probabilities: { gap: alert ? 0.9 : 0.1, ok: alert ? 0.1 : 0.9 },
      },
    });
  }

  alarm(state: AlarmState, camera = 'left', region = 'all'): Promise<LineEvent> {
    const reason = state === 'clear' ? 'no alert in the last 5 frames' : '3 of the last 5 frames: gap';
    return this.play({ kind: 'alarm', camera, region, state, reason, alarmId: 'alarm-1' });
  }

  fault(fault: 'camera-lost' | 'no-verdict', active: boolean, camera = 'left'): Promise<LineEvent> {
    return this.play({ kind: 'fault', camera, fault, active, detail: 'nothing for 10 s; is its cable in?' });
  }

  beat(): Promise<LineEvent> {
    return this.play({ kind: 'heartbeat', head: { count: this.#number, hash: 'ab'.repeat(32) }, uptimeSeconds: 1 });
  }
}

/** Waits until something holds, which is an error after a while that nothing should take. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, seconds = 60): Promise<void> {
  const end = performance.now() + 1000 * seconds;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what} did not come in ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
