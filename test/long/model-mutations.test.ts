/** 12,000 damaged model files: none loads as another model. */
import { expect, test } from 'vitest';
import { encodeModel } from '../../src/formats/beltnet/model.js';
import { modelWithSections } from '../formats/model-with-sections.js';
import { loadDamaged } from '../formats/model-mutations.js';

test('12,000 damaged model files', async () => {
  const { model, info } = modelWithSections();
  const { refused, same, other } = await loadDamaged(await encodeModel(model, info), 12_000);
  console.log(`${refused} refused, ${same} unchanged, ${other.length} load as another model`);
  expect(other).toEqual([]);
});
