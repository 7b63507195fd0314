/** After each test file, in Node and in Chromium: hand the devices that it used to the reporter. */
import { afterAll } from 'vitest';
import { getAdapter, inBrowser } from '../support/gpu.js';

declare module 'vitest' {
  interface TaskMeta {
    /** Lines such as `webgpu in Chromium on google swiftshader (software)`. */
    devices?: string[];
  }
}

afterAll(async ({}, suite) => {
  const devices: string[] = [];
  const place = inBrowser ? 'Chromium' : 'Node';
  for (const device of globalThis.beltnetTestDevices ?? []) {
    devices.push(device === 'webgpu' ? `webgpu in ${place} on ${await adapterName()}` : `cpu device in ${place}`);
  }
  globalThis.beltnetTestDevices?.clear();
  suite.file.meta.devices = devices;
});

async function adapterName(): Promise<string> {
  const { vendor, architecture, isFallbackAdapter } = (await getAdapter()).info;
  return `${vendor} ${architecture} (${isFallbackAdapter ? 'software' : 'hardware'})`;
}
