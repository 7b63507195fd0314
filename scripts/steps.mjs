/** Small helpers of the scripts: where the project lies, and running a Node program of it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** A file of a development tool, such as `tool('typescript/bin/tsc')`. */
export const tool = (path) => join(root, 'node_modules', path);

export const hasTool = (name) => existsSync(tool(name));

/** Runs a JavaScript file with this Node, in the project's folder; when it fails, this process ends with its exit code. */
export function runNode(file, args = []) {
  const { status, error } = spawnSync(process.execPath, [file, ...args], { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
