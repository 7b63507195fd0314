/** A folder as any static host serves it, or isolated as `beltnet ui` does. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

export interface ServedFolder {
  readonly url: string;
  /** Nothing is answered any more until it is true again, as without a network. */
  reachable: boolean;
  readonly close: () => Promise<void>;
}

export async function serveFolder(folder: string, { isolated = true } = {}): Promise<ServedFolder> {
  const server = createServer(({ url = '' }, response) => {
    if (!served.reachable) return response.destroy();
    const { pathname } = new URL(url, 'http://localhost');
    try {
      const path = join(folder, decodeURIComponent(pathname === '/' ? '/index.html' : pathname));
      const body = readFileSync(path);
      if (isolated) {
        response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
        response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
      }
      return response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream').end(body);
    } catch {
      return response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const served: ServedFolder = {
    url: `http://127.0.0.1:${port}/`,
    reachable: true,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return served;
}
