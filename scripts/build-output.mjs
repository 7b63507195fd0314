/**
 * What a build leaves: whether it is still what the sources ask for, and how new files take the place of old ones while others use
 * them.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What dist/ is made from. */
const inputs = [
  ...['src', 'cli', 'wasm', 'web', 'package.json', 'package-lock.json', 'tsconfig.json'],
  ...['build', 'build-wasm', 'build-output', 'steps', 'wasm-instructions'].map((name) => `scripts/${name}.mjs`),
];
const isGenerated = (path) => path.endsWith('.generated.ts');

/** Says what the last build was made from, and what it left. */
const RECORD = 'dist/.built';
/** Where a build makes its files; its process follows. */
const NEXT = '.next-';

/** All files below a folder (or the file itself), by their paths from `root`, in order. */
function filesBelow(root, path) {
  const whole = join(root, path);
  if (!existsSync(whole)) return [];
  if (!statSync(whole).isDirectory()) return [path];
  return readdirSync(whole)
    .toSorted()
    .filter((name) => !name.startsWith(NEXT))
    .flatMap((name) => filesBelow(root, `${path}/${name}`));
}

function digestOfInputs(root) {
  const hash = createHash('sha256');
  for (const path of inputs.flatMap((input) => filesBelow(root, input)))
    if (!isGenerated(path))
      hash
        .update(`${path}\0`)
        .update(readFileSync(join(root, path)))
        .update('\0');
  return hash.digest('hex');
}

/** Size and time of every output; what was changed by hand is another. */
const outputsOf = (root) =>
  Object.fromEntries(
    [...filesBelow(root, 'dist').filter((path) => path !== RECORD), ...filesBelow(root, 'src').filter(isGenerated)].map(
      (path) => {
        const { size, mtimeMs } = statSync(join(root, path));
        return [path, `${size} ${mtimeMs}`];
      },
    ),
  );

/** Whether the last build was made from the very inputs that are there now, and all that it left is there as it left it. */
export function isBuilt(root) {
  try {
    const { digest, outputs } = JSON.parse(readFileSync(join(root, RECORD), 'utf8'));
    return JSON.stringify(outputs) === JSON.stringify(outputsOf(root)) && digest === digestOfInputs(root);
  } catch {
    return false; // never built, or a record that nobody can read
  }
}

export function writeWhole(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}

/** A build in the making. It begins before anything is read; `publish` follows what is made, `end` when all is. */
export class Build {
  constructor(root) {
    this.root = root;
    this.dist = join(root, 'dist');
    /** Where files are made, as they will lie in dist/. */
    this.next = join(this.dist, `${NEXT}${process.pid}`);
    this.digest = digestOfInputs(root);
    this.made = new Set();
    rmSync(this.next, { recursive: true, force: true });
  }

  /** Moves what was made into dist/, file by file, each of them whole at any moment; equal ones stay what they are. */
  publish() {
    for (const path of filesBelow(this.next, '.')) {
      const [made, published] = [join(this.next, path), join(this.dist, path)];
      this.made.add(published);
      if (existsSync(published) && readFileSync(published).equals(readFileSync(made))) continue;
      mkdirSync(dirname(published), { recursive: true });
      renameSync(made, published);
    }
    rmSync(this.next, { recursive: true, force: true });
  }

  /** Removes what no source asks for any more, and records the build. */
  end() {
    for (const path of filesBelow(this.root, 'dist'))
      if (!this.made.has(join(this.root, path))) rmSync(join(this.root, path));
    for (const name of readdirSync(this.dist))
      if (name.startsWith(NEXT) && !isAlive(Number(name.slice(NEXT.length))))
        rmSync(join(this.dist, name), { recursive: true, force: true });
    writeWhole(join(this.root, RECORD), JSON.stringify({ digest: this.digest, outputs: outputsOf(this.root) }));
  }
}

function isAlive(process_) {
  try {
    return process.kill(process_, 0);
  } catch ({ code }) {
    return code === 'EPERM';
  }
}
