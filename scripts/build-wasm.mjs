/** What is WebAssembly: wasm/*.ts (AssemblyScript), compiled into files beside their users, as base64. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { writeWhole } from './build-output.mjs';
import { tool } from './steps.mjs';
import { inexactInstructions } from './wasm-instructions.mjs';

const flags = ['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--importMemory', '--noExportMemory'];
const unshared = [...flags, '--initialMemory', '1'];
const shared = [...unshared, '--sharedMemory', '--maximumMemory', '65536'];

export const wasmProducts = [
  {
    entry: 'wasm/index.ts',
    generated: 'src/tensor/cpu/wasm.generated.ts',
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
    generated: 'src/tensor/random.generated.ts',
    builds: { simd: [...unshared, '--enable', 'simd'] },
  },
  {
    entry: 'wasm/jpeg.ts',
    generated: 'src/data/pictures/jpeg/wasm.generated.ts',
    builds: { simd: [...unshared, '--enable', 'simd'] },
  },
  {
    entry: 'wasm/inflate.ts',
    generated: 'src/data/inflate/wasm.generated.ts',
    builds: { simd: [...unshared, '--enable', 'simd'] },
  },
];

/** Names the sources, the flags and the compiler; an equal stamp means that there is nothing to do. */
function wasmStamp(root, builds, apart) {
  const hash = createHash('sha256').update(JSON.stringify([builds, apart]));
  hash.update(readFileSync(tool('assemblyscript/package.json')));
  const sources = readdirSync(join(root, 'wasm')).filter((name) => name.endsWith('.ts'));
  for (const name of sources.toSorted()) hash.update(name).update(readFileSync(join(root, 'wasm', name)));
  return hash.digest('hex');
}

async function compileWasm(root, entry, name, options) {
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

/**
 * Compiles a product, unless its files are what the sources ask for.
 * @param root of the project
 * @param names of the builds that are wanted
 */
export async function buildWasm(root, { entry, generated, builds, apart = false }, names = Object.keys(builds)) {
  const stampLine = `// Made by scripts/build.mjs from wasm/*.ts; do not edit. ${wasmStamp(root, builds, apart)}\n`;
  const partOf = (name) => join(root, generated.replace('.generated.ts', `.${name}.generated.ts`));
  const files = [join(root, generated), ...(apart ? names.map(partOf) : [])];
  if (files.every((file) => existsSync(file) && readFileSync(file, 'utf8').startsWith(stampLine))) return;
  const texts = {};
  for (const name of names)
    texts[name] = Buffer.from(await compileWasm(root, entry, name, builds[name])).toString('base64');
  if (apart) {
    for (const name of names) writeWhole(partOf(name), `${stampLine}export default '${texts[name]}';\n`);
  }
  const lines = Object.keys(builds).map((name) => {
    const value = apart ? `async () => (await import('./wasm.${name}.generated.js')).default` : `'${texts[name]}'`;
    return `  ${name}: ${value},\n`;
  });
  const keys = Object.keys(builds).map((name) => `'${name}'`);
  const type = `Readonly<Record<${keys.join(' | ')}, ${apart ? '() => Promise<string>' : 'string'}>>`;
  writeWhole(join(root, generated), `${stampLine}export const wasmBinaries: ${type} = {\n${lines.join('')}};\n`);
}
