/** Event files of TensorBoard, byte for byte as TensorFlow writes them (tensorboard.py). */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventFileStart, scalarEvent } from '../../src/formats/tensorboard.js';

test('a file of scalars has the bytes of one that TensorFlow wrote', () => {
  const ours = Buffer.concat([
    eventFileStart(1700000000.25),
    scalarEvent(1700000001.25, 1, { 'loss/training': 0.75 }),
    scalarEvent(1700000300.25, 300, { 'loss/training': 0.125, 'validation/missed alerts': 3 }),
  ]);
  const theirs = readFileSync(new URL('tensorboard.reference.bin', import.meta.url));
  expect(ours.toString('hex')).toBe(theirs.toString('hex'));
});
