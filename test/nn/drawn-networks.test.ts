/** Networks that seeds draw, on both fast devices: predictions, losses, gradients and a step are those of the plain twins in float64. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device } from '../../src/index.js';
import { differencesOf } from '../support/drawn-steps.js';
import { openTestDevice } from '../support/open-devices.js';

const NETWORKS = { cpu: 16, webgpu: 3 };

let devices: Record<keyof typeof NETWORKS, Device>;
beforeAll(async () => {
  devices = { cpu: await openTestDevice('cpu'), webgpu: await openTestDevice('webgpu') };
});
afterAll(() => Object.values(devices).forEach((device) => device.destroy()));

test.each(Object.entries(NETWORKS) as [keyof typeof NETWORKS, number][])('on %s, %i of them', async (kind, count) => {
  for (let seed = 0; seed < count; seed++) expect(await differencesOf(seed, devices[kind])).toBe('');
});
