/** `npm test`: sets the machine up, builds (worker threads load from dist), runs vitest. Arguments go to vitest. */
import { root, runNode, tool } from './steps.mjs';
import { setUpTestMachine } from './setup-test-machine.mjs';
import { join } from 'node:path';

const args = process.argv.slice(2);
const projects = args.filter((arg, i) => arg.startsWith('--project=') || args[i - 1] === '--project');
setUpTestMachine({ browser: projects.length === 0 || projects.some((project) => project.endsWith('browser')) });
if (projects.some((project) => project.endsWith('long'))) process.env.BELTNET_LONG = '1';
runNode(join(root, 'scripts/build.mjs'));
runNode(tool('vitest/vitest.mjs'), ['run', ...args]);
