/**
 * ONNX's own tests of operators, imported and run: which pass, and what is said of the others.
 *
 *     python test/fixtures/onnx/node-tests.py FOLDER
 *     npm run build && node scripts/check-onnx-nodes.mjs FOLDER
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Flatten, importOnnx, input, Model, openDevice, tensor } from 'beltnet';

const folder = process.argv[2];
const tests = JSON.parse(readFileSync(join(folder, 'tests.json'), 'utf8'));
const device = await openDevice('cpu');

/** [N,C,…] ↔ [N,…,C] */
function turned(values, shape, order) {
  const lengths = order.map((axis) => shape[axis]);
  const steps = order.map((axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1));
  return Float32Array.from(values, (_, at) => {
    let [rest, from] = [at, 0];
    for (let axis = lengths.length - 1; axis >= 0; axis--) {
      from += (rest % lengths[axis]) * steps[axis];
      rest = Math.floor(rest / lengths[axis]);
    }
    return values[from];
  });
}

async function outcome(name, { shape, x, wanted, wantedShape, tolerance }) {
  let imported;
  try {
    imported = importOnnx(readFileSync(join(folder, `${name}.onnx`)), { name });
  } catch (error) {
    if (error.exitCode !== 4) throw error;
    return error.message.replace(/^[^:]*: node '[^']*' \(\w+\): /, '');
  }
  const { model: picture, channelsFirst } = imported;
  const inputs = input({ shape: picture.inputShape });
  const model = new Model({ inputs, outputs: new Flatten().apply(picture.apply(inputs)) });
  model.compile({ device, loss: 'meanSquaredError' });
  const isFirst = channelsFirst && shape.length === 4;
  const values = isFirst ? turned(x, shape, [0, 2, 3, 1]) : Float32Array.from(x);
  const y = await model.call(tensor(device, values, [shape[0], ...model.inputShape])).read();
  const last = channelsFirst && wantedShape.length === 4;
  const expected = last ? turned(wanted, wantedShape, [0, 2, 3, 1]) : Float32Array.from(wanted);
  const [relative, absolute] = tolerance;
  const isNear = (value, i) => Math.abs(value - y[i]) <= absolute + relative * Math.abs(value);
  const wrong = expected.findIndex((value, i) => !isNear(value, i));
  model.destroy();
  if (y.length !== expected.length) return `gives ${y.length} numbers, expected ${expected.length}`;
  return wrong < 0 ? null : `WRONG: ${y[wrong]}, expected ${expected[wrong]}`;
}

const rows = [];
for (const [name, test] of Object.entries(tests)) rows.push([name, await outcome(name, test)]);
const refused = rows.filter(([, reason]) => reason !== null);
for (const [name, reason] of refused) console.log(`${name}: ${reason}`);
console.log(
  `${rows.length - refused.length} of ${rows.length} pass (${((100 * (rows.length - refused.length)) / rows.length).toFixed(1)} %)`,
);
process.exitCode = refused.some(([, reason]) => /^WRONG|^gives/.test(reason)) ? 1 : 0;
device.destroy();
