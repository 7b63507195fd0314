/** A device that was destroyed leaves nothing behind: its shaders and pipelines are 7 MB on a software adapter. */
import { expect, test } from 'vitest';
import { noteDevice } from '../support/devices.js';
import { collectGarbage, useWebGpuOnce } from '../support/use-device.js';

test('nothing keeps WebGPU devices that were destroyed', async () => {
  noteDevice('webgpu');
  const used = [await useWebGpuOnce(), await useWebGpuOnce(), await useWebGpuOnce()];
  await collectGarbage();
  expect(used.map((reference) => reference.deref() === undefined)).toEqual([true, true, true]);
});
