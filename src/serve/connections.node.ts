/**
 * Connections, so many at once, and so many of one address. Where there are more, the oldest goes whose request is not there whole: who
 * opens connections and says nothing, or says it slowly, keeps nobody else out (Slowloris).
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const MOST_CONNECTIONS = 128;
/** One address cannot take the place of all others. */
const MOST_OF_ONE = 64;

export function limitConnections(server: Server): void {
  const all = new Set<Socket>();
  const ofAddress = new Map<string, Set<Socket>>();
  /** By both ends: with TLS a request has another socket than its connection. */
  const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  const answered = new Set<string>();
  const makeRoom = (among: ReadonlySet<Socket>, most: number): void => {
    if (among.size <= most) return;
    for (const socket of among) {
      if (answered.has(nameOf(socket))) continue;
      socket.destroy();
      return;
    }
  };
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const own = ofAddress.get(address) ?? new Set();
    ofAddress.set(address, own.add(socket));
    all.add(socket);
    socket.once('close', () => {
      all.delete(socket);
      own.delete(socket);
      if (own.size === 0 && ofAddress.get(address) === own) ofAddress.delete(address);
    });
    // The newest is the last of them: it goes where all others are being answered.
    makeRoom(own, MOST_OF_ONE);
    makeRoom(all, MOST_CONNECTIONS);
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const name = nameOf(request.socket);
    request.once('end', () => answered.add(name));
    response.once('close', () => answered.delete(name));
  });
}
