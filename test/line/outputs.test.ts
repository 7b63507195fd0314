/** Outputs against peers of other makers: a Modbus server (modbus-serial), a broker (aedes), a webhook; away for a while, and back. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { createHmac } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { UsageError } from 'beltnet';
import type { LineConfig } from '../../src/line/config.js';
import { Dispatcher } from '../../src/line/dispatcher.js';
import { openOutputs } from '../../src/line/outputs/open-outputs.node.js';
import type { WatchedOutput } from '../../src/line/outputs/watched-output.js';
import { freePort, listen, Plc, startBroker, type Broker, type Got } from './peers.js';
import { PlayedLine, until } from './states.js';

const folder = mkdtempSync(join(tmpdir(), 'beltnet-outputs-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

let folders = 0;
const problems: string[] = [];

async function open(
  outputs: Record<string, Record<string, unknown>>,
  line: PlayedLine,
  heartbeatSeconds = 10,
  place?: string,
): Promise<WatchedOutput> {
  problems.length = 0;
  const record = { folder: place ?? join(folder, String(++folders)), pictureMegabytes: 1, pictures: 'none' };
  const config = { outputs, heartbeatSeconds, record, secrets: ['s3cret-token'] } as unknown as LineConfig;
  const [output] = await openOutputs(config, (problem) => problems.push(problem));
  line.outputs.push(output);
  ends.push(() => output.close());
  return output;
}

describe('a PLC', () => {
  const settings = (port: number): Record<string, unknown> => ({
    ...{ host: '127.0.0.1', port, everySeconds: 0.05, timeoutSeconds: 0.5, graceSeconds: 0.2 },
    coils: [
      { address: 10, shows: 'ok' },
      { address: 11, shows: 'alarm' },
      { address: 12, shows: 'unacknowledged', camera: 'left', region: 'all' },
      { address: 13, shows: 'fault', camera: 'left' },
      { address: 20, shows: 'no verdict' },
      { address: 30, shows: 'alarm', camera: 'nowhere' },
      { address: 31, shows: 'no verdict', camera: 'nowhere' },
    ],
    registers: [
      { address: 100, shows: 'heartbeat' },
      { address: 101, shows: 'lamp' },
      { address: 102, shows: 'lamp', camera: 'left', region: 'all' },
    ],
  });
  const shown = (plc: Plc): boolean[] => [10, 11, 12, 13, 20].map((address) => plc.coils.get(address) === true);

  test('is shown the present state, and that the line lives', async () => {
    const [plc, line, port] = [new Plc(), new PlayedLine(), await freePort()];
    await plc.start(port);
    ends.push(() => plc.stop());
    await open({ modbus: { ...settings(port), graceSeconds: 60 } }, line);
    await until(() => plc.registers.get(101) === 3, 'no verdict yet');
    expect(shown(plc)).toEqual([false, false, false, false, true]);
    await line.verdict();
    await until(() => plc.registers.get(102) === 1, 'ok'); // coils are written before registers
    expect(shown(plc)).toEqual([true, false, false, false, false]);
    expect(plc.registers.get(101)).toBe(1);
    await line.alarm('alarm');
    await until(() => plc.registers.get(101) === 4, 'alarm');
    expect(shown(plc)).toEqual([false, true, true, false, false]);
    await line.alarm('acknowledged');
    await until(() => plc.coils.get(12) === false, 'acknowledged');
    expect(shown(plc)).toEqual([false, true, false, false, false]);
    await line.alarm('clear');
    await line.fault('camera-lost', true);
    await until(() => plc.registers.get(101) === 2, 'fault');
    expect(shown(plc)).toEqual([false, false, false, true, false]);
    await line.fault('camera-lost', false);
    await until(() => plc.registers.get(101) === 1, 'its end');
    // What is wrong with the line itself is shown, and does not stop the belt.
    await line.play({ kind: 'fault', fault: 'output', active: true, detail: 'webhook: does not answer' });
    await until(() => plc.registers.get(101) === 2, 'the fault of an output');
    expect(shown(plc)).toEqual([true, false, false, false, false]);
    expect([plc.coils.get(30), plc.coils.get(31)]).toEqual([false, true]); // what the line does not have is never fine
    const beat = plc.registers.get(100) ?? 0;
    await until(() => (plc.registers.get(100) ?? 0) > beat + 2, 'heartbeats');
    expect(line.troubles).toEqual([]);
  });

  test('that was away is given what holds when it comes back, and nothing that it missed', async () => {
    const [plc, line, port] = [new Plc(), new PlayedLine(), await freePort()];
    await plc.start(port);
    const output = await open({ modbus: settings(port) }, line);
    await line.verdict();
    await until(() => plc.coils.get(10) === true, 'ok');
    await plc.stop();
    // An alarm comes and goes while it is away.
    await until(() => !output.health().isThere, 'its absence');
    await line.alarm('alarm');
    await line.verdict(true);
    await until(() => output.health().trouble !== null, 'the trouble');
    await line.verdict();
    await line.alarm('clear');
    expect(line.troubles.at(-1)).toMatch(/^the PLC at 127\.0\.0\.1:\d+ does not answer: /);
    plc.writes.length = 0;
    await plc.start(port);
    ends.push(() => plc.stop());
    await until(() => output.health().isThere && plc.writes.length > 20, 'its return');
    expect(plc.writes.filter(([address, value]) => address === 11 && value)).toEqual([]);
    expect(shown(plc)).toEqual([true, false, false, false, false]);
    const before = line.troubles.length;
    await line.verdict();
    expect(line.troubles.length).toBe(before); // and the line is told that it works again
  });

  test('that accepts and says nothing is a fault, and gets no old writes when it listens again', async () => {
    const received: number[] = [];
    const sockets: Socket[] = [];
    const silent = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('data', (data) => received.push(data.length)).on('error', () => {});
    });
    const port = await listen(silent);
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const line = new PlayedLine();
    const output = await open({ modbus: { ...settings(port), timeoutSeconds: 0.1 } }, line);
    await until(() => output.health().failures > 1, 'a refusal to wait');
    await until(() => output.health().trouble !== null, 'the trouble');
    expect(sockets.length).toBeGreaterThan(1); // a new connection each time
    expect(received.every((length) => length < 64)).toBe(true); // one request on each, never a row of them
  });

  test('is told by a line that ends, or has fallen silent, that nothing is known', async () => {
    const [plc, line, port] = [new Plc(), new PlayedLine(), await freePort()];
    await plc.start(port);
    ends.push(() => plc.stop());
    const output = await open({ modbus: settings(port) }, line, 0.1);
    await line.verdict();
    await line.beat();
    await until(() => plc.coils.get(10) === true, 'ok');
    // No heartbeat of the line any more, although this output's own timers go on.
    await until(() => plc.coils.get(10) === false && plc.coils.get(20) === true, 'silence');
    const beat = plc.registers.get(100);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(plc.registers.get(100)).toBe(beat);
    await line.beat();
    await until(() => plc.coils.get(10) === true, 'ok again');
    await output.close();
    expect(shown(plc)).toEqual([false, false, false, false, true]);
    expect(plc.registers.get(101)).toBe(3);
  });
});

describe('a broker', () => {
  async function broker(port = 0): Promise<Broker> {
    const made = await startBroker(port);
    ends.push(made.stop);
    return made;
  }

  const last = (got: readonly Got[], topic: string): string | undefined =>
    got.findLast((one) => one.topic === topic)?.payload;
  const eventsOf = (got: readonly Got[]): { id: string; ageSeconds: number }[] =>
    got.filter(({ topic }) => topic === 'hall/line-1/events').map(({ payload }) => JSON.parse(payload) as never);

  test('has the present state in retained topics, events once, heartbeats that are not retained', async () => {
    const { port, got } = await broker();
    const line = new PlayedLine({ left: ['all'], right: ['lane-1', 'lane-2'] });
    const output = await open({ mqtt: { url: `mqtt://127.0.0.1:${port}`, topic: 'hall/line-1' } }, line);
    await line.verdict();
    await until(() => last(got, 'hall/line-1/cameras/left/lamp') === 'ok', 'ok');
    expect(last(got, 'hall/line-1/lamp')).toBe('no verdict'); // of the other camera
    await line.alarm('alarm', 'right', 'lane-2');
    await line.beat();
    await until(() => eventsOf(got).length === 1 && last(got, 'hall/line-1/heartbeat') !== undefined, 'the event');
    expect(last(got, 'hall/line-1/cameras/right/regions/lane-2/lamp')).toBe('alarm');
    expect(JSON.parse(last(got, 'hall/line-1/state') ?? '')).toMatchObject({ lamp: 'alarm' });
    expect(got.find(({ topic }) => topic.endsWith('heartbeat'))?.retain).toBe(false);
    expect(got.filter(({ topic }) => topic.endsWith('lamp')).every(({ retain }) => retain)).toBe(true);
    await line.verdict();
    await line.verdict();
    const lamps = got.filter(({ topic }) => topic === 'hall/line-1/cameras/left/lamp').length;
    expect(lamps).toBe(1); // only what changes
    await output.close();
    await until(() => last(got, 'hall/line-1/lamp') === 'offline', 'the end');
    expect(last(got, 'hall/line-1/cameras/left/lamp')).toBe('offline');
  });

  test('that was away gets every event that it missed, once, and of states only the last', async () => {
    const first = await broker();
    const line = new PlayedLine();
    const output = await open(
      { mqtt: { url: `mqtt://127.0.0.1:${first.port}`, topic: 'hall/line-1', graceSeconds: 0.1 } },
      line,
    );
    await line.verdict();
    await until(() => last(first.got, 'hall/line-1/lamp') === 'ok', 'ok');
    await first.stop();
    await until(() => !output.health().isThere, 'its absence');
    const missed = [await line.alarm('alarm'), await line.alarm('acknowledged'), await line.alarm('clear')];
    await new Promise((resolve) => setTimeout(resolve, 200));
    await until(() => output.health().trouble !== null, 'the trouble');
    await line.verdict();
    expect(line.troubles.at(-1)).toMatch(/^the broker mqtt:\/\/127\.0\.0\.1:\d+ does not answer/);
    expect(output.health().waiting).toBe(3);
    const second = await broker(first.port);
    await until(() => output.health().waiting === 0, 'the events');
    expect(eventsOf(second.got).map(({ id }) => id)).toEqual(missed.map(({ id }) => id));
    expect(eventsOf(second.got)[0].ageSeconds).toBeGreaterThan(0.1);
    expect(second.got.filter(({ topic, payload }) => topic === 'hall/line-1/lamp' && payload === 'alarm')).toEqual([]);
    expect(last(second.got, 'hall/line-1/lamp')).toBe('ok');
  });

  test('says that the line is offline when its process dies (last will)', async () => {
    const { port, got, aedes } = await broker();
    const line = new PlayedLine();
    await open({ mqtt: { url: `mqtt://127.0.0.1:${port}`, topic: 'hall/line-1' } }, line);
    await line.verdict();
    await until(() => last(got, 'hall/line-1/lamp') === 'ok', 'ok');
    // The connection ends without a word, as that of a process that was killed.
    const clients = Object.values((aedes as unknown as { clients: Record<string, { conn: Socket }> }).clients);
    for (const { conn } of clients) conn.destroy();
    await until(() => got.some(({ payload }) => payload === 'offline'), 'the will');
    expect(got.find(({ payload }) => payload === 'offline')).toMatchObject({ topic: 'hall/line-1/lamp', retain: true });
  });
});

describe('a webhook', () => {
  interface Hook {
    readonly port: number;
    readonly got: {
      readonly body: { id: string; kind: string; ageSeconds?: number };
      readonly text: string;
      readonly headers: IncomingMessage['headers'];
    }[];
    answer: number;
    headers: Record<string, string>;
    stop(): Promise<void>;
  }

  async function hook(port = 0): Promise<Hook> {
    const got: Hook['got'] = [];
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      request.on('end', () => {
        if (made.answer < 300) got.push({ body: JSON.parse(text) as never, text, headers: request.headers });
        response.writeHead(made.answer, made.headers).end();
      });
    });
    const made: Hook = {
      ...{ port: await listen(server, port), got, answer: 204, headers: {} },
      stop: () =>
        new Promise((resolve) => {
          server.closeAllConnections();
          server.close(() => resolve());
        }),
    };
    ends.push(() => made.stop());
    return made;
  }

  const settings = (port: number): Record<string, unknown> => ({
    url: `http://127.0.0.1:${port}/belt`,
    graceSeconds: 0.2,
    timeoutSeconds: 1,
  });

  test('gets events signed, with the id by which it drops doubles', async () => {
    const made = await hook();
    const line = new PlayedLine();
    const output = await open(
      {
        webhook: { ...settings(made.port), secret: 's3cret-token', headers: { authorization: 'Bearer s3cret-token' } },
      },
      line,
    );
    const { id } = await line.alarm('alarm');
    await line.verdict(); // too many: not sent
    await until(() => made.got.length === 1, 'the event');
    const [{ body, text, headers }] = made.got;
    expect(body).toMatchObject({ id, kind: 'alarm', camera: 'left' });
    expect(headers['idempotency-key']).toBe(id);
    expect(headers['x-beltnet-signature']).toBe(
      `sha256=${createHmac('sha256', 's3cret-token').update(text).digest('hex')}`,
    );
    await until(() => output.health().waiting === 0, 'its receipt'); // heartbeats let events go first
    await line.beat();
    await until(() => made.got.some((one) => one.body.kind === 'heartbeat'), 'the heartbeat');
  });

  test('that was away, or refused for a while, gets everything in order; a restart loses nothing', async () => {
    const made = await hook();
    made.answer = 503;
    const place = join(folder, 'restarted');
    const line = new PlayedLine();
    const output = await open({ webhook: settings(made.port) }, line, 10, place);
    const ids = [(await line.alarm('alarm')).id];
    await until(() => output.health().failures > 0, 'a refusal');
    await made.stop();
    ids.push((await line.fault('camera-lost', true)).id, (await line.alarm('clear')).id);
    await until(() => output.health().trouble !== null, 'the trouble');
    await line.beat();
    expect(line.troubles.at(-1)).toMatch(/^the webhook http:\/\/127\.0\.0\.1:\d+\/belt does not answer: /);
    await output.close();
    // A power cut tears the last line.
    const journal = join(place, 'queue-webhook', 'pending.jsonl');
    writeFileSync(journal, `${readFileSync(journal, 'utf8')}{"event":{"id":"torn`);
    const again = await hook(made.port);
    const reopened = await open({ webhook: settings(made.port) }, new PlayedLine(), 10, place);
    await until(() => reopened.health().waiting === 0 && again.got.length > 0, 'the events');
    expect(again.got.map(({ body }) => body.id)).toEqual(ids);
  });

  test('what cannot be kept on the disk is told once, and delivered all the same', async () => {
    const made = await hook();
    const place = join(folder, 'full');
    const line = new PlayedLine();
    const output = await open({ webhook: settings(made.port) }, line, 10, place);
    rmSync(join(place, 'queue-webhook'), { recursive: true });
    writeFileSync(join(place, 'queue-webhook'), 'in its place'); // no write succeeds any more
    const ids = [(await line.alarm('alarm')).id, (await line.alarm('clear')).id];
    await until(() => output.health().delivered === 2, 'the events');
    expect(made.got.map(({ body }) => body.id)).toEqual(ids);
    expect(problems).toEqual([expect.stringMatching(/^webhook: events are not kept on the disk: .*\(ENOTDIR\)$/)]);
  });

  test('that will never take an event loses it, loudly; one that is too old is lost, too', async () => {
    const made = await hook();
    made.answer = 422;
    const line = new PlayedLine();
    const output = await open({ webhook: { ...settings(made.port), expirySeconds: 1 } }, line);
    const { id } = await line.alarm('alarm');
    await until(() => output.health().lost === 1, 'the loss');
    expect(problems).toEqual([`webhook: ${id} was refused and is lost: HTTP 422`]);
    made.answer = 500;
    await line.alarm('clear');
    await until(() => output.health().lost === 2, 'the expiry');
    expect(problems[1]).toMatch(/^webhook: line-2 waited for \d+ s, which is too long: it is lost$/);
  });
});

test.each([
  ['modbus', { host: '127.0.0.1', port: 9, graceSeconds: 0 }],
  ['mqtt', { url: 'mqtt://127.0.0.1:9', topic: 'a', graceSeconds: 0, events: ['alarm', 'fault'] }],
  ['webhook', { url: 'http://127.0.0.1:9/', graceSeconds: 0 }],
  ['command', { command: ['/nonexistent/program'], graceSeconds: 0 }],
])('%s: a peer that stays away is one fault of the line, not one after every event', async (name, settings) => {
  const line = new PlayedLine();
  const output = await open({ [name]: settings }, line);
  line.outputs.pop(); // told by the line's own dispatcher
  const told: boolean[] = [];
  const dispatcher = new Dispatcher([output], (_, isFailing) => told.push(isFailing));
  const tell = async (): Promise<void> => dispatcher.tell(await line.alarm('alarm'), line.state);
  await tell();
  await until(() => output.health().trouble !== null, 'the trouble');
  for (let n = 0; n < 5; n++) {
    await tell();
    dispatcher.tell(await line.beat(), line.state);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await until(() => told.length > 0, 'the fault');
  expect(told).toEqual([true]);
});

test('a program is started with every lamp that holds, one after the other, and with the end; one that fails is told', async () => {
  const log = join(folder, 'lamps.txt');
  const writeLamp = `require('node:fs').appendFileSync(process.argv[1], process.argv[2] + '\\n')`;
  const line = new PlayedLine();
  const command = [process.execPath, '-e', writeLamp, log, '{lamp}'];
  const output = await open({ siren: { kind: 'command', command, camera: 'left' } }, line);
  const lamps = (): string[] => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
  await until(() => lamps().at(-1) === 'no-verdict', 'its start');
  await line.verdict();
  await until(() => lamps().at(-1) === 'ok', 'ok');
  await line.verdict();
  await line.alarm('alarm');
  await until(() => lamps().at(-1) === 'alarm', 'the alarm');
  await output.close();
  expect(lamps()).toEqual(['no-verdict', 'ok', 'alarm', 'offline']);
  const failing = await open(
    { command: { command: [process.execPath, '-e', 'process.exit(3)'], graceSeconds: 0 } },
    line,
  );
  await until(() => failing.health().failures > 0, 'its failure');
  expect(failing.health().trouble).toMatch(/does not answer: ended with code 3$/);
});

test('settings that cannot be used are refused by name, and secrets are not said', async () => {
  const line = new PlayedLine();
  await expect(open({ modbus: { host: 'plc', coils: [{ address: 70_000, shows: 'ok' }] } }, line)).rejects.toThrow(
    'outputs.modbus: coils.0.address expects a whole number from 0 to 65535, got 70000',
  );
  await expect(open({ modbus: { host: 'plc', coil: [] } }, line)).rejects.toThrow(
    'outputs.modbus: coil is no setting that is known',
  );
  await expect(open({ siren: {} }, line)).rejects.toThrow(
    "outputs.siren: expects kind to be modbus, mqtt, command, webhook, got 'siren'",
  );
  await expect(open({ mqtt: { topic: 'a', url: 'mqtt://me:s3cret-token@broker' } }, line)).rejects.toThrow(
    "outputs.mqtt: url expects mqtt://, mqtts://, ws:// or wss://, and no password in it, got 'mqtt://***@broker'",
  );
  await expect(openOutputs({} as never)).rejects.toThrow(UsageError);
});
