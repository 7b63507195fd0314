/** Which devices a test file really used; the reporter sums it up at the end of the run. */
export type TestDevice = 'webgpu' | 'cpu';

/** Shared through globalThis: the set-up file and the tests may load this module apart. */
declare global {
  var beltnetTestDevices: Set<TestDevice> | undefined;
}

/** Call it where a test opens a device. `getGpu()` does so for webgpu. */
export function noteDevice(device: TestDevice): void {
  (globalThis.beltnetTestDevices ??= new Set()).add(device);
}
