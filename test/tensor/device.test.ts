/** Devices: memory, scopes, recording, and failures as typed errors. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DeviceError,
  DeviceLostError,
  NoDeviceError,
  OutOfMemoryError,
  ShaderError,
  ShapeError,
  UsageError,
} from '../../src/errors.js';
import { relu } from '../../src/kernels/activation/relu.js';
import { CpuDevice } from '../../src/tensor/cpu/cpu-device.js';
import type { Device } from '../../src/tensor/device.js';
import { addKernel } from '../../src/tensor/elementwise.js';
import { defineKernel, planThreads, type Kernel } from '../../src/tensor/kernel.js';
import { chooseDevice } from '../../src/tensor/open-device.js';
import { emptyTensor, launch, tensor, zeros, type Tensor } from '../../src/tensor/tensor.js';
import { WebGpuDevice } from '../../src/tensor/webgpu/webgpu-device.js';
import { getAdapter, getGpu } from '../support/gpu.js';
import { openTestDevice } from '../support/open-devices.js';

const add = (a: Tensor, b: Tensor): Tensor => launch(addKernel, [a, b], null)[0];

describe.each(['webgpu', 'cpu'] as const)('%s device', (kind) => {
  let device: Device;
  beforeAll(async () => {
    device = await openTestDevice(kind);
  });
  afterAll(() => device.destroy());

  test('zeros are zeros in memory that held something else', async () => {
    const before = tensor(device, new Float32Array(1000).fill(7));
    await device.finish();
    before.destroy();
    const created = device.statistics.buffersCreated;
    const after = zeros(device, [1000]);
    expect(device.statistics.buffersCreated).toBe(created); // it is the same memory
    expect((await after.read()).every((value) => value === 0)).toBe(true);
    after.destroy();
  });

  test('values of every type go to the device and back', async () => {
    expect([...(await tensor(device, [1.5, -2, 3]).read())]).toEqual([1.5, -2, 3]);
    for (const data of [Uint32Array.of(7, 4_294_967_295, 9), Uint8Array.of(1, 2, 3, 4, 255)]) {
      const x = tensor(device, data);
      expect([...(await x.readIntegers())]).toEqual([...data]);
      await expect(x.read()).rejects.toThrow('read: expects a float32 tensor');
    }
  });

  test('what was queued before a write still sees the old values', async () => {
    const x = tensor(device, [1, 2]);
    const y = add(x, x);
    x.write(Float32Array.of(10, 20));
    expect([...(await y.read())]).toEqual([2, 4]);
    expect([...(await add(x, x).read())]).toEqual([20, 40]);
  });

  test('a scope destroys what it made, except what it returns', async () => {
    let inner: Tensor | undefined;
    const kept = device.scope(() => {
      inner = tensor(device, [1, 2]);
      return add(inner, inner);
    });
    expect([...(await kept.read())]).toEqual([2, 4]);
    expect(() => inner!.view).toThrow(UsageError);
    expect(() => device.scope(async () => {})).toThrow('scope: the body must be synchronous');
  });

  test('memory is used again', () => {
    const run = () => device.scope(() => void add(zeros(device, [1000]), zeros(device, [1000])));
    run();
    const { buffersCreated } = device.statistics;
    for (let i = 0; i < 20; i++) run();
    expect(device.statistics.buffersCreated).toBe(buffersCreated);
  });

  test('a recorded step replays on new inputs, in one submit, without new buffers', async () => {
    const x = tensor(device, [1, 2]);
    const y = zeros(device, [2]);
    const pool = device.createPool();
    const recording = device.record(pool, () => {
      launch(addKernel, [add(x, x), x], null, [y]);
    });
    for (const value of [1, 5, 7]) {
      x.write(Float32Array.of(value, -value));
      const { buffersCreated, submits } = { ...device.statistics };
      device.replay(recording);
      expect(device.statistics.submits).toBe(submits + 1);
      expect(device.statistics.buffersCreated).toBe(buffersCreated);
      expect([...(await y.read())]).toEqual([3 * value, -3 * value]);
    }
    device.forget(pool);
  });

  test('while recording, reading and writing are refused, and the device works on afterwards', async () => {
    const x = tensor(device, [1, 2]);
    let reading: Promise<unknown> = Promise.resolve();
    device.record(device.createPool(), () => {
      reading = x.read();
      reading.catch(() => {});
    });
    await expect(reading).rejects.toThrow('read: a tensor has no value while a step is recorded');
    expect(() => device.record(device.createPool(), () => x.write(Float32Array.of(0, 0)))).toThrow(
      'declare a step input',
    );
    expect(() => device.record(device.createPool(), () => device.record(device.createPool(), () => {}))).toThrow(
      'recordings do not nest',
    );
    expect([...(await add(x, x).read())]).toEqual([2, 4]);
  });

  test('errors of shape and type name what was expected and received', () => {
    expect(() => tensor(device, [1, 2, 3], [2])).toThrow(new ShapeError('tensor: shape [2] expects 2 values, got 3'));
    expect(() => zeros(device, [2]).write(new Uint32Array(2))).toThrow(
      'tensor [2] expects 2 values as Float32Array, got 2 as Uint32Array',
    );
    expect(() => add(zeros(device, [2]), zeros(device, [3]))).toThrow(
      'add: expects inputs of one shape, got [2] and [3]',
    );
  });

  test('the memory budget is kept, freed memory counts as free', async () => {
    const small =
      kind === 'cpu'
        ? await CpuDevice.open({ memoryBudget: 2 ** 20 })
        : await WebGpuDevice.open(await getAdapter(), { memoryBudget: 2 ** 20 });
    const first = emptyTensor(small, [200_000]);
    expect(() => emptyTensor(small, [200_000])).toThrow(OutOfMemoryError);
    first.destroy();
    expect(() => emptyTensor(small, [150_000])).not.toThrow(); // another size: the free buffer had to be returned first
    small.destroy();
  });

  test('when memory is short while recording, earlier recordings keep theirs', async () => {
    const options = { memoryBudget: 2 ** 20 };
    const small = kind === 'cpu' ? await CpuDevice.open(options) : await WebGpuDevice.open(await getAdapter(), options);
    const x = tensor(small, new Float32Array(20_000).fill(1));
    const y = zeros(small, [20_000]);
    const pool = device.createPool();
    const quadruple = () => void launch(addKernel, [add(x, x), add(x, x)], null, [y]);
    const first = small.record(pool, quadruple);
    emptyTensor(small, [150_000]).destroy(); // free, but allocated: the next recording needs its place
    const second = small.record(pool, () => void add(emptyTensor(small, [50_000]), emptyTensor(small, [50_000])));
    small.replay(first);
    small.replay(second);
    small.replay(first);
    expect((await y.read()).every((value) => value === 4)).toBe(true);
    expect(() => small.record(pool, () => void emptyTensor(small, [150_000]))).toThrow(OutOfMemoryError);
    small.destroy();
  });

  test('a destroyed device says so', async () => {
    const gone = await openTestDevice(kind);
    const x = tensor(gone, [1]);
    gone.destroy();
    await expect(x.read()).rejects.toThrow(/destroyed|lost/);
    expect(() => relu(x)).toThrow(DeviceError);
  });

  test('tensors of two devices do not mix', async () => {
    const other = await openTestDevice(kind);
    expect(() => add(zeros(device, [2]), zeros(other, [2]))).toThrow('add: all inputs must be on one device');
    other.destroy();
  });
});

describe('calls of WebAssembly functions', () => {
  /** x → x², or what a slip in the list of arguments would make of it. */
  const square = (name: string, extra: readonly number[]) =>
    defineKernel<null>({
      name: 'slip',
      outputs: () => [{ shape: [], dtype: 'float32' }],
      twin: () => {},
      wgsl: () => planThreads('', 1),
      wasm: () => ({
        steps: ({ inputs: [x], outputs: [y] }) => [{ function: name, parts: 1, arguments: [x, y, 3, 64, ...extra] }],
      }),
    });

  test('have as many arguments as the function: WebAssembly itself would not say', async () => {
    const device = await openTestDevice('cpu');
    const x = tensor(device, [1, 2, 3]);
    const [sum] = launch(square('sumOfSquares', [1]), [x], null);
    expect(await sum.read()).toEqual(Float32Array.of(14));
    const wrong = /^cpu: slip: the WebAssembly function 'sumOfSquares' expects 6 arguments with the part, got /;
    expect(() => launch(square('sumOfSquares', []), [x], null)).toThrow(wrong);
    expect(() => launch(square('sumOfSquares', [1, 1]), [x], null)).toThrow(wrong);
    expect(() => launch(square('sumOfCubes', [1]), [x], null)).toThrow(
      /^cpu: slip calls 'sumOfCubes', which the WebAssembly module lacks/,
    );
    device.destroy();
  });
});

describe('WebGPU failures', () => {
  const kernelWith = (code: string): Kernel<null> =>
    defineKernel<null>({
      name: 'broken',
      outputs: ([x]) => [{ shape: x, dtype: 'float32' }],
      twin() {},
      wgsl: () => ({
        steps: ({ inputs, outputs }) => [{ code, bindings: [...inputs, ...outputs], workgroups: [1, 1, 1] }],
      }),
    });

  test('a shader that does not compile names line, column and source', async () => {
    const device = await WebGpuDevice.open(await getAdapter());
    const code = `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main() { y[0] = nonsense(x[0]); }`;
    const [y] = launch(kernelWith(code), [tensor(device, [1])], null);
    const failure = await y.read().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ShaderError);
    expect((failure as Error).message).toMatch(/^broken: the driver refuses the shader\n {2}3:\d+ .*nonsense/);
    expect((failure as Error).message).toContain('y[0] = nonsense(x[0])');
    device.destroy();
  });

  test('a lost device gives DeviceLostError', async () => {
    const adapter = await getAdapter();
    let inner: GPUDevice | undefined;
    const spied = new Proxy(adapter, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (key === 'requestDevice') {
          return async (descriptor: GPUDeviceDescriptor) => {
            inner = await target.requestDevice(descriptor);
            return inner;
          };
        }
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const device = await WebGpuDevice.open(spied);
    const x = tensor(device, [1]);
    inner!.destroy(); // what the system does when a driver resets
    await expect(x.read()).rejects.toThrow(DeviceLostError);
    expect(() => relu(x)).toThrow(DeviceLostError);
  });
});

describe('choosing a device', () => {
  test('auto takes no software adapter, and says why', async () => {
    const { kind, reason, adapter } = await chooseDevice('auto', getGpu());
    const hardware = adapter?.kind === 'hardware';
    expect(kind).toBe(hardware ? 'webgpu' : 'cpu');
    expect(reason).toMatch(hardware ? /hardware GPU adapter was found/ : /only GPU adapter is software/);
  });

  test('the CPU is no hardware GPU', async () => {
    const device = await (await chooseDevice('cpu', null)).open();
    expect(device.description).toMatchObject({ kind: 'cpu', hardware: false });
    device.destroy();
  });

  test('without a GPU', async () => {
    expect((await chooseDevice('auto', null)).kind).toBe('cpu');
    await expect(chooseDevice('webgpu', null)).rejects.toThrow(NoDeviceError);
    await expect(chooseDevice('tpu' as never, null)).rejects.toThrow("device: expects auto, webgpu or cpu, got 'tpu'");
  });
});
