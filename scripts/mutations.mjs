/**
 * Mutation check: changes one character of a kernel at a time, as a slip of the hand would, and demands that the kernel
 * tests fail. Ten mutations are drawn by a seed (argument, default 1) from all that the patterns below find in the sources of
 * kernels, so that each is a wrong index, a dropped or turned term, a swapped stride or a missing factor.
 *
 * Usage: npm run test:mutations [-- SEED [COUNT]]
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNode, tool } from './steps.mjs';

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
  let outside = false; // the samples at the end of a file are no kernel
  for (const [row, line] of lines.entries()) {
    if (/^(const|export const) .*(Kernels|Ops|because|tolerance|sample)\b/.test(line)) outside = true;
    if (outside || !computes(line)) continue;
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

const folder = join(root, 'src/kernels');
const files = readdirSync(folder, { recursive: true })
  .map((name) => join(folder, String(name)))
  .filter((name) => name.endsWith('.ts') && !/registry|samples|wasm|generated/.test(name))
  .toSorted();
const byFile = files.map(candidates).filter((found) => found.length > 0);

/** All tests that a change of a kernel concerns; the first failure ends them. */
function testsFail() {
  const { status } = spawnSync(
    process.execPath,
    [
      ...[tool('vitest/vitest.mjs'), 'run', '--project', 'node', '--bail', '1', '--reporter', 'dot'],
      ...['test/kernels', 'test/tensor', 'test/golden', 'test/nn', 'test/user-op.test.ts'],
    ],
    { cwd: root, stdio: 'ignore' },
  );
  return status !== 0;
}

runNode(join(root, 'scripts/build.mjs'));
if (testsFail()) {
  console.error('the tests fail without a mutation; repair that first');
  process.exit(1);
}
let survivors = 0;
for (let number = 1; number <= count; number++) {
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
  const caught = testsFail();
  restore();
  process.off('exit', restore);
  process.off('SIGINT', stop);
  if (!caught) survivors++;
  console.log(
    `${caught ? 'caught  ' : 'SURVIVED'} ${file.slice(root.length)}:${row + 1} ${what}: ${lines[row].trim()}`,
  );
}
console.log(`${count - survivors} of ${count} mutations caught (seed ${seed})`);
process.exitCode = survivors === 0 ? 0 : 1;
