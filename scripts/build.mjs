/**
 * Builds dist/: the WebAssembly kernels (wasm/*.ts, AssemblyScript) into src/tensor/wasm.generated.ts, then everything
 * with TypeScript. The binaries are inlined as base64 so that Node, bundlers and browsers need no extra file.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { root, runNode, tool } from './steps.mjs';

const generated = join(root, 'src/tensor/wasm.generated.ts');

const flags = ['-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--importMemory', '--noExportMemory'];
/**
 * The same kernels four times: for a memory that worker threads share and for where SharedArrayBuffer is missing, each with
 * fused multiply-add (relaxed SIMD) and for engines without it.
 */
const shared = ['--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'];
const builds = {
  shared: [...flags, '--enable', 'simd,threads', ...shared],
  sharedRelaxed: [...flags, '--enable', 'simd,relaxed-simd,threads', ...shared],
  unshared: [...flags, '--enable', 'simd', '--initialMemory', '1'],
  unsharedRelaxed: [...flags, '--enable', 'simd,relaxed-simd', '--initialMemory', '1'],
};

/** Names the sources, the flags and the compiler; an equal stamp means that there is nothing to do. */
function wasmStamp() {
  const hash = createHash('sha256').update(JSON.stringify(builds));
  const compiler = tool('assemblyscript/package.json');
  const sources = readdirSync(join(root, 'wasm')).filter((name) => name.endsWith('.ts'));
  for (const file of [compiler, ...sources.toSorted().map((name) => join(root, 'wasm', name))]) {
    hash.update(file.slice(root.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

async function compileWasm(name) {
  const { default: asc } = await import('assemblyscript/asc');
  let binary;
  let messages = '';
  const { error } = await asc.main(['wasm/index.ts', '--baseDir', root, '--outFile', 'out.wasm', ...builds[name]], {
    stderr: { write: (text) => (messages += text) },
    writeFile: (_, contents) => void (binary = contents),
  });
  if (error) throw new Error(`asc failed on wasm/index.ts (${name})\n${messages}`);
  checkWasm(binary, name);
  return binary;
}

/** The kernels work on memory that others laid out: they import it, nothing else, and bring no data of their own. */
function checkWasm(binary, name) {
  // Node 20 knows relaxed SIMD, newer ones have it without the flag.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(binary)).map(
    (entry) => `${entry.module}.${entry.name}`,
  );
  if (imports.join() !== 'env.memory') {
    throw new Error(`wasm (${name}) must import env.memory only, it imports: ${imports.join(', ') || 'nothing'}`);
  }
  if (sectionIds(binary).includes(11)) {
    throw new Error(
      `wasm (${name}) has a data section, which would overwrite buffers: no strings, no static arrays, no new`,
    );
  }
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

async function buildWasm() {
  const stampLine = `// Made by scripts/build.mjs from wasm/*.ts; do not edit. ${wasmStamp()}\n`;
  if (existsSync(generated) && readFileSync(generated, 'utf8').startsWith(stampLine)) return;
  const lines = [];
  for (const name of Object.keys(builds)) {
    lines.push(`  ${name}: '${Buffer.from(await compileWasm(name)).toString('base64')}',\n`);
  }
  const type = `Readonly<Record<${Object.keys(builds)
    .map((name) => `'${name}'`)
    .join(' | ')}, string>>`;
  mkdirSync(join(root, 'src/tensor'), { recursive: true });
  writeFileSync(generated, `${stampLine}export const wasmBinaries: ${type} = {\n${lines.join('')}};\n`);
}

await buildWasm();
rmSync(join(root, 'dist'), { recursive: true, force: true });
runNode(tool('typescript/bin/tsc'), ['-p', 'tsconfig.json']);
chmodSync(join(root, 'dist/cli/main.js'), 0o755);
