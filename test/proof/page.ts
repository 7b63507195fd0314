/** A page with the built package and the trainings of same-bits.js, for any browser: isolated, so that it has threads. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const types: Record<string, string> = { '.js': 'text/javascript', '.mjs': 'text/javascript' };

const page = `<!doctype html><meta charset="utf-8"><title>same bits</title>
<script type="importmap">{ "imports": { "beltnet": "/dist/src/index.js", "pako": "/node_modules/pako/dist/pako.mjs",
  "valibot": "/node_modules/valibot/dist/index.mjs", "@noble/hashes/": "/node_modules/@noble/hashes/" } }</script>
<script type="module">
  import { richTraining, trainOnFiles } from '/test/proof/same-bits.js';
  window.rich = (threads) => richTraining(threads).then(({ hash }) => hash);
  window.onFiles = async (files, options, training) => {
    const read = async ({ label, url }) => ({ label, bytes: new Uint8Array(await (await fetch(url)).arrayBuffer()) });
    return trainOnFiles(await Promise.all(files.map(read)), options, training);
  };
  document.title = 'ready';
</script>`;

/** @param folder what is under /pictures/ */
export async function servePage(folder?: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(({ url = '' }, response) => {
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
    try {
      const isPicture = folder !== undefined && path.startsWith('/pictures/');
      const body = path === '/' ? page : readFileSync(isPicture ? join(folder, path.slice(10)) : join(root, path));
      response.setHeader('Content-Type', path === '/' ? 'text/html' : (types[extname(path)] ?? 'image/png')).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => new Promise((resolve) => server.close(() => resolve())) };
}
