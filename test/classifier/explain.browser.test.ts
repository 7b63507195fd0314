/** Heat maps in a browser: PyTorch's numbers there, too, on WebGPU and on the cpu device. */
import { gradCam, openDevice } from 'beltnet';
import { describe, expect, test } from 'vitest';
import { noteDevice } from '../support/devices.js';
import { pictures, referenceModel } from './explain-reference.js';
import reference from './explain.reference.json' with { type: 'json' };

describe.each(['cpu', 'webgpu'] as const)('%s', (name) => {
  test.each(reference.cases)('$units units, classes $asked', async ({ units, asked, heat }) => {
    noteDevice(name);
    const device = await openDevice(name);
    const model = referenceModel(units).compile({ device });
    const values = (await gradCam(model, pictures, asked)).flatMap((map) => [...map.values]);
    const largest = Math.max(...heat);
    for (const [at, value] of values.entries()) expect(Math.abs(value - heat[at]) / largest).toBeLessThan(1e-4);
    model.destroy();
    device.destroy();
  });
});
