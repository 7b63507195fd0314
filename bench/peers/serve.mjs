/**
 * A peer's end of the protocol: a JSON request a line on stdin, a JSON reply a line on stdout (README.md lists the
 * requests). What a library prints goes to stderr.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What a library cannot do: a row says so, and it is no error. */
export class Unsupported extends Error {}

/** @param methods what each request does: parameters in, result out */
export async function serve(methods) {
  const reply = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  console.log = console.info = console.warn = console.debug = console.error;
  const all = { memory: () => ({ peakBytes: process.resourceUsage().maxRSS * 1024 }), ...methods };
  for await (const line of createInterface({ input: process.stdin })) {
    const { method, ...parameters } = JSON.parse(line);
    try {
      reply({ result: (await all[method](parameters)) ?? null });
    } catch (error) {
      const missing = error?.code === 'ERR_MODULE_NOT_FOUND';
      reply({ error: error?.message ?? String(error), missing, unsupported: error instanceof Unsupported });
    }
  }
  process.exit(0); // some backends keep the process up
}

/** For packages that do not tell their version themselves. */
export function packageVersion(name) {
  const [, root] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(
    fileURLToPath(import.meta.resolve(name)).replaceAll('\\', '/'),
  );
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}

/** Runs `work` `warm` times, then `count` times with the clock on; `finish` waits for all that was started. */
export async function time({ warm, count }, work, finish = async (last) => last) {
  for (let i = 0; i < warm; i++) await finish(await work());
  const start = performance.now();
  let last;
  for (let i = 0; i < count; i++) last = await work();
  const result = await finish(last);
  return { milliseconds: (performance.now() - start) / count, result };
}

/** The problem as the runner wrote it: `network`, initial `weights` by name, and pictures to take batches of. */
export function readProblem(directory) {
  const { weights: places, ...problem } = JSON.parse(readFileSync(join(directory, 'problem.json'), 'utf8'));
  const floats = (file) => new Float32Array(new Uint8Array(readFileSync(join(directory, file))).buffer);
  const all = floats('weights.f32');
  const weights = Object.fromEntries(
    places.map(({ name, shape, offset, length }) => [name, { shape, data: all.slice(offset, offset + length) }]),
  );
  const pictures = new Uint8Array(readFileSync(join(directory, 'pictures.u8')));
  return { ...problem, weights, pictures, labels: floats('labels.f32') };
}

/** As frameworks rescale bytes: times the float32 next to 1/255. */
const RESCALE = Math.fround(1 / 255);

/** All whole batches of the pictures: x [batch,H,W,3] in [0, 1], y [batch]. They are used in turn. */
export function batchesOf({ pictures, labels, network }, batch) {
  const size = network.height * network.width * network.channels;
  return Array.from({ length: Math.floor(labels.length / batch) }, (_, index) => ({
    x: Float32Array.from(
      pictures.subarray(index * batch * size, (index + 1) * batch * size),
      (value) => value * RESCALE,
    ),
    y: labels.slice(index * batch, (index + 1) * batch),
  }));
}

/** What comes after what, for ever. */
export function cycle(items) {
  let next = 0;
  return () => items[next++ % items.length];
}

/** Largest element count for which replies carry scores: enough to compare, small enough to send. */
export const someScores = (scores) => Array.from(scores.slice(0, 8));
