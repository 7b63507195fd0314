/** Gives libraries that are made for browsers the `navigator.gpu` that they look for: Dawn, as beltnet uses it in Node. */
import { tmpdir } from 'node:os';

let kept; // Dawn's objects crash the process when they are collected

/** @returns the adapter's name @throws Error when there is no adapter */
export async function provideGpu() {
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  const { create, globals } = await import('webgpu');
  kept = create([]);
  Object.assign(globalThis, globals);
  globalThis.navigator ??= { userAgent: 'Node' };
  Object.defineProperty(globalThis.navigator, 'gpu', { value: kept, configurable: true });
  const adapter = await kept.requestAdapter();
  if (!adapter) throw new Error('no WebGPU adapter');
  return adapter.info.description || adapter.info.device || adapter.info.vendor;
}
