/**
 * A PLC, by Modbus TCP: coils and registers that show the present state, and nothing else. Whenever the PLC comes back it is given what
 * holds then; what it has missed is never written, since an old alarm would stop the belt again.
 *
 * Coils: true or false, one condition each. Registers: `lamp` is 1 ok, 2 fault, 3 no verdict, 4 alarm (0 is what nobody has written);
 * `heartbeat` counts from 1 to 65535 and begins anew: a PLC that sees it stand still stops the belt by itself.
 */
import { Socket } from 'node:net';
import * as v from 'valibot';
import type { LineEvent } from '../events.js';
import { lamps, type LineState } from '../state.js';
import { conditions, holds, lampOf } from './conditions.js';
import { library } from './library.node.js';
import { Peer, Wake } from './peer.js';
import { Pulse } from './pulse.js';
import type { OutputContext, OutputHealth, WatchedOutput } from './watched-output.js';

const whole = (least: number, most: number) => {
  const message = `a whole number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
};
const scope = { camera: v.optional(v.string('a name')), region: v.optional(v.string('a name')) };
const address = whole(0, 65_535);
const seconds = (least: number, fallback: number) =>
  v.optional(v.pipe(v.number(`seconds from ${least}`), v.minValue(least, `seconds from ${least}`)), fallback);

export const modbusSchema = v.strictObject({
  host: v.pipe(v.string('a name or address'), v.nonEmpty('a name or address')),
  port: v.optional(whole(1, 65_535), 502),
  unit: v.optional(whole(0, 255), 1),
  coils: v.optional(
    v.array(
      v.strictObject({
        address,
        shows: v.picklist(conditions, conditions.map((each) => `'${each}'`).join(', ')),
        ...scope,
      }),
    ),
    [],
  ),
  registers: v.optional(
    v.array(v.strictObject({ address, shows: v.picklist(['heartbeat', 'lamp'], "'heartbeat' or 'lamp'"), ...scope })),
    [],
  ),
  /** Everything is written again so often: a PLC that began anew has forgotten it. */
  everySeconds: seconds(0.05, 1),
  /** An answer that takes longer is none. */
  timeoutSeconds: seconds(0.05, 2),
  /** A PLC that is away for longer is a fault of the line. */
  graceSeconds: seconds(0, 5),
});
export type ModbusConfig = v.InferOutput<typeof modbusSchema>;

/** What of jsmodbus is used here. */
interface ModbusClient {
  writeMultipleCoils(start: number, values: boolean[]): Promise<unknown>;
  writeMultipleRegisters(start: number, values: number[]): Promise<unknown>;
}
type ModbusLibrary = { client: { TCP: new (socket: Socket, unit: number, timeout: number) => ModbusClient } };

/** Values at addresses that follow one another: one request. */
interface Run<Value> {
  readonly start: number;
  readonly values: Value[];
}

/** Requests take no more. */
const LONGEST_RUN = 100;

export class ModbusOutput implements WatchedOutput {
  readonly name: string;
  readonly #config: ModbusConfig;
  readonly #library: ModbusLibrary;
  readonly #peer: Peer;
  readonly #pulse: Pulse;
  readonly #wake = new Wake();
  readonly #done: Promise<void>;
  #present: LineState | null = null;
  #beats = 0;
  #isClosed = false;

  private constructor(config: ModbusConfig, context: OutputContext, modbus: ModbusLibrary) {
    this.name = context.name;
    this.#config = config;
    this.#library = modbus;
    this.#peer = new Peer(`the PLC at ${config.host}:${config.port}`, { grace: config.graceSeconds, longestWait: 5 });
    this.#pulse = new Pulse(context.heartbeatSeconds);
    this.#done = this.#run();
  }

  /** @throws UsageError where jsmodbus is not installed */
  static async open(config: ModbusConfig, context: OutputContext): Promise<ModbusOutput> {
    const { default: modbus } = await library(
      'jsmodbus',
      () => import('jsmodbus') as unknown as Promise<{ default: ModbusLibrary }>,
    );
    return new ModbusOutput(config, context, modbus);
  }

  /** @throws Error while the PLC is away */
  state(state: LineState): void {
    const before = this.#values();
    this.#present = state;
    if (JSON.stringify(this.#values()) !== JSON.stringify(before)) this.#wake.now();
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

  /** What holds now. Of a line that does not live, or has ended, nothing is known. */
  #values(): { readonly coils: readonly boolean[]; readonly registers: readonly number[] } {
    const { coils, registers } = this.#config;
    const state = this.#isClosed || !this.#pulse.isBeating ? null : this.#present;
    const lampNumber = (scopeOf: { camera?: string | undefined; region?: string | undefined }): number =>
      1 + lamps.indexOf((state && lampOf(state, scopeOf)) ?? 'no verdict');
    return {
      coils: coils.map((each) => holds(each.shows, state, each)),
      registers: registers.map((each) => (each.shows === 'heartbeat' ? this.#beats : lampNumber(each))),
    };
  }

  /** Writes until it is closed, and then once more that nothing is known. */
  async #run(): Promise<void> {
    let isLast = false;
    while (!isLast) {
      const connection = new Socket();
      try {
        const { TCP } = this.#library.client;
        const client = new TCP(connection, this.#config.unit, 1000 * this.#config.timeoutSeconds); // it hears the connection begin
        await this.#connect(connection);
        while (!isLast) {
          isLast = this.#isClosed;
          await this.#write(client);
          this.#peer.worked();
          if (!isLast) await this.#wake.wait(1000 * this.#config.everySeconds);
        }
        connection.end();
      } catch (error) {
        const wait = this.#peer.failed(reasonOf(error));
        // What was not sent must not be sent later: no orderly end, which would wait for that.
        connection.resetAndDestroy();
        if (this.#isClosed) return;
        await this.#wake.wait(wait);
      }
    }
  }

  #connect(connection: Socket): Promise<void> {
    const { host, port, timeoutSeconds } = this.#config;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no connection in ${timeoutSeconds} s`)), 1000 * timeoutSeconds);
      connection.setNoDelay(true);
      connection.once('error', reject);
      connection.once('close', () => reject(new Error('the connection was closed')));
      connection.connect(port, host, () => {
        clearTimeout(timer);
        resolve();
      });
      connection.on('error', () => clearTimeout(timer)); // who writes is told
    });
  }

  async #write(client: ModbusClient): Promise<void> {
    const { coils, registers } = this.#config;
    if (!this.#isClosed && this.#pulse.isBeating) this.#beats = (this.#beats % 65_535) + 1;
    const values = this.#values();
    for (const { start, values: some } of runsOf(coils, values.coils)) await client.writeMultipleCoils(start, some);
    for (const { start, values: some } of runsOf(registers, values.registers))
      await client.writeMultipleRegisters(start, some);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake.now();
    await this.#done;
  }
}

/** jsmodbus throws objects of its own. */
function reasonOf(error: unknown): string {
  const { message, err } = error as { message?: string; err?: string };
  return [err, message].filter((each) => typeof each === 'string' && each !== '').join(': ') || 'no answer';
}

function runsOf<Value>(places: readonly { readonly address: number }[], values: readonly Value[]): Run<Value>[] {
  const sorted = places.map(({ address: at }, n) => ({ at, value: values[n] })).toSorted((a, b) => a.at - b.at);
  const runs: Run<Value>[] = [];
  for (const { at, value } of sorted) {
    const last = runs.at(-1);
    if (last && last.start + last.values.length === at && last.values.length < LONGEST_RUN) last.values.push(value);
    else runs.push({ start: at, values: [value] });
  }
  return runs;
}
