/** examples/server.ts as it stands: pictures over HTTP. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { loadClassifier } from 'beltnet';
import { expect, onTestFinished, test } from 'vitest';
import { bytesOf, tinyModel } from '../classifier/tiny-model.js';
import { temporaryFolder } from '../data/make-pictures.js';
import { noteDevice } from '../support/devices.js';

const jpeg = readFileSync(new URL('../golden/images/jpeg_exif_6.jpg', import.meta.url));

test('examples/server.ts answers uploads with verdicts, in under 20 lines', async () => {
  const source = readFileSync(new URL('../../examples/server.ts', import.meta.url), 'utf8');
  expect(source.trimEnd().split('\n').length).toBeLessThan(20);

  noteDevice('cpu');
  const model = join(temporaryFolder({ 'model.safetensors': await bytesOf(tinyModel()) }), 'model.safetensors');
  const before = process.argv;
  process.argv = ['node', 'server.ts', model, '0'];
  onTestFinished(() => void (process.argv = before));
  const { server } = (await import('../../examples/server.js')) as { server: Server };
  onTestFinished(() => void server.close());
  if (!server.listening) await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const upload = (body: Uint8Array) => fetch(url, { method: 'POST', body: new Uint8Array(body) });

  const classifier = await loadClassifier(model, { device: 'cpu' });
  const expected = await classifier.classify(jpeg);
  await classifier.destroy();
  const answers = await Promise.all(Array.from({ length: 12 }, () => upload(jpeg)));
  for (const answer of answers) expect([answer.status, await answer.json()]).toEqual([200, expected]);
  const bad = await upload(jpeg.subarray(0, 300));
  expect([bad.status, await bad.json()]).toEqual([
    422,
    { error: expect.stringMatching(/^picture: JPEG cannot be decoded/) },
  ]);
});
