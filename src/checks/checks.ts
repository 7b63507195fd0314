/**
 * The proof of kernels and ops, as functions: the tests run them over the registry, `beltnet gradcheck` on the user's
 * adapter. Errors are in roundings: units of 2^-24, float32's relative rounding, of the output's largest magnitude.
 */
import { expectArray, expectCount, expectFunction, objectWith } from '../expect.js';
import type { RegisteredKernel, RegisteredOp, Sample, SampleTensor } from '../kernels/shared/samples.js';
import { backward, noGrad, record } from '../tensor/autograd.js';
import { choiceKey } from '../tensor/webgpu/autotune.js';
import { expectDevice, type Device } from '../tensor/device.js';
import type { Numbers } from '../tensor/kernel.js';
import { Random, RandomStream } from '../tensor/random.js';
import { ReferenceDevice } from '../tensor/reference/reference-device.js';
import { formatShape, sizeOf, type Shape } from '../tensor/shape.js';
import { emptyTensor, launch, tensor, type Tensor } from '../tensor/tensor.js';

/** Float32's relative rounding. */
export const ROUNDING = 2 ** -24;
/** Smallest normal float32; devices may take smaller ones for 0. */
const SMALLEST = 2 ** -126;
/** Most that a directional derivative may differ from its finite difference, relatively: see `differenceError`. */
export const DIFFERENCE_TOLERANCE = 1e-6;

/** The worst that was seen of one output or gradient. */
export interface Measurement {
  /** 'output 0', 'gradient of input 1', … */
  readonly what: string;
  /** In roundings; NaN where something is not a number and should be. */
  readonly error: number;
  /** Shapes and attributes of the case, and the values. */
  readonly where: string;
}

/** How far `got` is from `expected`, in roundings of its largest value. */
export function errorInRoundings(got: ArrayLike<number>, expected: ArrayLike<number>): { error: number; at: number } {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]));
  let worst = { error: 0, at: 0 };
  for (let i = 0; i < expected.length; i++) {
    // A float32 cannot hold the float64 result itself, so that is rounded once.
    const difference = Math.abs(got[i] - Math.fround(expected[i]));
    if (difference === 0 || difference <= SMALLEST) continue;
    const error = difference / (ROUNDING * largest);
    if (!(error <= worst.error)) worst = { error, at: i };
    if (Number.isNaN(error)) break;
  }
  return worst;
}

function measure(what: string, got: ArrayLike<number>, expected: ArrayLike<number>, sample: Sample): Measurement {
  const { error, at } = errorInRoundings(got, expected);
  const shapes = sample.inputs.map(({ shape }) => formatShape(shape)).join(' ');
  const attributes = sample.attributes === null ? '' : ` ${JSON.stringify(sample.attributes)}`;
  return { what, error, where: `${shapes}${attributes} [${at}]: got ${got[at]}, expected ${expected[at]}` };
}

/** The larger of two measurements of the same thing; NaN is largest. */
const worse = (a: Measurement | undefined, b: Measurement): Measurement =>
  a && !(b.error > a.error) && !Number.isNaN(b.error) ? a : b;

/** Keeps the worst measurement of each kind. */
function worstOf(measurements: readonly Measurement[]): Measurement[] {
  const kinds = new Map<string, Measurement>();
  for (const one of measurements) kinds.set(one.what, worse(kinds.get(one.what), one));
  return [...kinds.values()];
}

/** An entry of the registry. */
const expectEntry = objectWith({ sample: expectFunction });

/** The random numbers of a check's case, the same everywhere. */
export const sampleNumber = (index: number): Random => new Random(7, RandomStream.synthetic, index);

/**
 * A kernel on a device against its twin in float64, on `cases` random inputs: the worst of each output. On WebGPU every
 * variant of the kernel that the adapter can run is tried on every input, whichever the device would choose; the errors of
 * those that round more coarsely are divided by their `coarseness`.
 *
 * @param mostOfVariant where several can run, each is tried on its first so many inputs
 */
export async function kernelErrors(
  device: Device,
  registered: RegisteredKernel,
  cases: number,
  mostOfVariant = Infinity,
): Promise<Measurement[]> {
  expectDevice(device, 'kernelErrors: device');
  expectEntry(registered, 'kernelErrors: kernel');
  expectCount(cases, 'kernelErrors: cases');
  const measured: Measurement[] = [];
  const tried = new Map<string, number>();
  for (let index = 0; index < cases; index++) {
    const sample = registered.sample(sampleNumber(index));
    const expected = twinOutputs(registered, sample);
    for (const variant of variantsOf(device, registered, sample)) {
      if (variant !== null) {
        const times = tried.get(variant) ?? 0;
        if (times >= mostOfVariant) continue;
        tried.set(variant, times + 1);
      }
      const got = await withVariant(device, registered, sample, variant, () =>
        deviceOutputs(device, registered, sample),
      );
      for (const [i, values] of expected.entries()) {
        const one = measure(`output ${i}`, got[i], values, sample);
        const coarseness = registered.kernel.coarseness?.[variant ?? ''] ?? 1;
        measured.push(
          variant === null ? one : { ...one, error: one.error / coarseness, where: `variant ${variant}: ${one.where}` },
        );
      }
    }
  }
  return worstOf(measured);
}

const shapesOf = ({ inputs }: Sample): Shape[] => inputs.map(({ shape }) => shape);

/** Names of the variants that a device can run a kernel in, for an input; null stands for the only one. */
export function variantsOf(device: Device, { kernel }: RegisteredKernel, sample: Sample): readonly (string | null)[] {
  const shapes = { inputs: shapesOf(sample), outputs: [] };
  const variants = device.variantsOf({ kernel, shapes, attributes: sample.attributes as never });
  return variants.length > 1 ? variants : [null];
}

/** Does something while the device must take a variant of the kernel for inputs like these. */
async function withVariant<Result>(
  { kernelChoices }: Device,
  { kernel }: RegisteredKernel,
  sample: Sample,
  variant: string | null,
  compute: () => Promise<Result>,
): Promise<Result> {
  if (variant === null) return compute();
  const key = choiceKey({ kernel, shapes: { inputs: shapesOf(sample) }, attributes: sample.attributes });
  const before = kernelChoices.get(key);
  kernelChoices.set(key, variant);
  try {
    return await compute();
  } finally {
    if (before === undefined) kernelChoices.delete(key);
    else kernelChoices.set(key, before);
  }
}

function twinOutputs({ kernel }: RegisteredKernel, sample: Sample): Numbers[] {
  const shapes = shapesOf(sample);
  const types = kernel.outputs(shapes, sample.attributes as never);
  const wide = ({ values, dtype }: SampleTensor): Numbers => (dtype === 'float32' ? Float64Array.from(values) : values);
  const outputs = types.map(({ shape }, index) => {
    const given = sample.inPlace?.[index];
    return given ? wide(given) : new Float64Array(sizeOf(shape)).fill(Number.NaN);
  });
  kernel.twin(
    { inputs: sample.inputs.map(wide), outputs },
    { inputs: shapes, outputs: types.map(({ shape }) => shape) },
    sample.attributes as never,
  );
  return outputs;
}

async function deviceOutputs(
  device: Device,
  { kernel }: RegisteredKernel,
  sample: Sample,
): Promise<ArrayLike<number>[]> {
  const inputs = sample.inputs.map(({ values, shape }) => tensor(device, values, shape));
  const types = kernel.outputs(shapesOf(sample), sample.attributes as never);
  // Filled with NaN first, so that an element that no thread writes shows.
  const places = types.map(({ shape, dtype }, index) => {
    const given = sample.inPlace?.[index];
    if (given) return tensor(device, given.values, shape);
    const place = emptyTensor(device, shape, dtype);
    place.write(
      dtype === 'float32'
        ? new Float32Array(place.size).fill(Number.NaN)
        : new Uint32Array(place.size).fill(0xffffffff),
    );
    return place;
  });
  launch(kernel, inputs, sample.attributes as never, places);
  const results = await Promise.all(
    places.map((place) => (place.dtype === 'float32' ? place.read() : place.readIntegers())),
  );
  for (const item of [...inputs, ...places]) item.destroy();
  return results;
}

/** Values in float32, or in float64 on the reference device. */
export async function valuesOf(value: Tensor): Promise<ArrayLike<number>> {
  return value.device instanceof ReferenceDevice ? value.device.values(value).slice() : value.read();
}

/** A computation to differentiate, with inputs for it. */
export interface Differentiable {
  readonly inputs: readonly SampleTensor[];
  /** Positions of the inputs that have no gradient. */
  readonly constants?: readonly number[];
  readonly compute: (inputs: readonly Tensor[]) => Tensor;
}

const differentiable = ({ op, sample, constants = [] }: RegisteredOp, random: Random): Differentiable & Sample => {
  const one = sample(random);
  const compute = (inputs: readonly Tensor[]): Tensor => op.apply(inputs, one.attributes as never);
  return { ...one, compute, constants: op.backward === null ? one.inputs.map((_, i) => i) : constants };
};

/** Output and gradients on one device, for a given gradient of the output (made of its size by `upstream`). */
function differentiate(
  device: Device,
  { inputs, constants = [], compute }: Differentiable,
  upstream: (size: number) => Float32Array,
) {
  const tensors = inputs.map(({ values, shape }, position) =>
    Object.assign(tensor(device, values, shape), { requiresGradient: !constants.includes(position) }),
  );
  const { result, tape } = record(() => compute(tensors));
  const dy = tensor(device, upstream(result.size), result.shape);
  const gradients = tape.length > 0 ? backward(tape, result, dy) : new Map<Tensor, Tensor>();
  return { tensors, result, dy, gradients };
}

const directions = (random: Random) => (size: number) =>
  Float32Array.from({ length: size }, () => random.uniform(-1, 1));

/** An op on a device, forward and backward, against the same in float64: the worst of the output and of each gradient. */
export async function opErrors(device: Device, registered: RegisteredOp, cases: number): Promise<Measurement[]> {
  expectDevice(device, 'opErrors: device');
  expectEntry(registered, 'opErrors: op');
  expectCount(cases, 'opErrors: cases');
  const measured: Measurement[] = [];
  for (let index = 0; index < cases; index++) {
    const one = differentiable(registered, sampleNumber(index));
    measured.push(...(await deviceErrors(device, one, index)));
  }
  return worstOf(measured);
}

/** The same for one computation. */
export async function deviceErrors(
  device: Device,
  one: Differentiable & Partial<Sample>,
  seed = 0,
): Promise<Measurement[]> {
  const reference = new ReferenceDevice();
  const upstream = () => directions(new Random(8, RandomStream.synthetic, seed));
  const expected = differentiate(reference, one, upstream());
  const got = differentiate(device, one, upstream());
  const sample: Sample = { attributes: null, ...one };
  const measured = [measure('output', await valuesOf(got.result), await valuesOf(expected.result), sample)];
  for (const [position, input] of got.tensors.entries()) {
    if (!input.requiresGradient) continue;
    const values = await valuesOf(got.gradients.get(input)!);
    const right = await valuesOf(expected.gradients.get(expected.tensors[position])!);
    measured.push(measure(`gradient of input ${position}`, values, right, sample));
  }
  for (const item of [...got.tensors, got.result, got.dy, ...got.gradients.values()]) item.destroy();
  return measured;
}

/** An op's gradient rule in float64 against finite differences of its forward, on `cases` random inputs: the largest error. */
export function opDifferenceError(registered: RegisteredOp, cases: number): number {
  expectEntry(registered, 'opDifferenceError: op');
  expectCount(cases, 'opDifferenceError: cases');
  let worst = 0;
  for (let index = 0; index < cases; index++) {
    const error = differenceError(differentiable(registered, sampleNumber(index)), index);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

/**
 * One random direction v checks a whole gradient: (f(x + hv) − f(x − hv)) / 2h against ⟨∇f, v⟩, in float64. With h = 1e-5
 * the truncation is near 1e-10 and the cancellation near 1e-11: DIFFERENCE_TOLERANCE is far from both.
 *
 * @returns the largest relative difference over the inputs
 */
export function differenceError(one: Differentiable, seed = 0): number {
  objectWith({ inputs: expectArray, compute: expectFunction })(one, 'differenceError: computation');
  const device = new ReferenceDevice();
  const random = new Random(9, RandomStream.synthetic, seed);
  const { tensors, dy, gradients } = differentiate(device, one, directions(random));
  const weigh = (): number => {
    const values = device.values(noGrad(() => one.compute(tensors)));
    return device.values(dy).reduce((total, weight, i) => total + weight * values[i], 0);
  };
  const step = 1e-5;
  let worst = 0;
  for (const input of tensors) {
    if (!input.requiresGradient) continue;
    const direction = Float64Array.from({ length: input.size }, () => random.normal());
    const values = device.values(input);
    const start = values.slice();
    const at = (h: number): number => {
      values.forEach((_, i) => (values[i] = start[i] + h * direction[i]));
      return weigh();
    };
    const difference = (at(step) - at(-step)) / (2 * step);
    at(0);
    const gradient = device.values(gradients.get(input)!);
    const expected = direction.reduce((total, v, i) => total + v * gradient[i], 0);
    const error = Math.abs(difference - expected) / Math.max(Math.abs(difference), Math.abs(expected), 1e-3);
    if (!(error <= worst)) worst = error;
  }
  return worst;
}
