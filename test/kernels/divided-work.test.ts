/**
 * Kernels, most of all those of the cpu device, on inputs so large that their work is divided: into parts of several lines or rows each, parts into
 * blocks, sums into slices. The registry's samples are small; most of them are one part, or parts of one line. Then convolutions of so
 * many channels that only their strides, dilation or groups keep them from Winograd's way. All of them write to their outputs, their scratch memory
 * and their workspace alone, and their parts give the same in reverse order, whatever the workspace held.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kernelErrors } from '../../src/checks/checks.js';
import { kernels } from '../../src/kernels/registry.js';
import { matrixProduct } from '../../src/kernels/dense/matrix-product.js';
import {
  floats,
  integers,
  wholeNumbers,
  type RegisteredKernel,
  type Sample,
  type SampleTensor,
} from '../../src/kernels/shared/samples.js';
import type { Device } from '../../src/tensor/device.js';
import { Random, RandomStream } from '../../src/tensor/random.js';
import { wasmBinaries } from '../../src/tensor/cpu/wasm.generated.js';
import type { Plan as AnyPlan, WasmCall } from '../../src/tensor/kernel.js';
import { sizeOf, type Shape } from '../../src/tensor/shape.js';
import { launch, tensor } from '../../src/tensor/tensor.js';
import { openTestDevices } from '../support/open-devices.js';

let devices: Device[] = [];
beforeAll(async () => {
  devices = await openTestDevices();
});
afterAll(() => devices.forEach((device) => device.destroy()));

const random = new Random(31, RandomStream.synthetic);
const draw = (...shapes: Shape[]): SampleTensor[] => shapes.map((shape) => floats(random, shape));
const whole = (...shapes: Shape[]): SampleTensor[] => shapes.map((shape) => wholeNumbers(random, shape));
const integersBelow = (limit: number, shape: Shape): SampleTensor => integers(random, shape, limit);

const plain = { size: [3, 3], strides: [1, 1], dilation: [1, 1], padding: 'same' };
/** Windows that see thirteen rows: a band of the picture holds them for three lines of output. */
const wide = { ...plain, dilation: [6, 1] };
const halving = { ...plain, strides: [2, 2] };
const strided = { ...plain, strides: [2, 1] };
const dilated = { ...plain, dilation: [1, 2] };
const pooling = { size: [3, 2], strides: [1, 2], dilation: [1, 1], padding: 'same' };
const linear = { activation: 'linear' };

// In Winograd's way: 529 patches, 36 a part where 32 are a block.
const [square, square3x3] = [
  [1, 92, 92, 12],
  [3, 3, 12, 12],
] as const;
// 75 lines, three a part; pictures end in the midst of a part, and parts in the midst of a band.
const [lines, lines3x3, summed] = [
  [3, 25, 50, 40],
  [3, 3, 40, 4],
  [3, 25, 50, 4],
] as const;
// Two hundred and seventy thousand values: parts of several blocks.
const many: Shape = [4, 150, 150, 3];

const cases: readonly (readonly [
  kernel: string,
  what: string,
  inputs: readonly SampleTensor[],
  attributes: unknown,
])[] = [
  ['conv2d', 'Winograd', draw(square, square3x3, [12]), { window: plain, ...linear }],
  ['conv2dInputGradient', 'Winograd', draw(square, square3x3), { window: plain, xShape: square }],
  ['conv2dWeightGradient', 'Winograd', draw(square, [1, 92, 92, 20]), { window: plain }],
  ['conv2dWeightGradient', 'Winograd, many channels', draw([2, 15, 18, 140], [2, 15, 18, 72]), { window: plain }],
  ...([16, 24] as const).flatMap((length) => {
    // 'same' pads an odd axis on both sides, an even one behind: an input gradient's pixels of one tap come second or first.
    const [x, w, y] = [
      [4, length, length + 31, 41],
      [3, 3, 41, 44],
      [4, length / 2, (length + 32) / 2, 44],
    ] as const;
    return [
      ['conv2d', 'Winograd with strides', draw(x, w, [44]), { window: halving, ...linear }],
      ['conv2dInputGradient', 'Winograd with strides', draw(y, w), { window: halving, xShape: x }],
      ['conv2dWeightGradient', 'Winograd with strides', draw(x, y), { window: halving }],
    ] as const;
  }),
  ['conv2dMaxPool2dValues', 'Winograd', draw(square, square3x3, [12]), { window: plain, activation: 'relu' }],
  ['conv2d', 'bands', draw(lines, lines3x3, [4]), { window: wide, activation: 'relu' }],
  ['conv2dInputGradient', 'bands', draw(summed, lines3x3), { window: wide, xShape: lines }],
  ['conv2dWeightGradient', 'bands', draw(lines, summed), { window: wide }],
  ['groupedConv2d', 'bands', draw(lines, [3, 3, 1, 40]), { window: wide, groups: 40, ...linear }],
  ['groupedConv2dInputGradient', 'bands', draw(lines, [3, 3, 1, 40]), { window: wide, groups: 40, xShape: lines }],
  ['groupedConv2dWeightGradient', 'bands', draw(lines, lines), { window: wide, groups: 40 }],
  ['conv2dMaxPool2d', 'lines', whole([3, 31, 9, 3], [3, 3, 3, 5], [5]), { window: plain, activation: 'relu' }],
  ['conv2dMaxPool2d', 'Winograd', whole([3, 31, 9, 16], [3, 3, 16, 8]), { window: plain, ...linear }],
  ['conv2dMaxPool2dValues', 'lines', draw([3, 31, 9, 3], [3, 3, 3, 5], [5]), { window: plain, ...linear }],
  [
    ...(['conv2dMaxPool2dWeightGradient', 'pictures'] as const),
    [...draw([37, 6, 8, 2], [37, 3, 4, 5]), integersBelow(5, [37, 3, 4, 5])],
    { window: plain },
  ],
  [
    ...(['conv2dMaxPool2dInputGradient', 'pictures'] as const),
    [...draw([37, 3, 4, 5]), integersBelow(5, [37, 3, 4, 5]), ...draw([3, 3, 2, 5])],
    { window: plain, xShape: [37, 6, 8, 2] },
  ],
  ['matrixProduct', 'rows', draw([50, 300], [300, 45]), {}],
  ['matrixProduct', 'few rows', draw([3, 70], [70, 75]), {}],
  ['matrixProduct', 'rows with rows', draw([5, 71], [75, 71]), { transposeB: true }],
  ['matrixProduct', 'slices', draw([3, 600], [600, 5], [5]), { activation: 'relu' }],
  ['denseWeightGradient', 'rows', draw([1100, 70], [1100, 21]), null],
  ['maxPool2d', 'lines', whole([3, 37, 9, 5]), { window: pooling }],
  ['maxPool2dValues', 'lines', whole([3, 37, 9, 5]), { window: pooling }],
  ['averagePool2d', 'lines', draw([3, 37, 9, 5]), { window: pooling }],
  ['averagePool2dGradient', 'lines', draw([3, 37, 5, 5]), { window: pooling, xShape: [3, 37, 9, 5] }],
  ['batchMoments', 'blocks', draw(many), null],
  [
    ...(['batchNormParameterGradients', 'blocks'] as const),
    [...draw(many, many, [3], [3], [3]), floats(random, [3], 0.5, 2)],
    { epsilon: 1e-3, activation: 'relu' },
  ],
  [
    ...(['batchNormalize', 'rows'] as const),
    [...draw([41, 31, 7], [7], [7], [7]), floats(random, [7], 0.5, 2)],
    { epsilon: 1e-3, activation: 'relu' },
  ],
  ['addBias', 'rows', draw([2101, 5], [5]), null],
  ['columnSums', 'rows', draw([2101, 5]), null],
  ['softmax', 'lines', draw([501, 5]), { first: 1, count: 1 }],
  ['softmaxGradient', 'lines', draw([501, 5], [501, 5]), { first: 1, count: 1 }],
  ['softmaxCrossEntropy', 'samples', draw([501, 5], [501, 5]), null],
  ['softmaxCrossEntropyGradient', 'samples', draw([501], [501, 5], [501, 5]), null],
  ['axisSum', 'slices', draw([3, 4099]), { first: 1, count: 1, scale: 0.7 }],
  ['axisSum', 'slices of rows', draw([4099, 5]), { first: 0, count: 1, scale: 0.7 }],
  ['axisBroadcast', 'rows', draw([3, 5]), { first: 1, count: 1, scale: 0.7, shape: [3, 701, 5] }],
  [
    'pad',
    'runs',
    draw([37, 29, 5]),
    {
      paddings: [
        [1, 2],
        [2, 1],
        [1, 1],
      ],
      value: 1,
    },
  ],
  [
    'crop',
    'runs',
    draw([37, 29, 7]),
    {
      paddings: [
        [1, 2],
        [2, 1],
        [1, 1],
      ],
    },
  ],
  ['permute', 'runs', draw([37, 29, 7]), { order: [2, 0, 1] }],
  ['concat', 'runs', draw([1501, 3], [1501, 4]), { axis: 1 }],
  ['add', 'elements', draw([9003], [9003]), null],
  [
    ...(['dropout', 'blocks'] as const),
    [...draw([9003]), integersBelow(2 ** 32, [1])],
    { rate: 0.4, seed: 5, layer: 2 },
  ],
  ['conv2d', 'strides', draw([2, 17, 9, 12], [3, 3, 12, 13]), { window: strided, ...linear }],
  ['conv2d', 'dilation', draw([2, 17, 9, 12], [3, 3, 12, 13]), { window: dilated, ...linear }],
  ['conv2dInputGradient', 'strides', draw([2, 9, 9, 13], [3, 3, 12, 13]), { window: strided, xShape: [2, 17, 9, 12] }],
  ['conv2dWeightGradient', 'strides', draw([2, 17, 9, 12], [2, 9, 9, 13]), { window: strided }],
  ['groupedConv2d', 'two groups', draw([2, 17, 9, 24], [3, 3, 12, 24]), { window: plain, groups: 2, ...linear }],
  ['conv2dMaxPool2d', 'strides', whole([2, 17, 9, 16], [3, 3, 16, 8]), { window: strided, ...linear }],
  ['conv2dMaxPool2d', 'dilation', whole([2, 17, 9, 16], [3, 3, 16, 8]), { window: dilated, ...linear }],
];

const cpuDevices = (): Device[] => devices.filter(({ description: { kind } }) => kind === 'cpu');
const registeredAs = (name: string): RegisteredKernel => kernels.find(({ kernel }) => kernel.name === name)!;

/** What misses the kernel's tolerance on a device. */
async function misses(device: Device, name: string, sample: Sample): ReturnType<typeof kernelErrors> {
  const registered = registeredAs(name);
  const measured = await kernelErrors(device, { ...registered, sample: () => sample }, 1);
  return measured.filter(({ error }) => !(error <= registered.roundings));
}

type Plan = AnyPlan<number, WasmCall>;
type Sizes = readonly number[];
type Order = (parts: number[]) => readonly number[];
const UNTOUCHED = 0xa5;
const GAP = 256;

interface Written {
  readonly outputs: Uint8Array[];
  /** What lies behind each of them, behind what is there for the time of the kernel, and behind the workspace. */
  readonly gaps: Uint8Array[];
}

/** What a kernel's WebAssembly writes with the parts of each call in the order given, the workspace being full of NaN before each of them. */
async function written(plan: Plan, sizes: Sizes, inputs: readonly SampleTensor[], order: Order): Promise<Written> {
  let end = 65_536; // the module's own
  const place = (bytes: number): number => {
    const at = end;
    end = Math.ceil((at + bytes + GAP) / 256) * 256;
    return at;
  };
  const [from, to] = [inputs.map(({ values }) => place(values.byteLength)), sizes.map(place)];
  const scratch = (plan.scratch ?? []).map(place);
  const { workspace: workspaceBytes = 0 } = plan;
  const workspace = place(workspaceBytes);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(end / 65_536) });
  const bytes = new Uint8Array(memory.buffer).fill(UNTOUCHED);
  for (const [i, { values }] of inputs.entries())
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), from[i]);
  const load = async (binary: BufferSource) =>
    (await WebAssembly.instantiate(binary, { env: { memory } })).instance.exports;
  const own = await load(Uint8Array.from(atob(await wasmBinaries.unshared()), (letter) => letter.charCodeAt(0)));
  (own['useWorkspace'] as (address: number) => void)(workspace);
  for (const { function: name, parts, arguments: values } of plan.steps({ inputs: from, outputs: to }, scratch)) {
    const exports = typeof name === 'string' ? own : await load(Uint8Array.from(name.bytes(false, false)));
    const run = exports[typeof name === 'string' ? name : 'run'] as (...values: number[]) => void;
    for (const part of order(Array.from({ length: parts }, (_, each) => each))) {
      bytes.fill(0xff, workspace, workspace + workspaceBytes);
      run(part, ...values);
    }
  }
  const ends = [
    ...to.map((at, i) => at + sizes[i]),
    ...scratch.map((at, i) => at + plan.scratch![i]),
    workspace + workspaceBytes,
  ];
  return {
    outputs: to.map((at, i) => bytes.slice(at, at + sizes[i])),
    gaps: ends.map((start) => bytes.slice(start, start + GAP)),
  };
}

describe('kernels against their float64 twins', () => {
  test.each(cases)('%s, %s', async (name, _, inputs, attributes) => {
    const registered = registeredAs(name);
    const shapes = inputs.map(({ shape }) => shape);
    const outputs = registered.kernel.outputs(shapes, attributes as never).map(({ shape }) => shape);
    const plan = registered.kernel.wasm!({ inputs: shapes, outputs }, attributes as never)!;
    const calls = plan.steps({ inputs: shapes.map(() => 0), outputs: outputs.map(() => 0) }, plan.scratch ?? []);
    expect(Math.max(...calls.map(({ parts }) => parts))).toBeGreaterThan(1);
    for (const device of cpuDevices()) expect(await misses(device, name, { inputs, attributes })).toEqual([]);
    const sizes = outputs.map((shape) => 4 * sizeOf(shape));
    const results = await written(plan, sizes, inputs, (parts) => parts);
    expect(await written(plan, sizes, inputs, (parts) => parts.toReversed())).toEqual(results);
    for (const gap of results.gaps) expect(gap.findIndex((byte) => byte !== UNTOUCHED)).toBe(-1);
  });

  test('conv2dWeightGradient, so many lines that threads of a shader sum several', async () => {
    const inputs = draw([2, 497, 3, 12], [2, 497, 3, 12]);
    for (const device of devices)
      expect(await misses(device, 'conv2dWeightGradient', { inputs, attributes: { window: plain } })).toEqual([]);
  });
});

test('matrixProduct, several blocks of depth, too large for a slice of each: u vᵀ · w zᵀ is (v · w) u zᵀ', async () => {
  const [M, K, N] = [1031, 300, 1031];
  const [u, v, w, z] = [M, K, K, N].map((length) => Array.from(wholeNumbers(random, [length]).values));
  const inner = v.reduce((sum, value, k) => sum + value * w[k], 0);
  const outer = (rows: number[], columns: number[]): Float32Array =>
    Float32Array.from(
      { length: rows.length * columns.length },
      (_, at) => rows[Math.floor(at / columns.length)] * columns[at % columns.length],
    );
  const expected = outer(
    u.map((value) => inner * value),
    z,
  );
  for (const device of cpuDevices()) {
    const [a, b] = [tensor(device, outer(u, v), [M, K]), tensor(device, outer(w, z), [K, N])];
    const [c] = launch(matrixProduct, [a, b], {});
    expect((await c.read()).findIndex((value, i) => value !== expected[i])).toBe(-1);
  }
});
