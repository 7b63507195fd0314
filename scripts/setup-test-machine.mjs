/**
 * Makes the machine fit for the tests: a GPU that Dawn accepts in Node (a software driver will do), a Chromium, GNU parallel,
 * and Open MPI.
 * On Debian as root it installs packages and says so; anywhere else it prints what to do and fails.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findChromium, probeGpu } from './machine.mjs';

const packages = ['chromium', 'libvulkan1', 'parallel', 'openmpi-bin'];

export function setUpTestMachine({ browser }) {
  let missing = findMissing(browser);
  if (missing.length === 0) return;

  console.log(`The tests need what this machine lacks: ${missing.join('; ')}.`);
  if (isDebian() && process.getuid?.() === 0) {
    console.log('Chromium brings a software Vulkan driver (SwiftShader), which serves the tests in Node too.');
    installPackages();
    missing = findMissing(browser);
    if (missing.length === 0) return;
    console.error(`Installed ${packages.join(' and ')}, but still missing: ${missing.join('; ')}.`);
  } else {
    console.error(advice());
  }
  process.exit(1);
}

function findMissing(browser) {
  const missing = [];
  if (!probeGpu()) missing.push('a GPU driver that Dawn (WebGPU in Node) accepts');
  if (spawnSync('parallel', ['--version']).status !== 0) missing.push('GNU parallel');
  if (spawnSync('mpirun', ['--version']).status !== 0) missing.push('Open MPI (mpirun)');
  if (browser && !findChromium()) missing.push('Chromium or Chrome');
  return missing;
}

function isDebian() {
  return existsSync('/etc/os-release') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function installPackages() {
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  if (aptGet(install) === 0) return;
  console.log('The package lists may be missing or out of date.');
  if (aptGet(['update']) === 0 && aptGet(install) === 0) return;
  console.error('apt-get failed: see its message above.');
  process.exit(1);
}

function aptGet(args) {
  console.log(`> apt-get ${args.join(' ')}`);
  return spawnSync('apt-get', args, { stdio: 'inherit', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
    .status;
}

function advice() {
  switch (process.platform) {
    case 'darwin':
      return 'Install Chrome or Chromium (brew install parallel open-mpi; brew install --cask chromium), or set BELTNET_CHROMIUM to its path. The GPU needs macOS with Metal.';
    case 'win32':
      return 'Install Chrome (winget install Google.Chrome), or set BELTNET_CHROMIUM to its path. The GPU needs a driver with Direct3D 12.';
    default:
      return [
        'On Debian, as root:   apt-get install -y chromium libvulkan1 parallel openmpi-bin',
        'On Ubuntu, as root:   apt-get install -y mesa-vulkan-drivers libvulkan1 parallel openmpi-bin   and Chrome from https://www.google.com/chrome',
        'Elsewhere: a Vulkan driver (Mesa 23 or newer; its lavapipe needs no GPU), libvulkan.so.1, GNU parallel, Open MPI, and Chromium or Chrome.',
        'BELTNET_CHROMIUM may name the browser, VK_ICD_FILENAMES the driver.',
      ].join('\n');
  }
}
