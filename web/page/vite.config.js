/** The page, built by scripts/build.mjs; `npx vite web/page` serves it while it is written. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';
import { kernelsDigest } from '../../dist/src/classifier/proof/digests.node.js';

const here = import.meta.dirname;
const { version } = JSON.parse(readFileSync(join(here, '../../package.json'), 'utf8'));

/** Makes sw.js when all else is built: it names every file of the page, and a version that changes with any of them. */
const serviceWorker = () => ({
  name: 'beltnet-service-worker',
  apply: 'build',
  enforce: 'post',
  generateBundle(_, bundle) {
    const hash = createHash('sha256');
    for (const part of Object.values(bundle)) hash.update(part.fileName).update(part.code ?? part.source);
    const plain = readdirSync(join(here, 'public')).toSorted();
    for (const name of plain) hash.update(readFileSync(join(here, 'public', name)));
    const built = Object.keys(bundle).filter((name) => name !== 'index.html');
    const source = readFileSync(join(here, 'service-worker.js'), 'utf8')
      .replace("['FILES']", () => JSON.stringify(['./', ...plain, ...built.toSorted()]))
      .replace('VERSION', hash.digest('hex').slice(0, 12));
    this.emitFile({ type: 'asset', fileName: 'sw.js', source });
  },
});

export default defineConfig({
  root: here,
  base: './', // static hosting may put it into any folder
  logLevel: 'error',
  define: { BELTNET_VERSION: JSON.stringify(version), BELTNET_KERNELS: JSON.stringify(kernelsDigest()) },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: join(here, '../../dist/page'),
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  plugins: [serviceWorker()],
});
