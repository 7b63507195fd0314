/**
 * Mutation check: changes a character or a word of a kernel at a time, as a slip of the hand would, and demands that the tests
 * fail. Mutations are drawn by a seed from all that the patterns below find in what computes: the kernels' twins and WGSL, the
 * generators of elementwise ones, and WebAssembly. They are made in a copy of the project, so that one may work on meanwhile.
 *
 * Usage: npm run test:mutations [-- [SEED [COUNT [PATH]]]]
 *   SEED   another draws others; default 1
 *   COUNT  default 10
 *   PATH   only in files whose path has this in it, such as wasm/depthwise
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import { buildWasm, wasmProducts } from './build-wasm.mjs';
import { root, runNode } from './steps.mjs';

const [seed = 1, count = 10] = process.argv.slice(2, 4).map(Number);
const [, , , , path = ''] = process.argv;

/** What is replaced, where it can only mean arithmetic. */
const patterns = [
  { what: 'a term with the wrong sign', find: /(?<=[\w)\]}] )\+(?= [\w($])/g, put: '-' },
  { what: 'a term with the wrong sign', find: /(?<=[\w)\]}] )-(?= [\w($])/g, put: '+' },
  { what: 'a term with the wrong sign', find: /(?<=(?:f32x4|i32x4)\.)add(?=\()/g, put: 'sub' },
  { what: 'a term with the wrong sign', find: /(?<=(?:f32x4|i32x4)\.)sub(?=\()/g, put: 'add' },
  { what: 'a term with the wrong sign', find: /(?<=\w\.|\)\.)add(?=\()/g, put: 'subtract' },
  { what: 'a term with the wrong sign', find: /(?<=\w\.|\)\.)subtract(?=\()/g, put: 'add' },
  { what: 'a factor that divides', find: /(?<=[\w)\]}] )\*(?= [\w($])/g, put: '/' },
  { what: 'a factor that divides', find: /(?<=\w\.|\)\.)multiply(?=\()/g, put: 'divide' },
  { what: 'a divisor that multiplies', find: /(?<=[\w)\]}] )\/(?= [\w($])/g, put: '*' },
  { what: 'another axis', find: /(?<=(?:strides|size|dilation|shape)\[)0(?=\])/g, put: '1' },
  { what: 'another axis', find: /(?<=(?:strides|size|dilation|shape)\[)1(?=\])/g, put: '0' },
  { what: 'a comparison turned', find: /(?<=[\w)\]}] )<(?= [\w($])/g, put: '>' },
  { what: 'a comparison turned', find: /(?<=[\w)\]}] )>(?= [\w($])/g, put: '<' },
  { what: 'a comparison turned', find: /(?<=\w\.|\)\.)below(?=\()/g, put: 'above' },
  { what: 'a wrong index', find: /(?<=\w\[)index(?=\])/g, put: '0' },
  { what: 'a start of 1 instead of 0', find: /(?<=var \w+ = )0(?=u;)/g, put: '1' },
  { what: 'a start of 1 instead of 0', find: /(?<=let \w+(?:: \w+)? = )0(?=[;,])/g, put: '1' },
  { what: 'the lesser for the greater', find: /(?<=[ (.])min(?=\()/g, put: 'max' },
  { what: 'the greater for the lesser', find: /(?<=[ (.])max(?=\()/g, put: 'min' },
  { what: "a neighbour's place", find: /(?<=(?:load|store)\([^;]*, )(?:16|32|48)(?=\))/g, put: '0' },
  { what: 'another digit of a coefficient', find: /(?<=\W0\.0*)[1-9](?=\d*\W)/g, put: '0' },
];

/** Lines that compute: no comments, imports, types or texts of errors; nor what only decides which way is quicker. */
const computes = (line) =>
  !/^\s*(\*|\/\/|\/\*|import|export (type|interface)|readonly|\.\.\.\{ (kernel|op|roundings))/.test(line) &&
  !/throw|Error|because|got \$|expects|roundings|\b(MOST|MANY|FEW|BUSY)_/.test(line);

function candidates(file) {
  const found = [];
  for (const [row, line] of read(file).split('\n').entries()) {
    if (line === '// --- samples') break; // what stands behind is no kernel
    if (!computes(line)) continue;
    const code = line.replace(/(?<!:)\/\/.*/, '');
    for (const { what, find, put } of patterns)
      for (const match of code.matchAll(find))
        found.push({ file, row, column: match.index, from: match[0], put, what });
  }
  return found;
}

const filesIn = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${String(name).split(sep).join('/')}`)
    .filter((name) => name.endsWith('.ts') && !/registry|samples|generated/.test(name))
    .toSorted();

const sources = [...filesIn('src/kernels'), ...filesIn('src/tensor'), ...filesIn('wasm')];
const texts = new Map(sources.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
const read = (file) => texts.get(file);

/** Which files each imports. Those of src/ import WebAssembly by the names of its functions. */
const wasmFunctions = [...read('wasm/index.ts').matchAll(/export \{([^}]*)\} from '\.\/([\w-]+)'/g)].flatMap(
  ([, names, file]) => names.match(/\w+/g).map((name) => [`'${name}'`, `wasm/${file}.ts`]),
);
const imports = new Map(
  sources.map((file) => {
    const text = read(file);
    const named = [...text.matchAll(/from '(\.[^']+?)(?:\.js)?'/g)].map(([, name]) =>
      join(dirname(file), `${name}.ts`).split(sep).join('/'),
    );
    const called = wasmFunctions.filter(([name]) => text.includes(name)).map(([, other]) => other);
    return [file, file.startsWith('src/kernels') ? [...named, ...called] : named];
  }),
);
function reaches(file, other, seen = new Set()) {
  if (file === other) return true;
  if (seen.has(file)) return false;
  seen.add(file);
  return (imports.get(file) ?? []).some((next) => reaches(next, other, seen));
}

const kernelsIn = (file) => [...read(file).matchAll(/\bname: '(\w+)'/g)].map(([, name]) => name);

/** Names of the kernels and ops that a file concerns: its own, or those of all files that are made of it. */
function kernelsOf(file) {
  const isKernel = file.startsWith('src/kernels') && kernelsIn(file).length > 0;
  return sources.filter((one) => (isKernel ? one === file : reaches(one, file))).flatMap(kernelsIn);
}

const isConvolution = (file) => /conv2d\/.*\.wgsl\.ts$/.test(file);
const isGenerator = (file) =>
  /src\/tensor\/(elementwise|expression|math|random\.wasm|cpu\/(expression|parts))/.test(file);
const isAssembly = (file) =>
  ['wasm/index.ts', 'wasm/philox.ts'].some((entry) => file.startsWith('wasm/') && reaches(entry, file));
const withCandidates = (accept) =>
  sources
    .filter((file) => file.includes(path) && accept(file))
    .map(candidates)
    .filter((found) => found.length > 0);
const convolutions = withCandidates(isConvolution);
const assembly = withCandidates(isAssembly);
const generators = withCandidates(isGenerator);
const others = withCandidates((file) => file.startsWith('src/kernels/') && !isConvolution(file));
/** Where the mutations of each ten are. */
const places = [
  convolutions,
  assembly,
  others,
  generators,
  assembly,
  others,
  convolutions,
  assembly,
  others,
  others,
].filter(({ length }) => length > 0);
if (places.length === 0) {
  console.error(`mutations: expects the path of a kernel or a part of it, got ${path}`);
  process.exit(2);
}

/** A small generator of its own: the choice must not change with the product's. */
let state = Math.imul(seed, 0x9e3779b1) >>> 0;
const random = (limit) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
};

/** In these a test is named after a kernel or op. On large inputs WebAssembly shows sooner than on shaders beside it. */
const [TWINS, LARGE] = ['twins', 'divided-work'].map((name) => `test/kernels/${name}.test.ts`);
/** All tests that a change of a kernel concerns: the quick ones, then the slow ones. */
const TESTS = [
  ['test/kernels', 'test/tensor', 'test/user-op.test.ts', 'test/nn/losses.test.ts', '--exclude', TWINS],
  [TWINS, 'test/golden', 'test/nn/layers.test.ts', 'test/nn/batch-independence.test.ts'],
];

runNode(join(root, 'scripts/build.mjs'));
const copy = mkdtempSync(join(tmpdir(), 'beltnet-mutations-'));
let endTests = () => {};
process.once('exit', () => {
  endTests();
  rmSync(copy, { recursive: true, force: true, maxRetries: 9 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(130));
const left = new Set(['node_modules', '.git', '.venv', 'bases', 'runs', 'demo', '.chromium']);
cpSync(root, copy, { recursive: true, preserveTimestamps: true, filter: (name) => !left.has(basename(name)) });
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');

/**
 * Runs tests in the copy up to the first that fails.
 * @returns what failed (null: nothing did), and the milliseconds of each test
 */
async function runTests(tests, limit) {
  const output = join(copy, 'mutation-tests.json');
  rmSync(output, { force: true });
  const child = spawn(
    process.execPath,
    [
      ...[join(copy, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'node', '--bail', '1'],
      ...['--reporter', 'json', '--outputFile', output, ...tests],
    ],
    {
      ...{ cwd: copy, stdio: 'ignore', detached: process.platform !== 'win32' },
      env: { ...process.env, BELTNET_EVERY_INPUT: '1' }, // of kernels; npm test leaves some to Chromium
    },
  );
  endTests = () => process.kill(process.platform === 'win32' ? child.pid : -Number(child.pid), 'SIGKILL');
  let late = false; // a mutation may turn a loop into an endless one
  const timer = setTimeout(() => ((late = true), endTests()), limit);
  const status = await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  endTests = () => {};
  if (late) return { failed: `no end within ${Math.round(limit / 1000)} s`, times: new Map() };
  let files = [];
  try {
    files = JSON.parse(readFileSync(output, 'utf8')).testResults;
  } catch {} // the run ended before there was any
  const results = files.flatMap(({ assertionResults }) => assertionResults);
  const failed = results.find((result) => result.status === 'failed')?.fullName;
  const broken = files.find((file) => file.status === 'failed')?.message.split('\n')[0];
  return {
    failed: status === 0 ? null : (failed ?? broken ?? `vitest ended with ${status}`),
    times: new Map(results.map(({ fullName, duration }) => [fullName, duration ?? 0])),
  };
}

/** Only what Node's tests load. */
async function buildWasmInCopy() {
  for (const product of wasmProducts)
    if (/index|philox/.test(product.entry))
      await buildWasm(
        copy,
        product,
        Object.keys(product.builds).filter((name) => name !== 'unsharedRelaxed'),
      );
}

/** What notices a change of a file; null: nothing does. The quickest tests come first. */
async function noticed(file, times) {
  if (file.startsWith('wasm/')) {
    try {
      await buildWasmInCopy();
    } catch {
      return 'the compiler';
    }
  }
  const name = new RegExp(`(^| )(${kernelsOf(file).join('|')})(Gradient)?(,.*)?$`);
  const sum = (some) => some.reduce((total, [, time]) => total + time, 0);
  const limit = (some) => 30_000 + 10 * sum(some);
  const own = limit([...times].filter(([test]) => name.test(test)));
  const steps = [
    ...[...(file.includes('wasm') ? [LARGE] : []), TWINS].map((tests) => [[tests, '-t', name.source], own]),
    ...TESTS.map((tests) => [tests, limit([...times])]),
  ];
  for (const [tests, most] of steps) {
    const { failed } = await runTests(tests, most);
    if (failed !== null) return failed;
  }
  return null;
}

const times = new Map();
for (const tests of TESTS) {
  const { failed, times: taken } = await runTests(tests, 1_800_000);
  if (failed !== null) {
    console.error(`the tests fail without a mutation, repair that first: ${failed}`);
    process.exit(1);
  }
  for (const [test, time] of taken) times.set(test, time);
}
console.log('the tests pass without a mutation');
let survivors = 0;
for (let number = 1; number <= count; number++) {
  const byFile = places[(number - 1) % places.length];
  const found = byFile[random(byFile.length)];
  const { file, row, column, from, put, what } = found[random(found.length)];
  const source = read(file);
  const lines = source.split('\n');
  lines[row] = lines[row].slice(0, column) + put + lines[row].slice(column + from.length);
  const start = Date.now();
  writeFileSync(join(copy, file), lines.join('\n'));
  const by = await noticed(file, times);
  writeFileSync(join(copy, file), source);
  if (file.startsWith('wasm/')) await buildWasmInCopy();
  if (by === null) survivors++;
  const seconds = Math.round((Date.now() - start) / 1000);
  console.log(`${by === null ? 'SURVIVED' : 'caught  '} ${file}:${row + 1} ${what}: ${lines[row].trim()}`);
  console.log(`         ${by === null ? '' : `by ${by}, `}${seconds} s`);
}
console.log(`${count - survivors} of ${count} mutations caught (seed ${seed})`);
process.exitCode = survivors === 0 ? 0 : 1;
