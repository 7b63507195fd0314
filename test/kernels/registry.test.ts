/** The registry is complete: every kernel and op that a file under kernels/ defines is in it, and so in every check. */
/// <reference types="vite/client" />
import { describe, expect, test } from 'vitest';
import { sampleNumber } from '../../src/checks/checks.js';
import { kernels, ops } from '../../src/kernels/registry.js';
import { range } from '../../src/kernels/shared/wgsl-text.js';
import type { DefinedOp } from '../../src/tensor/autograd.js';
import { type Kernel, PLAIN_TARGET } from '../../src/tensor/kernel.js';

const modules = import.meta.glob<Record<string, unknown>>(
  ['../../src/kernels/**/*.ts', '../../src/tensor/elementwise.ts'],
  { eager: true },
);
const sources = import.meta.glob<string>(['../../src/kernels/**/*.ts', '../../src/tensor/elementwise.ts'], {
  eager: true,
  query: '?raw',
  import: 'default',
});

const isKernel = (value: object): value is Kernel<never> => 'twin' in value && 'outputs' in value;
const isOp = (value: object): value is DefinedOp<never> => 'apply' in value && 'forward' in value;

/** All kernels and ops among the exports, also those inside of exported objects. */
const found = { kernels: new Set<Kernel<never>>(), ops: new Set<DefinedOp<never>>() };
function collect(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (isKernel(value)) found.kernels.add(value);
  else if (isOp(value)) found.ops.add(value);
  else for (const inner of Object.values(value)) collect(inner);
}
for (const module of Object.values(modules)) for (const value of Object.values(module)) collect(value);

describe('the registry', () => {
  test('looks at all files', () => {
    expect(Object.keys(modules).length).toBeGreaterThan(40);
    expect(found.kernels.size).toBeGreaterThan(60);
  });

  test('has every kernel', () => {
    const registered = new Set(kernels.map(({ kernel }) => kernel));
    expect([...found.kernels].filter((kernel) => !registered.has(kernel)).map(({ name }) => name)).toEqual([]);
  });

  test('has every op', () => {
    const registered = new Set(ops.map(({ op }) => op));
    expect([...found.ops].filter((op) => !registered.has(op)).map(({ name }) => name)).toEqual([]);
  });

  test('no kernel or op is hidden in its file', () => {
    const hidden = Object.entries(sources).flatMap(([path, source]) =>
      [...source.matchAll(/^const (\w+) = (?:defineOp|defineKernel|elementwiseKernel)\b/gm)].map(
        ([, name]) => `${path}: ${name}`,
      ),
    );
    expect(hidden).toEqual([]);
  });

  test('samples stand behind their line, where no mutation is made', () => {
    const unmarked = Object.entries(sources)
      .filter(([path, source]) => / \w+Entry: RegistryEntry = /.test(source) && !/samples\.ts|registry\.ts/.test(path))
      .filter(([, source]) => !/\n\/\/ --- samples\n[^]*Entry: RegistryEntry = /.test(source));
    expect(unmarked.map(([path]) => path)).toEqual([]);
  });

  test('names are unique', () => {
    for (const names of [kernels.map(({ kernel }) => kernel.name), ops.map(({ op }) => op.name)])
      expect(new Set(names).size).toBe(names.length);
  });

  test('every entry has a twin, WGSL, a gradient rule or an explicit null, and a reason for its tolerance', () => {
    for (const { kernel, because } of kernels) {
      expect(typeof kernel.twin).toBe('function');
      expect(typeof kernel.wgsl).toBe('function');
      expect(because).not.toBe('');
    }
    for (const { op, because } of ops) {
      expect(op.backward === null || typeof op.backward === 'function').toBe(true);
      expect(because).not.toBe('');
    }
  });

  // NVIDIA's driver makes a maximum of `select(x, 0.0, x <= 0.0)`, which loses NaN; no software adapter shows it.
  test('no shader leaves it to a driver whether NaN is at most 0', () => {
    const views = range(16).map(() => ({ buffer: { bytes: 0 }, offset: 0, bytes: 0, dtype: 'float32' }) as const);
    const codes = kernels.flatMap(({ kernel, sample }) =>
      range(3).flatMap((index) => {
        const { inputs, attributes } = sample(sampleNumber(index));
        const shapes = inputs.map(({ shape }) => shape);
        const outputs = kernel.outputs(shapes, attributes as never).map(({ shape }) => shape);
        const operands = { inputs: shapes, outputs };
        const variants = kernel.variants?.(operands, attributes as never, PLAIN_TARGET) ?? [];
        return (variants.length > 0 ? variants : [undefined]).flatMap((variant) =>
          kernel
            .wgsl(operands, attributes as never, { ...PLAIN_TARGET, ...(variant !== undefined && { variant }) })
            .steps({ inputs: views.slice(0, shapes.length), outputs: views.slice(0, outputs.length) }, views)
            .map(({ code }) => ({ kernel: kernel.name, code })),
        );
      }),
    );
    expect(codes.length).toBeGreaterThan(3 * kernels.length);
    const trusting = codes.filter(({ code }) => /<= (f32|vec4f)?\(?0\.0/.test(code)).map(({ kernel }) => kernel);
    expect([...new Set(trusting)]).toEqual([]);
  });
});
