/** What the tests take for equal: the same numbers in the same kind of array, and nothing else. */
import { expect, test } from 'vitest';

test('arrays of numbers are equal when all of them are, and of one kind', () => {
  const values = Float32Array.of(1, Number.NaN, 0);
  const changed = (at: number, value: number) => Object.assign(values.slice(), { [at]: value });
  expect({ values }).toEqual({ values: values.slice() });
  for (const [at, value] of [
    [0, 2],
    [1, 0],
    [2, -0],
    [2, 1e-45],
  ] as const)
    expect(values).not.toEqual(changed(at, value));
  expect(values).not.toEqual(values.subarray(1));
  expect(values).not.toEqual(new Uint8Array(values.buffer));
  expect(Buffer.from('ab')).not.toEqual(Buffer.from('ac'));
  expect(Buffer.from('xab').subarray(1)).toEqual(Buffer.from('ab'));
});
