/** Once before the Node tests: the GPU that they will use. None is a failure, never a skip. */
import { tmpdir } from 'node:os';
import { probeGpu } from '../../scripts/machine.mjs';

export default function setup(): void {
  process.env['XDG_RUNTIME_DIR'] ??= tmpdir(); // Mesa complains on stderr without it
  const found = probeGpu();
  if (!found) {
    throw new Error(
      'the tests need a WebGPU adapter in Node; Dawn found none. "npm test" sets one up (on Debian as root) or says how',
    );
  }
  if (found.icd) process.env['VK_ICD_FILENAMES'] = found.icd; // the test processes inherit it
}
