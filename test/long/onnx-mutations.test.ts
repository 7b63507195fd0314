/** 20,000 damaged ONNX files: each is refused in one line, or a model. */
import { expect, test } from 'vitest';
import { importDamaged } from '../formats/onnx-mutations.js';

test('20,000 damaged ONNX files', () => {
  const before = process.memoryUsage().rss;
  const refused = importDamaged(20_000);
  console.log(`${refused} refused`);
  expect(refused).toBeGreaterThan(5000);
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 30);
});
