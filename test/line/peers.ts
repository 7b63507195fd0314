/** Peers of other makers for outputs: a Modbus server (modbus-serial) and a broker (aedes), which come back where they were. */
import type { Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { ServerTCP } from 'modbus-serial';

/** Listens on the port that it had before, so that a peer comes back where it was. */
export function listen(server: Server | HttpServer, port = 0): Promise<number> {
  return new Promise((resolve) =>
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
}

/** All writes in the order in which they came. */
export class Plc {
  readonly coils = new Map<number, boolean>();
  readonly registers = new Map<number, number>();
  readonly writes: [address: number, value: boolean][] = [];
  server: ServerTCP | null = null;

  async start(port: number): Promise<void> {
    const vector = {
      setCoil: (address: number, value: boolean) => {
        this.coils.set(address, value);
        this.writes.push([address, value]);
      },
      setRegister: (address: number, value: number) => void this.registers.set(address, value),
    };
    this.server = new ServerTCP(vector, { host: '127.0.0.1', port, unitID: 1 });
    await new Promise<void>((resolve) => this.server?.once('initialized', () => resolve()));
  }

  stop(): Promise<void> {
    return new Promise((resolve) => (this.server ? this.server.close(() => resolve()) : resolve()));
  }
}

export async function freePort(): Promise<number> {
  const server = createTcpServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Got {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

export interface Broker {
  readonly port: number;
  readonly got: Got[];
  readonly stop: () => Promise<void>;
  readonly aedes: Aedes;
}

export async function startBroker(port = 0): Promise<Broker> {
  const aedes = await Aedes.createBroker();
  const got: Got[] = [];
  aedes.on('publish', ({ topic, payload, retain }) => {
    if (!topic.startsWith('$')) got.push({ topic, payload: String(payload), retain });
  });
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)).on('error', () => {}));
    aedes.handle(socket);
  });
  const actual = await listen(server, port);
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
    await new Promise<void>((resolve) => aedes.close(resolve));
  };
  return { port: actual, got, stop, aedes };
}
