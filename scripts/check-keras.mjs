/**
 * Proof by Keras 3 itself: each model of test/fixtures/keras is imported, exported, opened by Keras and run on the stored inputs; what
 * Keras then predicts is compared with beltnet's predictions and with what Keras predicted at first.
 *
 *   node scripts/check-keras.mjs PYTHON      # a Python with Keras 3 (and TensorFlow); needs `npm run build`
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './steps.mjs';

const beltnet = await import('../dist/src/index.node.js');
const { exportKeras, loadKeras, openDevice, readSafetensors, writeSafetensors } = beltnet;
const { Add, BatchNormalization, Concatenate, Conv2D, Dense, GlobalAveragePooling2D, input, Model } = beltnet;
/** Branches of unequal depth and a shared layer: all convolutions have one shape, so that weights in a wrong order show. */
function branches() {
  const x = input({ shape: [6, 6, 3] });
  const convolution = (name) => new Conv2D(3, 1, { name });
  const shared = convolution('shared');
  const a = convolution('first').apply(x);
  const b = new BatchNormalization().apply(shared.apply(shared.apply(x)));
  const c = convolution('last').apply(convolution('middle').apply(new Add().apply([b, a])));
  const d = new Concatenate().apply([a, c, convolution('aside').apply(x)]);
  const y = new GlobalAveragePooling2D().apply(d);
  return new Model({ inputs: x, outputs: new Dense(2, { activation: 'softmax' }).apply(y), seed: 5 });
}

const python = process.argv[2] ?? 'python3';
const fixtures = join(root, 'test/fixtures/keras');
const { tensors } = readSafetensors(readFileSync(join(fixtures, 'predictions.safetensors')), 'predictions.safetensors');
const folder = mkdtempSync(join(tmpdir(), 'beltnet-keras-'));
try {
  const device = await openDevice('cpu');
  const names = [...tensors.keys()].filter((key) => key.endsWith('.x')).map((key) => key.slice(0, -2));
  const cases = {};
  for (const name of names) {
    const { model, rescaling } = await loadKeras(join(fixtures, `${name}.keras`));
    const { shape, data } = tensors.get(`${name}.x`);
    const x = rescaling ? data.map((value) => Math.fround(value * rescaling.scale) + rescaling.offset) : data;
    writeFileSync(join(folder, `${name}.keras`), await exportKeras(model));
    model.compile({ device });
    cases[`${name}.x`] = { shape, data: x };
    cases[`${name}.beltnet`] = { shape: tensors.get(`${name}.y`).shape, data: await model.predictOnBatch(x) };
    cases[`${name}.keras`] = tensors.get(`${name}.y`);
  }
  const graph = branches();
  writeFileSync(join(folder, 'branches.keras'), await exportKeras(graph));
  graph.compile({ device });
  const x = Float32Array.from({ length: 4 * 108 }, (_, at) => Math.sin(at) * 3);
  const y = { shape: [4, 2], data: await graph.predictOnBatch(x) };
  Object.assign(cases, { 'branches.x': { shape: [4, 6, 6, 3], data: x }, 'branches.beltnet': y, 'branches.keras': y });
  writeFileSync(join(folder, 'cases.safetensors'), writeSafetensors(cases));
  const { status } = spawnSync(python, [join(root, 'scripts/check-keras.py'), folder], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
