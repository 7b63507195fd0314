/** `npm run test:pytorch`: the exported weights and the example in PyTorch itself. Arguments go to vitest. */
import { spawnSync } from 'node:child_process';
import { root, runNode, tool } from './steps.mjs';
import { join } from 'node:path';

const named = process.env.BELTNET_PYTHON;
const candidates = named ? [named] : ['python3', 'python'];
const python = candidates.find(
  (program) => spawnSync(program, ['-c', 'import torch, PIL'], { stdio: 'ignore' }).status === 0,
);
if (!python) {
  console.error(
    `expects a Python with torch and Pillow, got none in ${candidates.join(', ')}; install them ` +
      '(on Debian: apt-get install python3-torch python3-pil), or name another Python in BELTNET_PYTHON',
  );
  process.exit(1);
}
process.env.BELTNET_PYTHON = python;
runNode(join(root, 'scripts/build.mjs'));
runNode(tool('vitest/vitest.mjs'), ['run', '--project', 'pytorch', ...process.argv.slice(2)]);
