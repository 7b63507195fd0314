/** ONNX files that are damaged or made with malice: refused in one line that names the node, or imported; no hang, no large allocation. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelFileError } from '../../src/errors.js';
import { importOnnx } from '../../src/formats/onnx/import-onnx.js';
import { integer, join as joinFields, message, text, type Fields } from '../../src/formats/onnx/protobuf.js';
import { loadOnnx } from '../../src/formats/onnx/onnx.node.js';
import { importDamaged } from './onnx-mutations.js';

// --- files in a few lines; field numbers of onnx.proto

const attribute = (name: string, value: number | readonly number[]): Fields => {
  const fields = typeof value === 'number' ? integer(3, value) : value.flatMap((each) => integer(8, each));
  return message(5, [...text(1, name), ...fields]);
};
const node = (operator: string, inputs: readonly string[], output: string, ...attributes: Fields[]): Fields =>
  message(1, [
    ...inputs.flatMap((input) => text(1, input)),
    ...text(2, output),
    ...text(3, `the_${operator}`),
    ...text(4, operator),
    ...attributes.flat(),
  ]);
const floatsOf = (values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const weights = (name: string, shape: readonly number[], values: readonly number[], ...more: Fields[]): Fields =>
  message(5, [
    ...shape.flatMap((length) => integer(1, length)),
    ...integer(2, 1),
    ...text(8, name),
    ...(more.length > 0 ? more.flat() : message(9, [floatsOf(values)])),
  ]);
const whole = (name: string, values: readonly number[]): Fields =>
  message(5, [
    ...integer(1, values.length),
    ...integer(2, 7),
    ...values.flatMap((value) => integer(7, value)),
    ...text(8, name),
  ]);
const picture = (field: number, name: string, shape: readonly number[]): Fields => {
  const lengths = shape.flatMap((length) => message(1, length > 0 ? integer(1, length) : text(2, 'N')));
  return message(field, [...text(1, name), ...message(2, message(1, [...integer(1, 1), ...message(2, lengths)]))]);
};
interface Parts {
  readonly nodes: Fields[];
  readonly tensors?: Fields[];
  readonly shape?: readonly number[];
  readonly opset?: number;
}
const file = ({ nodes, tensors = [], shape = [0, 3, 8, 9], opset = 17 }: Parts): Uint8Array =>
  joinFields([
    ...integer(1, 8),
    ...message(7, [...nodes.flat(), ...tensors.flat(), ...picture(11, 'x', shape), ...picture(12, 'y', [0, 1])]),
    ...message(8, [...text(1, ''), ...integer(2, opset)]),
  ]);
const refusal = (parts: Parts): string => {
  try {
    importOnnx(file(parts), { name: 'net.onnx' });
  } catch (error) {
    if (error instanceof ModelFileError) return error.message;
    throw error;
  }
  return 'imported';
};
const kernel = weights('w', [2, 3, 1, 1], [1, 2, 3, 4, 5, 6]);

describe('what cannot be read is named with node and operator', () => {
  test.each<[string, Parts, RegExp]>([
    [
      'an unknown operator',
      { nodes: [node('LSTM', ['x'], 'y')] },
      /net\.onnx: node 'the_LSTM' \(LSTM\): expects an operator that beltnet reads \(Add, .*\), got LSTM$/,
    ],
    [
      'an operator of another domain',
      { nodes: [message(1, [...text(1, 'x'), ...text(2, 'y'), ...text(4, 'Relu'), ...text(7, 'com.example')])] },
      /\(Relu\): .* got com\.example\.Relu$/,
    ],
    [
      'a cycle',
      { nodes: [node('Add', ['x', 'b'], 'a'), node('Relu', ['a'], 'b'), node('Relu', ['b'], 'y')] },
      /'the_Add' \(Add\): expects inputs that nodes before it give, got 'b'$/,
    ],
    [
      'an output that nothing gives',
      { nodes: [node('Relu', ['x'], 'z')] },
      /output 'y' expects to depend on the pictures, got nothing that does$/,
    ],
    ['a graph without nodes', { nodes: [] }, /output 'y' expects to depend on the pictures/],
    ['an old operator set', { nodes: [node('Relu', ['x'], 'y')], opset: 6 }, /expects operator set 7 or later, got 6/],
    [
      'pictures of unknown size',
      { nodes: [node('Relu', ['x'], 'y')], shape: [0, 3, 0, 0] },
      /got \[\?,3,\?,\?\]; say the size of the pictures$/,
    ],
    ['a sum of nothing', { nodes: [node('Sum', [], 'y')] }, /\(Sum\): expects inputs, got none$/],
    ['a least of nothing', { nodes: [node('Min', [], 'y')] }, /\(Min\): expects inputs, got none$/],
    ['a difference of one value', { nodes: [node('Sub', ['x'], 'y')] }, /\(Sub\): expects two inputs, got 1$/],
    ['a product of three', { nodes: [node('Mul', ['x', 'x', 'x'], 'y')] }, /\(Mul\): expects two inputs, got 3$/],
    [
      'a kernel for other channels',
      { nodes: [node('Conv', ['x', 'w'], 'y')], tensors: [kernel], shape: [0, 4, 8, 9] },
      /'the_Conv' \(Conv\): expects a kernel for 4 channels in 1 groups, got \[2,3,1,1\]$/,
    ],
    [
      'a kernel that is computed',
      { nodes: [node('Relu', ['x'], 'z'), node('Conv', ['x', 'z'], 'y')] },
      /\(Conv\): expects input 2 to be a constant, got a value that depends on the pictures$/,
    ],
    [
      'fewer elements than the shape says',
      { nodes: [node('Conv', ['x', 'w'], 'y')], tensors: [weights('w', [2, 3, 1, 1], [1, 2])] },
      /tensor 'w': expects 6 elements for \[2,3,1,1\], got 2$/,
    ],
    [
      'weights that are not finite',
      { nodes: [node('Conv', ['x', 'w'], 'y')], tensors: [weights('w', [1, 3, 1, 1], [1, NaN, 3])] },
      /finite/,
    ],
    [
      'a huge tensor',
      { nodes: [node('Relu', ['x'], 'y')], tensors: [weights('w', [65536, 65536, 65536], [1])] },
      /tensor 'w' expects at most 8 axes and 2147483648 elements, got \[65536,65536,65536\]$/,
    ],
    ['a negative length', { nodes: [node('Relu', ['x'], 'y')], tensors: [weights('w', [-4], [1])] }, /got \[-4\]$/],
    [
      'huge pictures',
      { nodes: [node('Relu', ['x'], 'y')], shape: [0, 60000, 60000, 60000] },
      /expects pictures of at most 268435456 numbers/,
    ],
    [
      'huge padding',
      { nodes: [node('Pad', ['x', 'p'], 'y')], tensors: [whole('p', [0, 0, 2 ** 30, 0, 0, 0, 0, 0])] },
      /\(Pad\): expects 8 pads of at most 4096/,
    ],
    [
      'values that grow',
      {
        nodes: Array.from({ length: 40 }, (_, i) =>
          node('Concat', i === 0 ? ['x', 'x'] : [`v${i}`, `v${i}`], i === 39 ? 'y' : `v${i + 1}`, attribute('axis', 1)),
        ),
      },
      /\(Concat\): expects values of at most 268435456 numbers for a picture/,
    ],
    [
      'constants that grow',
      {
        nodes: [
          ...Array.from({ length: 40 }, (_, i) =>
            node('Concat', [`c${i}`, `c${i}`], `c${i + 1}`, attribute('axis', 0)),
          ),
          node('Add', ['x', 'c40'], 'y'),
        ],
        tensors: [weights('c0', [9], Array<number>(9).fill(1))],
      },
      /\(Concat\): expects constants that stay of the size of the weights/,
    ],
    [
      'a constant of a huge shape',
      { nodes: [node('ConstantOfShape', ['s'], 'c'), node('Add', ['x', 'c'], 'y')], tensors: [whole('s', [2 ** 40])] },
      /\(ConstantOfShape\): expects constants that stay/,
    ],
    [
      'more layers than any network',
      {
        nodes: Array.from({ length: 4200 }, (_, i) =>
          node('Relu', [i === 0 ? 'x' : `v${i}`], i === 4199 ? 'y' : `v${i + 1}`),
        ),
      },
      /expects at most 4096 layers/,
    ],
    [
      'a batch that moves',
      { nodes: [node('Transpose', ['x'], 't', attribute('perm', [1, 0, 2, 3])), node('GlobalMaxPool', ['t'], 'y')] },
      /\(GlobalMaxPool\): expects the batch to stay the first axis, got it at 1$/,
    ],
    [
      'a reshape that mixes pictures',
      { nodes: [node('Reshape', ['x', 's'], 'y')], tensors: [whole('s', [-1, 24])] },
      /\(Reshape\): expects the batch to stay the first axis, got \[9,24\] of \[1,3,8,9\]$/,
    ],
    [
      'padding as large as the window',
      { nodes: [node('MaxPool', ['x'], 'y', attribute('kernel_shape', [2, 2]), attribute('pads', [2, 2, 2, 2]))] },
      /padding expects integers from 0 to below the window's 2, got \[2,2\]$/,
    ],
    [
      'two inputs',
      { nodes: [picture(11, 'second', [0, 3]), node('Relu', ['x'], 'y')] },
      /expects one input, the pictures, got 'second', 'x'$/,
    ],
    [
      'a recurrent subgraph',
      {
        nodes: [
          node('Relu', ['x'], 'y', message(5, [...text(1, 'body'), ...message(6, text(2, 'inner'))])),
          node('Loop', ['x'], 'z'),
        ],
      },
      /\(Loop\): expects an operator/,
    ],
  ])('%s', (_, parts, expected) => {
    expect(refusal(parts)).toMatch(expected);
  });

  test('messages within messages, a hundred thousand deep, are not followed', () => {
    let deep: Fields = text(2, 'end');
    for (let depth = 0; depth < 100; depth++) deep = message(6, deep); // AttributeProto.g
    const nested = Array.from({ length: 1000 }, () => message(5, [...text(1, 'then_branch'), ...deep])).flat();
    expect(refusal({ nodes: [message(1, [...text(1, 'x'), ...text(2, 'y'), ...text(4, 'If'), ...nested])] })).toMatch(
      /\(If\): expects an operator/,
    );
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['a picture', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16)],
    ['text', new TextEncoder().encode('{"class_name": "Sequential"}')],
    ['a number without end', new Uint8Array(64).fill(255)],
    ['a length beyond the file', Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0x7f)],
  ])('%s is no ONNX file', (_, bytes) => {
    expect(() => importOnnx(bytes, { name: 'net.onnx' })).toThrow(ModelFileError);
  });
});

describe('weights in other files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'beltnet-onnx-'));
    mkdirSync(join(folder, 'model/parts'), { recursive: true });
    writeFileSync(join(folder, 'secret'), floatsOf([9, 9, 9, 9, 9, 9]));
    writeFileSync(join(folder, 'model/parts/w.bin'), floatsOf([0, 1, 2, 3, 4, 5, 6]));
    symlinkSync(join(folder, 'secret'), join(folder, 'model/link'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const load = async (location: string, offset = 4, length = 24) => {
    const place = { location, offset: String(offset), length: String(length) };
    const entries = Object.entries(place).flatMap(([key, value]) => message(13, [...text(1, key), ...text(2, value)]));
    const external = weights('w', [2, 3, 1, 1], [], entries, integer(14, 1));
    const path = join(folder, 'model/net.onnx');
    writeFileSync(path, file({ nodes: [node('Conv', ['x', 'w'], 'y')], tensors: [external] }));
    return loadOnnx(path);
  };

  test('are read in the model’s folder and further down', async () => {
    const { model } = await load('parts/w.bin');
    const weightsOf = await model.getWeights();
    expect([...weightsOf['the_Conv.kernel'].data]).toEqual([1, 4, 2, 5, 3, 6]); // [1,1,3,2]
  });

  test.each(['../secret', 'parts/../../secret', '/etc/passwd', 'link', '.', '..', 'parts', ''])(
    'are refused elsewhere: %s',
    async (location) => {
      await expect(load(location)).rejects.toThrow(ModelFileError);
    },
  );

  test('are refused where there are none, or fewer', async () => {
    await expect(load('missing.bin')).rejects.toThrow(/missing\.bin/);
    await expect(load('parts/w.bin', 8)).rejects.toThrow(/expects bytes 8 to 32 of 'parts\/w\.bin', which has 28/);
  });
});

test('300 damaged files', () => {
  const started = performance.now();
  const refused = importDamaged(300);
  expect(refused).toBeGreaterThan(75);
  expect(refused).toBeLessThan(300); // both outcomes are there
  expect(performance.now() - started).toBeLessThan(120_000);
});

test('every fixture is sound before it is damaged', () => {
  const path = fileURLToPath(new URL('../fixtures/onnx/resnet-script.onnx', import.meta.url));
  expect(importOnnx(readFileSync(path)).model.outputShape).toEqual([5]);
});
