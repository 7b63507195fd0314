/** Everything that can be checked on a device, check by check: what `beltnet gradcheck` prints. */
import { expectObject } from '../expect.js';
import { kernels as allKernels, ops as allOps } from '../kernels/registry.js';
import { floats, type RegisteredKernel, type RegisteredOp } from '../kernels/shared/samples.js';
import { Conv2D } from '../nn/layers/convolution.js';
import { Dense, Flatten } from '../nn/layers/core.js';
import { MaxPooling2D } from '../nn/layers/pooling.js';
import { Sequential } from '../nn/sequential.js';
import { expectDevice, type Device } from '../tensor/device.js';
import { Random, RandomStream } from '../tensor/random.js';
import { ReferenceDevice } from '../tensor/reference/reference-device.js';
import {
  DIFFERENCE_TOLERANCE,
  errorInRoundings,
  kernelErrors,
  opDifferenceError,
  opErrors,
  ROUNDING,
  type Measurement,
} from './checks.js';

/** What a check found out about one op, one kernel or the network. */
export interface CheckResult {
  readonly kind: 'op' | 'kernel' | 'network';
  readonly name: string;
  /** Relative to the largest value of the output or gradient. */
  readonly tolerance: number;
  /** Of the output (a kernel's worst output), relative to its largest value. */
  readonly forward: number;
  /** Of each gradient, by input or parameter; empty where there are none. */
  readonly gradients: Readonly<Record<string, number>>;
  /** The gradient rule against finite differences in float64 (see DIFFERENCE_TOLERANCE); null where there is none. */
  readonly difference: number | null;
  readonly passed: boolean;
  /** The worst case in words, where a check fails. */
  readonly where: string | null;
}

export interface GradcheckOptions {
  /** Only the op or kernel of this name, or 'network'. */
  readonly name?: string | undefined;
  /** Random inputs for each. */
  readonly cases?: number;
  /** What to check instead of everything: a user's own ops. */
  readonly kernels?: readonly RegisteredKernel[];
  readonly ops?: readonly RegisteredOp[];
}

/** Names that `GradcheckOptions.name` takes. */
export const checkNames = (): string[] => [
  ...new Set([...allOps.map(({ op }) => op.name), ...allKernels.map(({ kernel }) => kernel.name), 'network']),
];

/** Yields the results one by one, so that they can be shown as they come: ops, then kernels, then the network. */
export async function* gradcheck(device: Device, options: GradcheckOptions = {}): AsyncGenerator<CheckResult> {
  expectDevice(device, 'gradcheck: device');
  expectObject(options, 'gradcheck: options');
  const { name, cases = 3, kernels = allKernels, ops = allOps } = options;
  const wanted = (each: string): boolean => name === undefined || name === each;
  for (const registered of ops) {
    if (!wanted(registered.op.name)) continue;
    const difference = registered.op.backward === null ? null : opDifferenceError(registered, cases);
    yield resultOf(
      'op',
      registered.op.name,
      registered.roundings,
      await opErrors(device, registered, cases),
      difference,
    );
  }
  for (const registered of kernels) {
    if (!wanted(registered.kernel.name)) continue;
    yield resultOf(
      'kernel',
      registered.kernel.name,
      registered.roundings,
      await kernelErrors(device, registered, cases),
    );
  }
  if (wanted('network') && !options.kernels && !options.ops) yield await checkNetwork(device);
}

function resultOf(
  kind: CheckResult['kind'],
  name: string,
  roundings: number,
  measured: readonly Measurement[],
  difference: number | null = null,
): CheckResult {
  const outputs = measured.filter(({ what }) => what.startsWith('output'));
  const gradients = measured.filter(({ what }) => !what.startsWith('output'));
  const failing = measured.find(({ error }) => !(error <= roundings));
  const differs = difference !== null && !(difference < DIFFERENCE_TOLERANCE);
  const where = failing
    ? `${failing.what} is ${failing.error.toFixed(1)} roundings off, ${roundings} are allowed: ${failing.where}`
    : differs
      ? `the gradient rule is ${difference.toExponential(1)} off its finite difference`
      : null;
  return {
    kind,
    name,
    tolerance: roundings * ROUNDING,
    forward: outputs.reduce((worst, { error }) => (error <= worst ? worst : error), 0) * ROUNDING,
    gradients: Object.fromEntries(
      gradients.map(({ what, error }) => [what.replace('gradient of ', ''), error * ROUNDING]),
    ),
    difference,
    passed: where === null,
    where,
  };
}

/**
 * Four layers deep, with sums of up to 7,688 products of both signs. Errors grow with the root of that; a maximum that
 * rounding moves to its neighbour would be far beyond.
 */
const NETWORK_ROUNDINGS = 512;

/** The conveyor network on 64×64 pictures: the loss of a training step, and the gradient of every parameter. */
async function checkNetwork(device: Device): Promise<CheckResult> {
  const random = new Random(12, RandomStream.synthetic);
  const pictures = floats(random, [2, 64, 64, 3], 0, 1).values as Float32Array;
  // Multiples of 1/64: with the first weights, multiples of 1/256, the first layer's sums are exact on every device,
  // and so are the ties between its maxima.
  pictures.forEach((value, i) => (pictures[i] = Math.round(value * 64) / 64));
  const step = async (where: Device) => {
    const model = conveyorNetwork();
    const weights = await model.getWeights();
    const first = weights['conv2d.kernel'].data;
    first.forEach((value, i) => (first[i] = Math.round(value * 256) / 256));
    model.setWeights(weights);
    model.compile({ device: where });
    const { loss } = await model.trainOnBatch(pictures, [0, 1]);
    const gradients = await model.getGradients();
    model.destroy();
    return { loss, gradients };
  };
  const [got, expected] = [await step(device), await step(new ReferenceDevice())];
  const measure = (what: string, values: ArrayLike<number>, right: ArrayLike<number>): Measurement => {
    const { error, at } = errorInRoundings(values, right);
    return { what, error, where: `[${at}]: got ${values[at]}, expected ${right[at]}` };
  };
  const measured = [
    measure('output', [got.loss], [expected.loss]),
    ...Object.entries(expected.gradients).map(([name, { data }]) =>
      measure(`gradient of ${name}`, got.gradients[name].data, data),
    ),
  ];
  return resultOf('network', 'network', NETWORK_ROUNDINGS, measured);
}

function conveyorNetwork(): Sequential {
  return new Sequential(
    [
      new Conv2D(32, 3, { inputShape: [64, 64, 3], activation: 'relu' }),
      new MaxPooling2D(),
      new Conv2D(32, 3, { activation: 'relu' }),
      new MaxPooling2D(),
      new Flatten(),
      new Dense(128, { activation: 'relu' }),
      new Dense(1, { activation: 'sigmoid' }),
    ],
    { seed: 1 },
  );
}
