/** ONNX files of operator sets from 7 to 25: the same network, the same scores as PyTorch's (test/fixtures/onnx/opsets/make.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadOnnx, ReferenceDevice } from 'beltnet';

const folder = fileURLToPath(new URL('../fixtures/onnx/opsets', import.meta.url));

/** The values of a float32 .npy file of version 1. */
function values(name: string): Float32Array {
  const bytes = readFileSync(join(folder, name));
  return new Float32Array(Uint8Array.from(bytes.subarray(10 + bytes.readUInt16LE(8))).buffer);
}

/** x [2,3,16,16] → [2,16,16,3] */
function channelsLast(x: Float32Array): Float32Array {
  const [channels, positions] = [3, 256];
  return Float32Array.from(x, (_, index) => {
    const [channel, at] = [index % channels, Math.floor(index / channels)];
    return x[(Math.floor(at / positions) * channels + channel) * positions + (at % positions)];
  });
}

test.each([7, 9, 13, 18, 25])('operator set %i', async (version) => {
  const { model } = await loadOnnx(join(folder, `${version}.onnx`));
  model.compile({ device: new ReferenceDevice(), loss: 'meanSquaredError' });
  const scores = await model.predictOnBatch(channelsLast(values('x.npy')));
  const expected = values('y.npy');
  expect(scores).toHaveLength(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  expect(Math.max(...scores.map((score, at) => Math.abs(score - expected[at])))).toBeLessThan(1e-5 * largest);
});
