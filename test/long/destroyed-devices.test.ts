/** Memory of many WebGPU devices, opened, used and destroyed one after another. Before it was mended: 280 MB for 40. */
import { expect, test } from 'vitest';
import { noteDevice } from '../support/devices.js';
import { collectGarbage, useWebGpuOnce } from '../support/use-device.js';

test('60 devices take hardly more memory than 20', async () => {
  noteDevice('webgpu');
  const megabytesAfter = async (rounds: number): Promise<number> => {
    for (let round = 0; round < rounds; round++) {
      await useWebGpuOnce();
      if (round % 5 === 4) await collectGarbage();
    }
    return process.memoryUsage().rss / 2 ** 20;
  };
  const before = await megabytesAfter(20);
  const after = await megabytesAfter(40);
  console.log(`${before.toFixed(0)} MB after 20 devices, ${after.toFixed(0)} MB after 60`);
  expect(after - before).toBeLessThan(100);
});
