/** The package as a user gets it: what is in it, and that strict projects of others compile against its declarations. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const inClone = (path: string): string => join(root, path);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'beltnet-package-'));
  const installed = join(folder, 'node_modules/beltnet');
  mkdirSync(installed, { recursive: true });
  cpSync(inClone('dist'), join(installed, 'dist'), { recursive: true });
  cpSync(inClone('package.json'), join(installed, 'package.json'));
  const { dependencies } = JSON.parse(readFileSync(inClone('package.json'), 'utf8')) as { dependencies: object };
  for (const name of [...Object.keys(dependencies), '@types', 'undici-types']) {
    mkdirSync(join(folder, 'node_modules', name, '..'), { recursive: true });
    symlinkSync(inClone(`node_modules/${name}`), join(folder, 'node_modules', name), 'junction');
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(
    join(folder, 'program.ts'),
    `import { Dense, Sequential, openDevice, type Device } from 'beltnet';
const device: Device = await openDevice('cpu');
const model = new Sequential([new Dense(1, { inputShape: [4], activation: 'sigmoid' })]);
model.compile({ device });
const scores: Float32Array = await model.predictOnBatch(new Float32Array(4));
export const first: number | undefined = scores[0];
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a strict project without skipLibCheck, and without types of WebGPU', () => {
  const kinds = {
    'in Node, without the DOM': { lib: ['es2023'], types: ['node'], module: 'nodenext' },
    'in a page, without Node': { lib: ['es2023', 'dom'], types: [], module: 'esnext', moduleResolution: 'bundler' },
  };
  const compilers = { 'TypeScript 7': 'typescript', 'TypeScript 5.9': 'typescript-5' };
  const cases = Object.entries(kinds).flatMap(([kind, options]) =>
    Object.entries(compilers).map(([compiler, name]) => [`${kind}, ${compiler}`, options, name] as const),
  );
  test.each(cases)('%s', (_, options, compiler) => {
    const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
    const skip = { skipLibCheck: false, skipDefaultLibCheck: true }; // of all but the compiler's own
    const compilerOptions = { ...options, ...strict, ...skip, target: 'es2023', noEmit: true };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    const tsc = inClone(`node_modules/${compiler}/bin/tsc`);
    let said = '';
    try {
      execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    } catch (error) {
      said = (error as { stdout: string }).stdout;
    }
    expect(said).toBe('');
  });
});

test('the archive has the documentation and the examples, and nothing of tests, scripts or other packages', () => {
  const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    ...{ cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], shell: process.platform === 'win32' },
  });
  const [{ files }] = JSON.parse(listed) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const wanted of [
    ...['README.md', 'LICENSE', 'CHANGELOG.md', 'CITATION.cff', 'dist/cli/main.js', 'dist/src/index.d.ts'],
    ...[
      'docs/pictures.md',
      'docs/keras.md',
      'examples/conveyor.ts',
      'bases/darknet-tiny.safetensors',
      'examples/browser/index.html',
    ],
  ])
    expect(paths).toContain(wanted);
  // Node takes a millisecond for each module: the command line is bundled, each command in few files.
  expect(paths.filter((path) => /^dist\/cli\/(?!main\.js$|parts\/)/.test(path))).toEqual([]);
  const foreign =
    /^(?!dist\/|docs\/[^/]+$|examples\/|bases\/|(README|CHANGELOG)\.md$|LICENSE$|CITATION\.cff$|package\.json$)/;
  expect(paths.filter((path) => foreign.test(path))).toEqual([]);
});
