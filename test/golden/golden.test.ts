/**
 * The golden set against both devices, and against the reference device (the twins in float64), by the set's own tolerances.
 * Prints a line per op and device. A case of an op that beltnet does not know is a failure.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/tensor/device.js';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { openTestDevice } from '../support/open-devices.js';
import { missingTolerances, writeNumerics } from './numerics.js';
import { checks } from './checks.js';
import { cases, compare, directory, golden, isLong, note, relative, rows } from './compare.js';
import { pictureChecks } from './pictures.js';

const known = [...new Set(cases.map(({ op }) => op))].filter((op) => op in checks);

for (const kind of ['webgpu', 'cpu', 'reference'] as const) {
  describe(`golden set on ${kind}`, () => {
    let device: Device | null = null;
    const open = async (): Promise<Device> =>
      (device ??= kind === 'reference' ? new ReferenceDevice() : await openTestDevice(kind));
    afterAll(() => device?.destroy());
    for (const op of known) {
      for (const indexed of cases.filter((one) => one.op === op && !(kind === 'reference' && isLong(one)))) {
        test(`${op} ${indexed.name}`, async () => {
          expect(compare(indexed, await checks[op](golden(indexed), await open()), kind)).toBeNull();
        });
      }
    }
  });
}

describe('golden set, pictures', () => {
  for (const indexed of cases) {
    const { op, name, outputs } = indexed;
    for (const [path, check] of Object.entries(pictureChecks[op] ?? {})) {
      test(`${op} ${name}, ${path}`, () => {
        const parts = outputs.map((output) => output.slice(name.length + 1));
        const error = check(golden(indexed), parts, directory);
        note(op, path, error === 0, error, 0);
        expect(error).toBe(0);
      });
    }
  }
});

test('every case of the set is known', () => {
  expect(cases.filter(({ op }) => !(op in checks || op in pictureChecks)).map(({ name }) => name)).toEqual([]);
});

/** A result that is exact before it is rounded is off by this at most; nobody can do better. */
const ONE_ROUNDING = 2 ** -24;

describe('single ops beside PyTorch in float32', () => {
  // Those of pictures have no float32 error: their references are integers, or keras-preprocessing's in float64.
  const comparable = new Set(
    cases
      .filter(({ tolerance }) => Object.values(tolerance).some((one) => one.f32_err !== undefined))
      .map(({ op }) => op),
  );
  const single = known.filter((op) => comparable.has(op) && !op.startsWith('model_'));
  test.each(single)("%s: at most 4 times PyTorch's error", (op) => {
    const row = relative.get(op);
    for (const device of ['webgpu', 'cpu'])
      expect(row![device] / Math.max(row!['pytorch'], ONE_ROUNDING)).toBeLessThanOrEqual(4);
  });
});

describe('docs/numerics.md', () => {
  test('has every tolerance and its reason; BELTNET_WRITE_NUMERICS=1 writes it anew', async () => {
    if (process.env.BELTNET_WRITE_NUMERICS) await writeNumerics(relative);
    expect(missingTolerances()).toEqual([]);
  }, 900_000); // writing measures every kernel
});

afterAll(() => {
  const lines = [...rows].map(
    ([key, { cases: count, passed, error, allowed }]) =>
      `${key} ${String(passed).padStart(3)} of ${String(count).padStart(3)}   worst error ${error.toExponential(2)}, tolerance ${allowed.toExponential(2)}`,
  );
  console.log([`golden set ${directory}: ${cases.length} cases`, ...lines].join('\n'));
});
