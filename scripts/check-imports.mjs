/**
 * Keeps the import direction: a folder may import from itself, from the leaves (for
 * Node also src/files.node.ts, src/lock.node.ts, src/memory.node.ts and src/worker-thread.node.ts) and from what stands beside
 * it here.
 * Part of `npm run lint`. The linter's own import bans would state each rule twice (Node and browser) and miss `import()`.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { root } from './steps.mjs';

const allowed = {
  'src/tensor': [],
  'src/kernels': ['src/tensor'],
  'src/optim': ['src/kernels', 'src/tensor'],
  'src/distributed': ['koffi'],
  'src/nn': ['src/optim', 'src/kernels', 'src/tensor', 'src/distributed/group'],
  'src/data': ['src/tensor/random', 'src/tensor/exact-math', 'fflate', 'papaparse', 're2js', '@noble/hashes'],
  'src/checks': ['src/nn', 'src/optim', 'src/kernels', 'src/tensor'],
  'src/formats': [
    ...['src/nn', 'src/optim', 'src/kernels/shared/window', 'src/tensor/shape', 'src/data/sources/zip'],
    ...['valibot', 'jsfive', 'h5wasm', '@noble/hashes'],
  ],
  'src/classifier': [
    ...['src/formats', 'src/nn', 'src/optim', 'src/data', 'papaparse'],
    ...[
      'src/tensor/autograd',
      'src/tensor/device',
      'src/tensor/open-device',
      'src/tensor/open-device.node',
      'src/tensor/random',
      'src/tensor/exact-math',
      'src/tensor/shape',
      'src/tensor/tensor',
      'src/tensor/reference/reference-device',
      'papaparse',
    ],
  ],
  'src/serve': ['src/classifier', 'src/formats/beltnet', 'src/data/pictures', 'src/data/sources/relabel.node'],
  'src/line': [
    ...['src/classifier', 'src/data', 'src/formats/json', 'src/formats/beltnet', 'src/serve', 'valibot', 'papaparse'],
    ...['mqtt', 'jsmodbus', 'prom-client'],
    ...['src/tensor/device', 'src/tensor/open-device', 'src/tensor/open-device.node'],
    ...['src/tensor/exact-math', 'src/tensor/random'],
  ],
  src: [], // index.ts and index.node.ts, above them all
  cli: ['src/index.node', 'commander', 'node:'],
  'web/page': [
    'src/index',
    'src/classifier',
    'web/shared',
    'preact',
    '@tanstack/virtual-core',
    'fflate',
    'idb',
    'dist/report',
  ],
  'web/shared': ['uplot'],
};

/** What all may import. */
const leaves = ['src/errors', 'src/expect', 'src/options', 'src/turns'];

/** In src/ only *.node.ts may import these, and only *.node.ts may import *.node.ts: the rest runs in browsers. */
const nodeOnly = ['node:', 'webgpu'];

const statement =
  /^[ \t]*(?:import|export)\s+(?:[\w\s{},*$]*?\bfrom\s*)?['"]([^'"]+)['"]|\bimport\(\s*(?:\/\*.*?\*\/\s*)?['"]([^'"]+)['"]/gm;

const covers = (name, target) => target === name || target.startsWith(name.endsWith(':') ? name : `${name}/`);

function violations(file) {
  const folder = Object.keys(allowed).find((name) => covers(name, file));
  const forNode = folder === 'cli' || file.endsWith('.node.ts');
  const open = [
    folder,
    ...leaves,
    ...allowed[folder],
    ...(forNode && folder !== 'cli'
      ? [...nodeOnly, ...['files', 'lock', 'memory', 'worker-thread'].map((name) => `src/${name}.node`)]
      : []),
  ];
  const source = readFileSync(join(root, file), 'utf8');
  const found = [];
  for (const match of source.matchAll(statement)) {
    const specifier = match[1] ?? match[2];
    const relative = specifier.startsWith('.');
    const target = relative ? posix.join(posix.dirname(file), specifier).replace(/\.js$/, '') : specifier;
    const fits = open.some((name) => covers(name, target)) && (forNode || !target.endsWith('.node'));
    if (fits) continue;
    const line = source.slice(0, match.index).split('\n').length;
    const reach = [folder, ...leaves, ...allowed[folder]].join(', ');
    found.push(
      `${file}:${line}: imports '${specifier}'; ${forNode ? '' : 'code for browsers in '}${folder} may import: ${reach}`,
    );
  }
  return found;
}

const files = ['src', 'cli', 'web/page'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true }).map((name) => posix.join(folder, name.replaceAll('\\', '/'))),
);
const found = files.filter((file) => /\.tsx?$/.test(file)).flatMap(violations);
if (found.length > 0) {
  console.error(`${found.join('\n')}\n${found.length} imports against the direction (scripts/check-imports.mjs)`);
  process.exit(1);
}
