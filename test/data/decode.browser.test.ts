/** In a browser the pictures of both sets have the very bytes that they have in Node and in Pillow. */
import { expect, test } from 'vitest';
import { commands } from 'vitest/browser';
import { decode } from '../../src/data/pictures/decode.js';
import { openArithmetic } from '../../src/data/pictures/jpeg/arithmetic.js';

interface Case {
  readonly path: string;
  readonly orientation?: number;
}

/** A file of the tests, by way of the test runner. */
async function load(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const text = await commands.readFile(`test/${path}`, 'base64');
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

test('golden pictures, by hash', async () => {
  const index: { cases: { op: string; name: string; attributes: Case }[] } = JSON.parse(
    new TextDecoder().decode(await load('golden/index.json')),
  );
  const references = await load('golden/images.safetensors');
  const headerLength = Number(new DataView(references.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(references.subarray(8, 8 + headerLength)));
  const reference = (name: string): Uint8Array<ArrayBuffer> =>
    Uint8Array.from(references.subarray(8 + headerLength).subarray(...(header[name].data_offsets as [number, number])));

  const seen: Record<string, string> = {};
  const expected: Record<string, string> = {};
  for (const { name, attributes } of index.cases.filter(({ op }) => op === 'image_decode_resize')) {
    const bytes = await load(`golden/${attributes.path}`);
    const compare = async (key: string, exif: boolean): Promise<void> => {
      seen[`${name} ${key}`] = await sha256(Uint8Array.from(decode(bytes, name, { exif }).data));
      expected[`${name} ${key}`] = await sha256(reference(`${name}/${key}`));
    };
    await compare(name === 'png_gray16' ? 'rgb_high_byte' : 'rgb', false);
    if (attributes.orientation !== undefined) await compare('rgb_exif_transposed', true);
  }
  expect(Object.keys(seen).length).toBeGreaterThan(35);
  expect(seen).toEqual(expected);
});

test('pictures of every kind, by hash', async () => {
  const expected: Record<string, { width: number; height: number; rgbSha256: string }> = JSON.parse(
    new TextDecoder().decode(await load('data/pictures/pillow.json')),
  );
  const seen: typeof expected = {};
  for (const file of Object.keys(expected)) {
    const { width, height, data } = decode(await load(`data/pictures/${file}`), file);
    seen[file] = { width, height, rgbSha256: await sha256(Uint8Array.from(data)) };
  }
  expect(Object.keys(seen).length).toBeGreaterThan(150);
  expect(seen).toEqual(expected);
});

test('by WebAssembly', () => {
  expect(openArithmetic(1).inverseDct.toString()).toMatch(/native code/);
});
