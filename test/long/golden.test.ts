/** What is too slow for every day of the golden set: the full network's training on the reference device, in float64. */
import { expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/tensor/reference/reference-device.js';
import { checks } from '../golden/checks.js';
import { cases, compare, golden, isLong } from '../golden/compare.js';

test.each(cases.filter(isLong).map((indexed) => [indexed.name, indexed] as const))(
  'golden set on reference, %s',
  async (_, indexed) => {
    const outputs = await checks[indexed.op](golden(indexed), new ReferenceDevice());
    expect(compare(indexed, outputs, 'reference')).toBeNull();
  },
);
