/** The page with the engine that only says things in place of the real one, for looking at states. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Builds it into a folder. */
export async function buildFakePage(outDir: string): Promise<void> {
  const fake = join(root, 'test/page/fake-engine.ts');
  await build({
    configFile: join(root, 'web/page/vite.config.js'),
    build: { outDir, minify: false },
    define: { 'import.meta.env.PROD': 'true' }, // vitest's own mode is another
    plugins: [{ name: 'fake', enforce: 'pre', resolveId: (id) => (id.endsWith('engine/engine.js') ? fake : null) }],
  });
}
