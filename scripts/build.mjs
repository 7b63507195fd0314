/**
 * Builds dist/, unless nothing has changed since the last time: what is WebAssembly (wasm/*.ts, AssemblyScript) into
 * wasm.generated.ts beside its users, then everything with TypeScript, then the command line in few files, then the pages of the report, of a search, of labels and of the wall
 * screen, and the page. The binaries are inlined as base64 so that Node, bundlers and browsers need no extra file.
 */
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { Build, isBuilt, writeWhole } from './build-output.mjs';
import { buildWasm, wasmProducts } from './build-wasm.mjs';
import { root, runNode, tool } from './steps.mjs';

/**
 * A page in one file: web/NAME/NAME.html with its styles and its scripts in it. Only these scripts may run.
 * @param output takes it
 * @param styles in the order in which they count
 */
async function buildInOneFile(output, name, styles) {
  const { build } = await import('vite');
  const read = (path) => readFileSync(path, 'utf8');
  const folder = join(root, 'web', name);
  const lib = { entry: join(folder, 'main.js'), formats: ['iife'], name };
  const [bundle] = await build({
    root,
    configFile: false,
    logLevel: 'error',
    publicDir: false,
    build: { write: false, lib },
  });
  const script = bundle.output[0].code;
  const hash = createHash('sha256').update(script).digest('base64');
  // 'self' lets a page that is served ask its own server; from a file nothing is its own.
  const policy =
    `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'; ` +
    "base-uri 'none'; form-action 'none'";
  const head = [
    '<meta charset="utf-8" />',
    `<meta http-equiv="Content-Security-Policy" content="${policy}" />`,
    '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover" />',
    '<meta name="color-scheme" content="light dark" />',
  ];
  const page = read(join(folder, `${name}.html`))
    .replace('<!-- HEAD -->', () => head.join('\n    '))
    .replace(`<link rel="stylesheet" href="${name}.css" />`, () => `<style>${styles.map(read).join('\n')}</style>`)
    .replace(`<script src="${name}.js"></script>`, () => `<script>${script}</script>`);
  if (!page.includes(policy) || page.includes(`${name}.css`) || page.includes(`src="${name}.js"`))
    throw new Error(`web/${name}/${name}.html: a place was not found`);
  writeWhole(join(output, name, `${name}.html`), page);
}

/**
 * The command line in few files, cli/main.js and cli/parts/, instead of the hundreds of modules that each command would load:
 * Node takes a millisecond for each. The modules of src/ stay beside them, for programs and for worker threads.
 * @param output has what TypeScript made
 */
async function bundleCommandLine(output) {
  const { build } = await import('vite');
  const bundled = join(output, 'bundled');
  // What a module finds from where it lies, it finds from a part of the command line.
  const keepPlaces = {
    name: 'keep-places',
    transform(code, id) {
      const place = relative(output, id).split(sep).join('/');
      if (!place.startsWith('src/')) return null;
      return code.replaceAll('import.meta.url', `new URL('../../${place}', import.meta.url).href`);
    },
  };
  await build({
    ...{ root: output, configFile: false, logLevel: 'error', publicDir: false, plugins: [keepPlaces] },
    build: {
      ...{ ssr: join(output, 'cli/main.js'), outDir: bundled, target: 'esnext', minify: false },
      rolldownOptions: {
        experimental: { attachDebugInfo: 'none' }, // names of files that each build makes anew
        external: /\.generated\.js$/, // binaries, which one part or the other would hold twice
        output: { entryFileNames: '[name].js', chunkFileNames: 'parts/[name].js' },
      },
    },
  });
  rmSync(join(output, 'cli'), { recursive: true });
  renameSync(bundled, join(output, 'cli'));
}

async function buildAll() {
  const made = new Build(root);
  for (const product of wasmProducts) await buildWasm(root, product);
  runNode(tool('typescript/bin/tsc'), ['-p', 'tsconfig.json', '--outDir', made.next]);
  await bundleCommandLine(made.next);
  chmodSync(join(made.next, 'cli/main.js'), 0o755);
  made.publish();

  // The report and a search's page have a place for their data, too.
  await buildInOneFile(made.next, 'report', [
    tool('uplot/dist/uPlot.min.css'),
    ...['shared/tokens.css', 'report/report.css', 'shared/parts.css'].map((name) => join(root, 'web', name)),
  ]);
  await buildInOneFile(
    made.next,
    'search',
    ['shared/tokens.css', 'report/report.css', 'search/search.css'].map((name) => join(root, 'web', name)),
  );
  await buildInOneFile(
    made.next,
    'label',
    ['shared/tokens.css', 'label/label.css'].map((name) => join(root, 'web', name)),
  );
  await buildInOneFile(made.next, 'wall', [join(root, 'web/wall/wall.css')]);
  made.publish();

  // The page, of what was built before: files for any static host, and for `beltnet ui`.
  const { build } = await import('vite');
  const outDir = join(made.next, 'page');
  await build({ configFile: join(root, 'web/page/vite.config.js'), build: { outDir } });
  made.publish();
  made.end();
}

if (!isBuilt(root)) await buildAll();
