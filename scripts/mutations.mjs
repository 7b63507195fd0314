/**
 * Mutation check: changes one character of a kernel at a time, as a slip of the hand would, and demands that the kernel
 * tests fail. Ten mutations are drawn by a seed (argument, default 1) from all that the patterns below find in the sources of
 * kernels, so that each is a wrong index, a dropped or turned term, a swapped stride or a missing factor. Of ten, three
 * are in the tuned convolutions, one in the matrix product, one in WebAssembly, the others anywhere else.
 *
 * Usage: npm run test:mutations [-- SEED [COUNT]]
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNode, tool } from './steps.mjs';

/** Five times what the tests take on two cores. */
const MOST_MILLISECONDS = 900_000;

const seed = Number(process.argv[2] ?? 1);
const count = Number(process.argv[3] ?? 10);

/** One character that is replaced by another, where it can only mean arithmetic: [before, character, after, replacement]. */
const patterns = [
  { what: 'a term with the wrong sign', find: /(?<=[\w)\]] )\+(?= [\w(])/g, put: '-' },
  { what: 'a term with the wrong sign', find: /(?<=[\w)\]] )-(?= [\w(])/g, put: '+' },
  { what: 'a factor that divides', find: /(?<=[\w)\]] )\*(?= [\w(])/g, put: '/' },
  { what: 'a divisor that multiplies', find: /(?<=[\w)\]] )\/(?= [\w(])/g, put: '*' },
  { what: 'another axis', find: /(?<=(?:strides|size|dilation|shape)\[)0(?=\])/g, put: '1' },
  { what: 'another axis', find: /(?<=(?:strides|size|dilation|shape)\[)1(?=\])/g, put: '0' },
  { what: 'a comparison turned', find: /(?<=[\w)\]] )<(?= [\w(])/g, put: '>' },
  { what: 'a wrong index', find: /(?<=\w\[)index(?=\])/g, put: '0' },
  { what: 'a start of 1 instead of 0', find: /(?<=var \w+ = )0(?=u;)/g, put: '1' },
];

/** Lines that compute: no comments, imports, types or texts of errors. */
const computes = (line) =>
  !/^\s*(\*|\/\/|\/\*|import|export (type|interface)|readonly|\.\.\.\{ (kernel|op|roundings))/.test(line) &&
  !/throw|Error|because|got \$|expects|roundings|random|=>\s*`|slices|Slice|SLICE|BUSY|workgroup|scratch/i.test(line);

function candidates(file) {
  const lines = readFileSync(file, 'utf8').split('\n');
  const found = [];
  for (const [row, line] of lines.entries()) {
    if (line === '// --- samples') break; // what stands behind is no kernel
    if (!computes(line)) continue;
    for (const { what, find, put } of patterns)
      for (const match of line.matchAll(find))
        found.push({ file, row, column: match.index, from: match[0], put, what });
  }
  return found;
}

/** A small generator of its own: the choice must not change with the product's. */
let state = seed >>> 0;
const random = (limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};

const filesIn = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(root, folder, String(name)))
    .filter((name) => name.endsWith('.ts') && !/registry|samples|wasm-parts|generated|\.wasm\.ts/.test(name))
    .toSorted();
const withCandidates = (files) => files.map(candidates).filter((found) => found.length > 0);
const all = filesIn('src/kernels');
const isConvolution = (file) => /conv2d.*\.wgsl\.ts$/.test(file);
const isProduct = (file) => file.endsWith('matrix-product.wgsl.ts');
const convolutions = withCandidates(all.filter(isConvolution));
const products = withCandidates(all.filter(isProduct));
const assembly = withCandidates(
  [
    ...['convolution', 'depthwise', 'matrix', 'pool', 'pooled-convolution'],
    ...['window', 'winograd', 'winograd-four', 'winograd-gradient'],
  ].map((name) => join(root, `wasm/${name}.ts`)),
);
const others = withCandidates(all.filter((file) => !isConvolution(file) && !isProduct(file)));
/** Where the mutations of each ten are. */
const places = [convolutions, others, products, others, assembly, convolutions, others, others, convolutions, others];

const build = () => runNode(join(root, 'scripts/build.mjs'));

/** All tests that a change of a kernel concerns; the first failure ends them. */
function testsFail() {
  const { status } = spawnSync(
    process.execPath,
    [
      ...[tool('vitest/vitest.mjs'), 'run', '--project', 'node', '--bail', '1', '--reporter', 'dot'],
      ...['test/kernels', 'test/tensor', 'test/golden', 'test/nn', 'test/user-op.test.ts'],
    ],
    { cwd: root, stdio: 'ignore', timeout: MOST_MILLISECONDS }, // a mutation may turn a loop into an endless one
  );
  return status !== 0;
}

build();
if (testsFail()) {
  console.error('the tests fail without a mutation; repair that first');
  process.exit(1);
}
let survivors = 0;
for (let number = 1; number <= count; number++) {
  const byFile = places[(number - 1) % places.length];
  const found = byFile[random(byFile.length)];
  const { file, row, column, from, put, what } = found[random(found.length)];
  const source = readFileSync(file, 'utf8');
  const lines = source.split('\n');
  lines[row] = lines[row].slice(0, column) + put + lines[row].slice(column + from.length);
  const restore = () => writeFileSync(file, source);
  process.once('exit', restore);
  const stop = () => process.exit(130);
  process.once('SIGINT', stop);
  writeFileSync(file, lines.join('\n'));
  if (byFile === assembly) build();
  const caught = testsFail();
  restore();
  if (byFile === assembly) build();
  process.off('exit', restore);
  process.off('SIGINT', stop);
  if (!caught) survivors++;
  console.log(
    `${caught ? 'caught  ' : 'SURVIVED'} ${file.slice(root.length)}:${row + 1} ${what}: ${lines[row].trim()}`,
  );
}
console.log(`${count - survivors} of ${count} mutations caught (seed ${seed})`);
process.exitCode = survivors === 0 ? 0 : 1;
