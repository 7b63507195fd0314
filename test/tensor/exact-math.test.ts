/** Functions from exact operations only, against values of mpmath and against those of `Math`, which is within an ulp or two. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cos, exp, expm1, log, log1p, pow, sin, tanh } from '../../src/tensor/exact-math.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

const exact = { exp, expm1, log, log1p, tanh, sin, cos, pow };
type Name = keyof typeof exact;
const call = (from: Readonly<Record<Name, (x: number, y: number) => number>>, name: Name, numbers: readonly number[]) =>
  from[name](numbers[0], numbers[1]);

const reference = JSON.parse(readFileSync(new URL('./exact-math.reference.json', import.meta.url), 'utf8')) as Record<
  Name,
  readonly (readonly number[])[]
>;

/** The distance to the next float64 away from 0. */
function ulp(x: number): number {
  const bits = new BigInt64Array(Float64Array.of(Math.abs(x)).buffer);
  const here = Math.abs(x);
  bits[0]++;
  return new Float64Array(bits.buffer)[0] - here;
}

/** What each promises, in ulp, and half for the rounding of the reference. */
const promised: Readonly<Record<Name, (...numbers: number[]) => number>> = {
  ...{ exp: () => 1.2, expm1: () => 3, log: () => 1, log1p: () => 1.5, tanh: () => 3, sin: () => 1, cos: () => 1 },
  pow: (x, y) => (Number.isInteger(y) ? 1 : 2 + 2 * Math.abs(y * Math.log(x))),
};

describe('within the promised error of', () => {
  test.each(Object.keys(promised) as Name[])('%s: values of many digits', (name) => {
    expect(reference[name].length).toBeGreaterThan(20);
    for (const row of reference[name]) {
      const numbers = row.slice(0, -1);
      const expected = row.at(-1)!;
      const error = Math.abs(call(exact, name, numbers) - expected) / ulp(expected);
      expect({
        of: `${name}(${numbers.join(', ')})`,
        isSmall: error <= promised[name](...numbers) + 0.5,
      }).toMatchObject({ isSmall: true });
    }
  });

  test.each(Object.keys(promised) as Name[])('%s: what Math has, at many places', (name) => {
    const random = new Random(11, RandomStream.synthetic);
    const wrong: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      const x = name === 'log' || name === 'pow' ? random.uniform(0.1, 4) : random.uniform(-0.95, 12);
      const numbers = name === 'pow' ? [x, i % 2 ? random.integer(200) : random.uniform(-5, 5)] : [x];
      const expected = call(Math, name, numbers);
      const error = Math.abs(call(exact, name, numbers) - expected) / ulp(expected);
      if (!(error <= promised[name](...numbers) + 2)) wrong.push(`${name}(${numbers.join(', ')})`);
    }
    expect(wrong).toEqual([]);
  });
});

test('special values are those of Math', () => {
  const numbers = [0, -0, 1, -1, NaN, Infinity, -Infinity, 5e-324, 1e-310, 1e308, -745.2, 709.79, 710];
  for (const name of ['exp', 'expm1', 'log', 'tanh'] as const) {
    const wrong = numbers.filter((x) => {
      const [expected, got] = [Math[name](x), exact[name](x)];
      return !Object.is(got, expected) && !(Math.abs(got - expected) <= 4 * ulp(expected));
    });
    expect({ name, wrong }).toEqual({ name, wrong: [] });
  }
  expect(pow(0, 0)).toBe(1);
  expect(pow(-2, 3)).toBe(-8);
  expect(pow(2, -3)).toBe(0.125);
  expect(pow(-2, 0.5)).toBeNaN();
  expect(pow(0, 0.5)).toBe(0);
});
