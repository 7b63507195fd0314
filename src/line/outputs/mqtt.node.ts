/**
 * A broker, by MQTT 3.1.1. States are retained: TOPIC/lamp, TOPIC/state (JSON), TOPIC/cameras/CAMERA/lamp and
 * TOPIC/cameras/CAMERA/regions/REGION/lamp; whenever the broker comes back it is given what holds then. `offline` in TOPIC/lamp is the
 * broker's own word (its last will) when the line does not live any more. Events go to TOPIC/events from a queue on disk, at least once,
 * heartbeats to TOPIC/heartbeat, not retained: an old one would say that the line lives.
 */
import { hostname } from 'node:os';
import type { MqttClient } from 'mqtt';
import * as v from 'valibot';
import { readWholeFile } from '../../files.node.js';
import { UsageError } from '../../errors.js';
import type { LineEvent } from '../events.js';
import type { LineState } from '../state.js';
import { AskLater, Delivery, type SentEvent } from './delivery.node.js';
import { EventQueue } from './event-queue.node.js';
import { library } from './library.node.js';
import { Peer } from './peer.js';
import { Pulse } from './pulse.js';
import { queueFolder, queueSettings } from './queue-settings.node.js';
import { isSent, type OutputContext, type OutputHealth, type WatchedOutput } from './watched-output.js';

const text = v.pipe(v.string('a text'), v.nonEmpty('a text'));

export const mqttSchema = v.strictObject({
  /** mqtt://broker:1883, mqtts://…, ws://…, wss://…; without a password in it. */
  url: v.pipe(text, v.regex(/^(mqtts?|wss?):\/\/[^@]+$/, 'mqtt://, mqtts://, ws:// or wss://, and no password in it')),
  topic: v.pipe(text, v.regex(/^[^+#\0/][^+#\0]*$/, 'a topic without + and #')),
  username: v.optional(text),
  password: v.optional(text),
  clientId: v.optional(text),
  /** A certificate (PEM) that vouches for the broker's, in place of the system's. */
  certificate: v.optional(text),
  graceSeconds: v.optional(v.pipe(v.number('seconds'), v.minValue(0, 'seconds from 0')), 5),
  ...queueSettings,
});
export type MqttConfig = v.InferOutput<typeof mqttSchema>;

const OFFLINE = 'offline';
/** Milliseconds after which an event that nobody confirmed is sent again. */
const CONFIRMED_IN = 20_000;

export class MqttOutput implements WatchedOutput {
  readonly name: string;
  readonly #topic: string;
  readonly #config: MqttConfig;
  readonly #client: MqttClient;
  readonly #peer: Peer;
  readonly #eventPeer: Peer;
  readonly #pulse: Pulse;
  readonly #delivery: Delivery;
  /** What the broker was given on this connection, by topic. */
  readonly #given = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #present: LineState | null = null;

  private constructor(config: MqttConfig, context: OutputContext, client: MqttClient, queue: EventQueue) {
    this.name = context.name;
    this.#config = config;
    this.#topic = config.topic;
    this.#client = client;
    const name = context.clean(`the broker ${config.url}`);
    this.#peer = new Peer(name, { grace: config.graceSeconds });
    this.#eventPeer = new Peer(name, { grace: config.graceSeconds });
    this.#pulse = new Pulse(context.heartbeatSeconds);
    this.#delivery = new Delivery(queue, this.#eventPeer, (event) => this.#send(event), context.onProblem);
    client.on('connect', () => {
      this.#peer.worked();
      this.#given.clear();
      this.#publish();
      this.#delivery.wake();
    });
    // A line that has fallen silent calls nobody: its end is seen here.
    this.#timer = setInterval(() => this.#publish(), 1000 * context.heartbeatSeconds);
    this.#timer.unref();
    client.on('close', () => this.#peer.failed('the connection was closed'));
    client.on('error', (error) => this.#peer.failed(context.clean(error.message)));
  }

  /** @throws UsageError where mqtt is not installed, or for a certificate that cannot be read */
  static async open(config: MqttConfig, context: OutputContext): Promise<MqttOutput> {
    const { default: mqtt } = await library('mqtt', () => import('mqtt'));
    const { url, topic, username, password, certificate, clientId } = config;
    const refuse = (message: string) => new UsageError(message);
    const kind = { what: 'a certificate', mostBytes: 2 ** 20, refuse };
    const queue = await EventQueue.open(queueFolder(config, context));
    const client = mqtt.connect(url, {
      clientId: clientId ?? `beltnet-${hostname()}-${process.pid}`,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(certificate !== undefined && { ca: Buffer.from(await readWholeFile(certificate, kind)) }),
      protocolVersion: 4,
      clean: true,
      keepalive: 10,
      connectTimeout: 10_000,
      reconnectPeriod: 2000,
      // Nothing is kept for a broker that is away: states would be old, and events have a queue of their own.
      queueQoSZero: false,
      will: { topic: `${topic}/lamp`, payload: Buffer.from(OFFLINE), qos: 1, retain: true },
    });
    return new MqttOutput(config, context, client, queue);
  }

  /** @throws Error while the broker is away */
  state(state: LineState): void {
    this.#present = state;
    this.#publish();
    this.#peer.throwTrouble();
  }

  /** @throws as `state`: one call that went well would be taken for the end of the trouble */
  async event(event: LineEvent): Promise<void> {
    this.#pulse.hear(event);
    if (event.kind === 'heartbeat') {
      this.#publish();
      if (this.#client.connected) this.#client.publish(`${this.#topic}/heartbeat`, JSON.stringify(event), { qos: 0 });
    } else if (isSent(event, this.#config.events)) await this.#delivery.push(event);
    this.#peer.throwTrouble();
  }

  health(): OutputHealth {
    const failures = this.#peer.failures + this.#eventPeer.failures;
    return { ...this.#peer.health(this.#delivery.counts), isThere: this.#client.connected, failures };
  }

  /** What has changed since it was given. */
  #publish(): void {
    if (!this.#client.connected || !this.#present) return;
    for (const [topic, payload] of topicsOf(this.#present, this.#pulse.isBeating)) this.#give(topic, payload);
  }

  #give(topic: string, payload: string): void {
    if (this.#given.get(topic) === payload) return;
    this.#given.set(topic, payload);
    // Once and now: what is confirmed would be sent again after the next connection, when it is old.
    this.#client.publish(`${this.#topic}/${topic}`, payload, { qos: 0, retain: true });
  }

  async #send(event: SentEvent): Promise<void> {
    if (!this.#client.connected) throw new AskLater('it is away', 1000);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`nobody confirmed the event in ${CONFIRMED_IN / 1000} s`)),
        CONFIRMED_IN,
      );
    });
    const confirmed = this.#client.publishAsync(`${this.#topic}/events`, JSON.stringify(event), { qos: 1 });
    confirmed.catch(() => {}); // of one that comes too late nobody hears
    try {
      await Promise.race([confirmed, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A line that has ended says so everywhere: an old `ok` would look fine for ever. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#delivery.close();
    if (this.#client.connected)
      for (const topic of this.#given.keys()) if (topic !== 'state') this.#give(topic, OFFLINE);
    await this.#client.endAsync(!this.#client.connected);
  }
}

/** Topics below the line's own, with what they hold. */
function topicsOf(state: LineState, isBeating: boolean): [topic: string, payload: string][] {
  const lamp = (one: string): string => (isBeating ? one : OFFLINE);
  const topics: [string, string][] = [['lamp', lamp(state.lamp)]];
  const cameras: Record<string, object> = {};
  for (const [camera, { lamp: ofCamera, faults, regions }] of Object.entries(state.cameras)) {
    topics.push([`cameras/${camera}/lamp`, lamp(ofCamera)]);
    const shown: Record<string, object> = {};
    for (const [region, { lamp: ofRegion, alarm, faults: ofIts }] of Object.entries(regions)) {
      topics.push([`cameras/${camera}/regions/${region}/lamp`, lamp(ofRegion)]);
      shown[region] = { lamp: ofRegion, alarm, faults: ofIts };
    }
    cameras[camera] = { lamp: ofCamera, faults, regions: shown };
  }
  topics.push([
    'state',
    JSON.stringify({ lamp: lamp(state.lamp), startedAt: state.startedAt, faults: state.faults, cameras }),
  ]);
  return topics;
}
