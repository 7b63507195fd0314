/**
 * A program that shows the present state, on a pin of the machine (gpioset), a relay, a siren: it is started with the lamp's name for `{lamp}`, whenever
 * that changes, one after the other, and never with what has been overtaken. No shell reads the words.
 */
import { spawn } from 'node:child_process';
import * as v from 'valibot';
import type { LineEvent } from '../events.js';
import type { LineState } from '../state.js';
import { lampOf } from './conditions.js';
import { Peer, Wake } from './peer.js';
import { Pulse } from './pulse.js';
import type { OutputContext, OutputHealth, WatchedOutput } from './watched-output.js';

const text = v.pipe(v.string('a text'), v.nonEmpty('a text'));
const seconds = (least: number, fallback: number) =>
  v.optional(v.pipe(v.number(`seconds from ${least}`), v.minValue(least, `seconds from ${least}`)), fallback);

export const commandSchema = v.strictObject({
  /** The program and its arguments; `{lamp}` in them is ok, fault, no-verdict, alarm or offline. */
  command: v.pipe(v.array(text), v.minLength(1, 'a program and its arguments')),
  camera: v.optional(text),
  region: v.optional(text),
  /** It is also started so often, for what must be told again and again. 0: only when the lamp changes. */
  everySeconds: seconds(0, 0),
  /** A program that takes longer is ended. */
  timeoutSeconds: seconds(0.05, 5),
  graceSeconds: seconds(0, 5),
});
export type CommandConfig = v.InferOutput<typeof commandSchema>;

/** What of a program's complaint is told. */
const LONGEST_COMPLAINT = 200;
/** The end of a line that has fallen silent is seen by looking. Milliseconds. */
const LOOK_EVERY = 1000;

export class CommandOutput implements WatchedOutput {
  readonly name: string;
  readonly #config: CommandConfig;
  readonly #peer: Peer;
  readonly #pulse: Pulse;
  readonly #clean: (text: string) => string;
  readonly #wake = new Wake();
  readonly #done: Promise<void>;
  #present: LineState | null = null;
  #isClosed = false;

  constructor(config: CommandConfig, { name, clean, heartbeatSeconds }: OutputContext) {
    this.name = name;
    this.#config = config;
    this.#clean = clean;
    this.#peer = new Peer(clean(config.command[0]), { grace: config.graceSeconds, longestWait: 10 });
    this.#pulse = new Pulse(heartbeatSeconds);
    this.#done = this.#run();
  }

  /** @throws Error while the program fails */
  state(state: LineState): void {
    this.#present = state;
    this.#wake.now();
    this.#peer.throwTrouble();
  }

  /** @throws as `state`: one call that went well would be taken for the end of the trouble */
  event(event: LineEvent): void {
    this.#pulse.hear(event);
    this.#peer.throwTrouble();
  }

  health(): OutputHealth {
    return this.#peer.health();
  }

  #lamp(): string {
    if (this.#isClosed || !this.#pulse.isBeating) return 'offline';
    return ((this.#present && lampOf(this.#present, this.#config)) ?? 'no verdict').replace(' ', '-');
  }

  async #run(): Promise<void> {
    const { everySeconds } = this.#config;
    let shown: string | null = null;
    let shownAt = -Infinity;
    for (;;) {
      const isLast = this.#isClosed;
      const lamp = this.#lamp();
      const isDue = everySeconds > 0 && performance.now() - shownAt >= 1000 * everySeconds;
      if (lamp !== shown || isDue) {
        try {
          await this.#start(lamp);
          [shown, shownAt] = [lamp, performance.now()];
          this.#peer.worked();
        } catch (error) {
          const wait = this.#peer.failed(this.#clean((error as Error).message));
          if (isLast) return;
          await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 10_000)).unref());
          continue;
        }
      }
      if (isLast) return;
      await this.#wake.wait(everySeconds > 0 ? Math.min(LOOK_EVERY, 1000 * everySeconds) : LOOK_EVERY);
    }
  }

  #start(lamp: string): Promise<void> {
    const [program, ...words] = this.#config.command.map((word) => word.replaceAll('{lamp}', lamp));
    return new Promise((resolve, reject) => {
      const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], windowsHide: true });
      let complaint = '';
      const timer = setTimeout(() => {
        complaint = `takes longer than ${this.#config.timeoutSeconds} s`;
        child.kill('SIGKILL');
      }, 1000 * this.#config.timeoutSeconds);
      child.stderr.setEncoding('utf8').on('data', (piece: string) => {
        complaint = (complaint + piece).slice(0, LONGEST_COMPLAINT);
      });
      child.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.once('close', (code) => {
        clearTimeout(timer);
        if (code === 0) resolve();
        else reject(new Error(`ended with code ${code}${complaint ? `: ${complaint.trim()}` : ''}`));
      });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake.now();
    await this.#done;
  }
}
