/** The GPU of the tests, the same call in Node (Dawn) and in Chromium, so that one test file runs in both. */
import { noteDevice } from './devices.js';

declare global {
  var beltnetTestGpu: GPU | undefined;
}

/** True in Chromium, false in Node. */
export const inBrowser = typeof document !== 'undefined';

export function getGpu(): GPU {
  const gpu = inBrowser ? navigator.gpu : globalThis.beltnetTestGpu;
  if (!gpu) throw new Error('this test needs WebGPU; the set-up file of its vitest project provides it');
  noteDevice('webgpu');
  return gpu;
}

/** An adapter; none is a failure of the test, never a reason to skip it. */
export async function getAdapter(): Promise<GPUAdapter> {
  const adapter = await getGpu().requestAdapter();
  if (!adapter)
    throw new Error(`no WebGPU adapter in ${inBrowser ? 'Chromium' : 'Node'}: run "npm test", which sets one up`);
  return adapter;
}
