/** A page with the built package and the trainings of same-bits.js, for any browser: isolated, so that it has threads. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const types: Record<string, string> = { '.js': 'text/javascript', '.mjs': 'text/javascript' };

const page = `<!doctype html><meta charset="utf-8"><title>same bits</title>
<script type="importmap">{ "imports": { "beltnet": "/dist/src/index.js",
  "valibot": "/node_modules/valibot/dist/index.mjs", "@noble/hashes/": "/node_modules/@noble/hashes/" } }</script>
<script type="module">
  import { richTraining, trainOnFiles } from '/test/proof/same-bits.js';
  window.rich = (threads) => richTraining(threads).then(({ hash }) => hash);
  window.onFiles = async (files, options, training) => {
    const read = async ({ label, url }) => ({ label, bytes: new Uint8Array(await (await fetch(url)).arrayBuffer()) });
    return trainOnFiles(await Promise.all(files.map(read)), options, training);
  };
  document.title = 'ready';
  // For browsers that nobody drives: the hashes go to the server.
  const threads = new URLSearchParams(location.search).get('threads')?.split(',') ?? [];
  const hashes = [];
  for (const count of threads) hashes.push(await window.rich(Number(count)).catch(String));
  if (threads.length > 0) await fetch('/report', { method: 'POST', body: hashes.join(' ') });
</script>`;

interface ServedPage {
  readonly url: string;
  /** What the page says when it is asked by ?threads=1,2. */
  readonly reported: Promise<string>;
  readonly close: () => Promise<void>;
}

/** @param folder what is under /pictures/ */
export async function servePage(folder?: string): Promise<ServedPage> {
  let report: (hashes: string) => void = () => {};
  const reported = new Promise<string>((resolve) => (report = resolve));
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://localhost').pathname);
    if (path === '/report') {
      void text(request).then(report);
      response.end();
      return;
    }
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
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { url: `http://127.0.0.1:${port}/`, reported, close };
}
