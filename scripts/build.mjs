/**
 * Builds dist/, unless nothing has changed since the last time: what is WebAssembly (wasm/*.ts, AssemblyScript) into
 * wasm.generated.ts beside its users, then everything with TypeScript, then the command line in few files, then the pages of the report, of a search, of labels and of the wall
 * screen, and the page. The binaries are inlined as base64 so that Node, bundlers and browsers need no extra file.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Build, isBuilt, writeWhole } from './build-output.mjs';
import { root, runNode, tool } from './steps.mjs';
import { inexactInstructions } from './wasm-instructions.mjs';

const flags = ['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--importMemory', '--noExportMemory'];
const unshared = [...flags, '--initialMemory', '1'];
const shared = [...unshared, '--sharedMemory', '--maximumMemory', '65536'];

const products = [
  {
    entry: 'wasm/index.ts',
    generated: join(root, 'src/tensor/cpu/wasm.generated.ts'),
    // A device takes one of them: each is a file of its own, so that pages load no others.
    apart: true,
    // The same kernels four times: for a memory that worker threads share and for where SharedArrayBuffer is missing, each
    // with fused multiply-add (relaxed SIMD) and for engines without it.
    builds: {
      shared: [...shared, '--enable', 'simd,threads'],
      sharedRelaxed: [...shared, '--enable', 'simd,relaxed-simd,threads'],
      unshared: [...unshared, '--enable', 'simd'],
      unsharedRelaxed: [...unshared, '--enable', 'simd,relaxed-simd'],
    },
  },
  {
    entry: 'wasm/philox.ts',
    generated: join(root, 'src/tensor/random.generated.ts'),
    builds: { simd: [...unshared, '--enable', 'simd'] },
  },
  {
    entry: 'wasm/jpeg.ts',
    generated: join(root, 'src/data/pictures/jpeg/wasm.generated.ts'),
    builds: { simd: [...unshared, '--enable', 'simd'] },
  },
  {
    entry: 'wasm/inflate.ts',
    generated: join(root, 'src/data/inflate/wasm.generated.ts'),
    builds: { simd: [...unshared, '--enable', 'simd'] },
  },
];

/** Names the sources, the flags and the compiler; an equal stamp means that there is nothing to do. */
function wasmStamp(builds, apart) {
  const hash = createHash('sha256').update(JSON.stringify([builds, apart]));
  const compiler = tool('assemblyscript/package.json');
  const sources = readdirSync(join(root, 'wasm')).filter((name) => name.endsWith('.ts'));
  for (const file of [compiler, ...sources.toSorted().map((name) => join(root, 'wasm', name))]) {
    hash.update(file.slice(root.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

async function compileWasm(entry, name, options) {
  const { default: asc } = await import('assemblyscript/asc');
  let binary;
  let messages = '';
  const { error } = await asc.main([entry, '--baseDir', root, '--outFile', 'out.wasm', ...options], {
    stderr: { write: (text) => (messages += text) },
    writeFile: (_, contents) => void (binary = contents),
  });
  if (error) throw new Error(`asc failed on ${entry} (${name})\n${messages}`);
  checkWasm(binary, `${entry}, ${name}`, { mayRelax: name.endsWith('Relaxed') });
  return binary;
}

/**
 * The kernels work on memory that others laid out: they import it, nothing else, and bring no data of their own. Those without
 * relaxed SIMD give the same bits on every machine.
 */
function checkWasm(binary, name, { mayRelax }) {
  // Node 20 knows relaxed SIMD, newer ones have it without the flag.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(binary)).map(
    (entry) => `${entry.module}.${entry.name}`,
  );
  if (imports.join() !== 'env.memory') {
    throw new Error(`${name}: must import env.memory only, it imports: ${imports.join(', ') || 'nothing'}`);
  }
  if (sectionIds(binary).includes(11)) {
    throw new Error(`${name}: has a data section, which would overwrite buffers: no strings, no static arrays, no new`);
  }
  const inexact = mayRelax ? [] : inexactInstructions(binary);
  if (inexact.length > 0)
    throw new Error(`${name}: has instructions that machines may round as they like: ${inexact.join()}`);
}

function sectionIds(binary) {
  const ids = [];
  for (let at = 8; at < binary.length;) {
    ids.push(binary[at++]);
    let size = 0;
    for (let shift = 0, byte = 128; byte >= 128; shift += 7) {
      byte = binary[at++];
      size |= (byte & 127) << shift;
    }
    at += size;
  }
  return ids;
}

async function buildWasm({ entry, generated, builds, apart = false }) {
  const stampLine = `// Made by scripts/build.mjs from wasm/*.ts; do not edit. ${wasmStamp(builds, apart)}\n`;
  const partOf = (name) => generated.replace('.generated.ts', `.${name}.generated.ts`);
  const files = [generated, ...(apart ? Object.keys(builds).map(partOf) : [])];
  if (files.every((file) => existsSync(file) && readFileSync(file, 'utf8').startsWith(stampLine))) return;
  const lines = [];
  for (const [name, options] of Object.entries(builds)) {
    const text = Buffer.from(await compileWasm(entry, name, options)).toString('base64');
    if (apart) writeWhole(partOf(name), `${stampLine}export default '${text}';\n`);
    const value = apart ? `async () => (await import('./wasm.${name}.generated.js')).default` : `'${text}'`;
    lines.push(`  ${name}: ${value},\n`);
  }
  const names = Object.keys(builds).map((name) => `'${name}'`);
  const type = `Readonly<Record<${names.join(' | ')}, ${apart ? '() => Promise<string>' : 'string'}>>`;
  writeWhole(generated, `${stampLine}export const wasmBinaries: ${type} = {\n${lines.join('')}};\n`);
}

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
  for (const product of products) await buildWasm(product);
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
