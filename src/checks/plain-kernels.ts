/** Kernels that a device runs as their plain TypeScript: what `beltnet devices` tells of the cpu device. */
import { kernels } from '../kernels/registry.js';
import { expectDevice, type Device } from '../tensor/device.js';
import { sampleNumber } from './checks.js';

/** Samples of each kernel that are looked at. */
const SAMPLES = 32;

/** Names of kernels that the device has nothing quicker for, with all of their samples or with some. */
export function plainKernels(device: Device): { readonly always: string[]; readonly sometimes: string[] } {
  expectDevice(device, 'plainKernels: device');
  const [always, sometimes]: string[][] = [[], []];
  for (const { kernel, sample } of kernels) {
    const plain = Array.from({ length: SAMPLES }, (_, index) => {
      const { inputs, attributes } = sample(sampleNumber(index));
      const shapes = inputs.map(({ shape }) => shape);
      const outputs = kernel.outputs(shapes, attributes as never).map(({ shape }) => shape);
      return device.runsTwin({ kernel, shapes: { inputs: shapes, outputs }, attributes: attributes as never });
    });
    if (plain.every(Boolean)) always.push(kernel.name);
    else if (plain.some(Boolean)) sometimes.push(kernel.name);
  }
  return { always, sometimes };
}
