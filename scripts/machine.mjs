/**
 * What the tests need from the machine: a GPU that Dawn accepts in Node, and a Chromium.
 * Used by the set-up step of `npm test` and by vitest.config.ts; the product does not load it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The software Vulkan driver that comes with Debian's chromium; Dawn in Node can use it too. */
export const swiftShaderIcd = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** The path of a Chromium (or Chrome): BELTNET_CHROMIUM, else the usual places; undefined when there is none. */
export function findChromium() {
  if (process.env.BELTNET_CHROMIUM) return process.env.BELTNET_CHROMIUM;
  return chromiumPlaces().find((path) => existsSync(path));
}

function chromiumPlaces() {
  if (process.platform === 'darwin') {
    return [
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    ];
  }
  if (process.platform === 'win32') {
    const roots = [process.env.PROGRAMFILES, process.env['PROGRAMFILES(X86)'], process.env.LOCALAPPDATA];
    const programs = ['Chromium\\Application\\chrome.exe', 'Google\\Chrome\\Application\\chrome.exe'];
    return roots.flatMap((root) => (root ? programs.map((program) => join(root, program)) : []));
  }
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter).filter(Boolean)];
  return folders.flatMap((folder) => names.map((name) => join(folder, name)));
}

/**
 * Asks Dawn for an adapter in a child process (a driver that crashes takes only the child with it).
 * @returns {{ adapter: string, icd?: string } | undefined} what was found, and the Vulkan driver file to set for it
 */
export function probeGpu() {
  try {
    const script = fileURLToPath(new URL('probe-gpu.mjs', import.meta.url));
    const output = execFileSync(process.execPath, [script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return JSON.parse(output) ?? undefined;
  } catch {
    return undefined;
  }
}
