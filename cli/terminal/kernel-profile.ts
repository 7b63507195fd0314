/** What `train --profile-kernels` prints: where a step's time goes, and how near that is to what the device can do. */
import type { StepProfile } from '../../src/index.node.js';
import { table } from './output.js';

/** Below it, starting a kernel counts for more than its work. */
const SMALL = 0.01;

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** @param batch pictures of the step */
export function profileLines({ kernels, peak }: StepProfile, batch: number): string[] {
  const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const rows = kernels.map(({ kernel, variant, isTwin, inputs, launches, milliseconds, operations, bytes }) => {
    const perSecond = (amount: number): number => (amount / milliseconds) * 1000;
    const shapes = inputs
      .filter((shape) => shape.length > 1)
      .map((shape) => shape.join('×'))
      .join(' · ');
    const works = operations !== null && milliseconds > 0;
    return [
      kernel + (isTwin ? ' (plain TypeScript: slow)' : variant === null ? '' : ` (${variant})`),
      shapes.length > 34 ? `${shapes.slice(0, 33)}…` : shapes,
      String(launches),
      milliseconds.toFixed(3),
      percent(milliseconds / total),
      ...(works
        ? [(perSecond(operations) / 1e9).toFixed(1), percent(perSecond(operations) / peak.operationsPerSecond)]
        : ['', '']),
      ...(milliseconds >= SMALL
        ? [(perSecond(bytes) / 1e9).toFixed(1), percent(perSecond(bytes) / peak.bytesPerSecond)]
        : ['', '']),
    ];
  });
  const isBeyond = kernels.some(({ operations, milliseconds }) => {
    return operations !== null && operations / milliseconds > peak.operationsPerSecond / 1000;
  });
  const header = ['kernel', 'inputs', 'calls', 'ms', 'of step', 'GFLOP/s', 'of peak', 'GB/s', 'of peak'];
  return [
    `A training step of ${batch} pictures, kernel by kernel: ${total.toFixed(2)} ms in all`,
    '',
    ...table([header, ...rows], 2),
    '',
    `Measured peak: ${(peak.operationsPerSecond / 1e9).toFixed(0)} GFLOP/s in registers, ` +
      `${(peak.bytesPerSecond / 1e9).toFixed(1)} GB/s to memory; what lies in caches may be quicker than memory.`,
    'FLOP are those that the result needs, bytes each input and output once.',
    ...(isBeyond
      ? [
          'More than 100 % of the peak in GFLOP/s: the kernel needs fewer operations than are counted (Winograd’s convolution 4/9 of',
          'the multiplications), or the machine was busy with other work while the peak was measured.',
        ]
      : []),
  ];
}
