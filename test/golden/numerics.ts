/** docs/numerics.md: written by the golden test, so that its figures are measured and its tolerances are the registry's. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelErrors, opErrors, ROUNDING, type Measurement } from '../../src/checks/checks.js';
import { kernels, ops } from '../../src/kernels/registry.js';
import { openTestDevices } from '../support/open-devices.js';

const path = fileURLToPath(new URL('../../docs/numerics.md', import.meta.url));
const CASES = 5;

interface Documented {
  readonly name: string;
  readonly roundings: number;
  readonly because: string;
}

/** The columns that do not depend on a machine. */
const stable = ({ name, roundings, because }: Documented): string => `| ${name} | ${roundings} | ${because} |`;
const documentedOps = ops.map((registered) => ({ ...registered, name: registered.op.name }));
const documentedKernels = kernels.map((registered) => ({ ...registered, name: registered.kernel.name }));

/** Entries of the registry that the document lacks or has otherwise. */
export function missingTolerances(): string[] {
  const text = readFileSync(path, 'utf8').replaceAll(/ +/g, ' ');
  return [...documentedOps, ...documentedKernels].map(stable).filter((row) => !text.includes(row));
}

const worst = (measured: readonly Measurement[]): string => {
  const error = measured.reduce((largest, one) => Math.max(largest, one.error), 0);
  return error === 0 ? '0' : error.toFixed(error < 10 ? 1 : 0);
};
const scientific = (value: number): string => (value === 0 ? '0' : value.toExponential(1));

/** @param relative of each golden op: errors of webgpu, cpu and pytorch, relative to the largest value */
export async function writeNumerics(relative: ReadonlyMap<string, Readonly<Record<string, number>>>): Promise<void> {
  const devices = await openTestDevices();
  const rows = async <Entry extends Documented>(
    entries: readonly Entry[],
    measure: (device: (typeof devices)[number], entry: Entry) => Promise<Measurement[]>,
  ): Promise<string[]> => {
    const lines: string[] = [];
    for (const entry of entries) {
      const errors = [];
      for (const device of devices) errors.push(worst(await measure(device, entry)));
      lines.push(`${stable(entry)} ${errors.join(' | ')} |`);
    }
    return lines;
  };
  const opRows = await rows(documentedOps, (device, entry) => opErrors(device, entry, CASES));
  const kernelRows = await rows(documentedKernels, (device, entry) => kernelErrors(device, entry, CASES));
  const goldenRows = [...relative].map(([op, row]) => {
    const { pytorch, webgpu, cpu } = row as Record<'pytorch' | 'webgpu' | 'cpu', number>;
    const ratio = (ours: number): string => (ours / Math.max(pytorch, ROUNDING)).toFixed(2);
    return `| ${op} | ${[pytorch, webgpu, cpu].map(scientific).join(' | ')} | ${ratio(webgpu)} | ${ratio(cpu)} |`;
  });
  const names = devices.map(({ description }) => description.name);
  const columns = names.map(
    (name) => `${name.replace(/ \(.*/, '')}${/fused/.test(name) ? ', fused multiply-add' : ''}`,
  );
  const header = (what: string): string =>
    `| ${what} | tolerance, roundings | because | ${columns.map((name) => `${name}, worst`).join(' | ')} |\n` +
    `| --- | --- | --- |${' --- |'.repeat(columns.length)}`;
  const text = `# Numerics

Written by \`BELTNET_WRITE_NUMERICS=1 npm run test:golden\`; the test fails when a tolerance here is not that of the code.
Measured on: ${names.join('; ')}. \`beltnet gradcheck\` measures on your machine.

## How errors are counted

Every kernel has a twin in plain TypeScript, which the checks run in float64. An error is the difference to that, in
_roundings_: units of 2^-24, float32's relative rounding, of the largest value of the output. A tolerance is the number of
rounded operations that lead to one output, or fewer where they do not add up: errors of both signs in a sum of n
products grow with √n rather than n. Gradient rules are checked against finite differences in float64, along a random
direction, to a relative 1e-6: the truncation is near 1e-10, the cancellation near 1e-11.

WGSL promises little for \`exp\`, \`log\` and \`tanh\`, and nothing for NaN: beltnet has its own (\`src/tensor/math.wgsl.ts\`), and tests
NaN and infinity by their bits. Values below 2^-126 may count as 0 on any device.

Ops have a first derivative only. What is not differentiable (labels, running statistics) throws when a tensor that needs
a gradient meets it, and a gradient that is used on a tape again throws too: gradients of gradients are not supported.

## Beside PyTorch

Worst error over the golden cases, relative to the largest value of the output: PyTorch 1.13 in float32 on a CPU, and
ours. The ratios are to PyTorch's error or to one rounding (6.0e-8), whichever is larger: nothing can be nearer.

| golden op | PyTorch float32 | webgpu | cpu | ratio webgpu | ratio cpu |
| --- | --- | --- | --- | --- | --- |
${goldenRows.join('\n')}

## Ops, forward and backward

${header('op')}
${opRows.join('\n')}

## Kernels

${header('kernel')}
${kernelRows.join('\n')}
`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  for (const device of devices) device.destroy();
}
