/**
 * Makes the machine fit for the tests: a GPU that Dawn accepts in Node (a software driver will do), a Chromium, and the programs
 * that beltnet is tried with.
 * On Debian as root it installs packages and says so; anywhere else it prints what to do and fails.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findChromium, probeGpu } from './machine.mjs';

/** Programs of others, how each is asked whether it is there, and Debian's package. */
const programs = [
  { name: 'GNU parallel', command: ['parallel', '--version'], package: 'parallel' },
  { name: 'Open MPI (mpirun)', command: ['mpirun', '--version'], package: 'openmpi-bin' },
  { name: 'ffmpeg', command: ['ffmpeg', '-version'], package: 'ffmpeg' },
  { name: 'curl', command: ['curl', '--version'], package: 'curl' },
];
const packages = ['chromium', 'libvulkan1', ...programs.map((program) => program.package)];

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
  for (const { name, command } of programs)
    if (spawnSync(command[0], command.slice(1)).status !== 0) missing.push(name);
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
      return 'Install Chrome or Chromium (brew install parallel open-mpi ffmpeg; brew install --cask chromium), or set BELTNET_CHROMIUM to its path. The GPU needs macOS with Metal.';
    case 'win32':
      return 'Install Chrome (winget install Google.Chrome), or set BELTNET_CHROMIUM to its path. The GPU needs a driver with Direct3D 12.';
    default:
      return [
        'On Debian, as root:   apt-get install -y chromium libvulkan1 parallel openmpi-bin ffmpeg curl',
        'On Ubuntu, as root:   apt-get install -y mesa-vulkan-drivers libvulkan1 parallel openmpi-bin ffmpeg curl   and Chrome from https://www.google.com/chrome',
        'Elsewhere: a Vulkan driver (Mesa 23 or newer; its lavapipe needs no GPU), libvulkan.so.1, GNU parallel, Open MPI, ffmpeg, curl, and Chromium or Chrome.',
        'BELTNET_CHROMIUM may name the browser, VK_ICD_FILENAMES the driver.',
      ].join('\n');
  }
}
