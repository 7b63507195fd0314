/** A device of its own that trains a small model, predicts, and is destroyed. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Conv2D, Dense, Flatten, openDevice, Sequential } from '../../src/index.node.js';

/** @returns a reference that does not keep the device */
export async function useWebGpuOnce(): Promise<WeakRef<object>> {
  const device = await openDevice('webgpu');
  const model = new Sequential([
    new Conv2D(8, 3, { inputShape: [16, 16, 3], activation: 'relu' }),
    new Flatten(),
    new Dense(1, { activation: 'sigmoid' }),
  ]).compile({ device });
  const pictures = new Float32Array(2 * 16 * 16 * 3).fill(0.5);
  await model.trainOnBatch(pictures, [0, 1]);
  await model.predictOnBatch(pictures);
  device.destroy();
  return new WeakRef(device);
}

/** Collects what nothing refers to. Objects of a driver are freed a turn of the event loop later. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
}
