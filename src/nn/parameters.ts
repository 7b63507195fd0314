/**
 * The parameter arena: all trainable parameters of a model in one buffer, their gradients in another, so that an optimizer
 * step is one launch and a checkpoint one read. What has no gradient (running statistics, which training moves otherwise,
 * and frozen parameters) is in a third: WebGPU does not let a kernel write to a buffer that it also reads parameters from.
 */
import { ShapeError } from '../errors.js';
import { expectFinite, expectObject, firstNotFinite } from '../expect.js';
import type { Device } from '../tensor/device.js';
import { ALIGNMENT } from '../tensor/memory-pool.js';
import { Random, RandomStream } from '../tensor/random.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../tensor/shape.js';
import { copyKernel } from '../tensor/elementwise.js';
import { launch, viewOf, zeros, type Tensor } from '../tensor/tensor.js';
import type { ParameterDescription } from './layers/layer.js';

export interface NamedWeights {
  readonly [name: string]: { readonly shape: Shape; readonly data: Float32Array };
}

export interface NamedParameter extends ParameterDescription {
  /** `layer.kernel` */
  readonly fullName: string;
  readonly trainable: boolean;
}

/** Views start at WebGPU's binding alignment; the gaps stay 0 and so do their gradients. */
const ALIGNED_FLOATS = ALIGNMENT / 4;

/** The initial values of parameters: each has its own random numbers, by its place in the model. */
export function initialWeights(parameters: readonly NamedParameter[], seed: number): NamedWeights {
  return Object.fromEntries(
    parameters.map((parameter, index) => {
      const data = parameter.initialize(new Random(seed, RandomStream.weights, index));
      return [parameter.fullName, { shape: parameter.shape, data }];
    }),
  );
}

/** Throws for the first number that is not finite: a model with such a weight cannot predict anything. */
export function checkFinite(weights: NamedWeights, refuse: (message: string) => never): void {
  for (const [name, weight] of Object.entries(weights)) {
    expectObject(weight, `weight '${name}'`);
    const { shape, data } = weight;
    if (!(data instanceof Float32Array)) expectFinite(data, `weight '${name}'`);
    const at = firstNotFinite(data);
    if (at >= 0) refuse(`weight '${name}' ${formatShape(shape)} expects finite numbers, got ${data[at]} at ${at}`);
  }
}

/**
 * @returns the weights in the order of the model
 * @throws ShapeError when a parameter is missing, superfluous, of another shape, or not finite
 */
export function checkWeights(parameters: readonly NamedParameter[], weights: NamedWeights): NamedWeights {
  expectObject(weights, 'weights');
  for (const { fullName, shape } of parameters) {
    const given = Object.hasOwn(weights, fullName) ? weights[fullName] : null;
    if (!given)
      throw new ShapeError(
        `weights: ${fullName} ${formatShape(shape)} is missing; got ${Object.keys(weights).join(', ')}`,
      );
    if (!sameShape(given.shape, shape) || given.data.length !== sizeOf(shape)) {
      throw new ShapeError(
        `weights: ${fullName} expects ${formatShape(shape)}, got ${formatShape(given.shape)} with ${given.data.length} values`,
      );
    }
  }
  const known = new Set(parameters.map(({ fullName }) => fullName));
  const unknown = Object.keys(weights).filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new ShapeError(`weights: the model has no ${unknown.join(', ')}; it has ${[...known].join(', ')}`);
  checkFinite(weights, (message) => {
    throw new ShapeError(message);
  });
  return Object.fromEntries(parameters.map(({ fullName }) => [fullName, weights[fullName]]));
}

interface Place {
  readonly fullName: string;
  readonly shape: Shape;
  /** In elements, from the start of its arena. */
  readonly offset: number;
  readonly value: Tensor;
  /** Null for what is not trained. */
  readonly gradient: Tensor | null;
}

/** Where each parameter begins, and the size of all. */
function layOut(parameters: readonly NamedParameter[]): { offsets: number[]; size: number } {
  let size = 0;
  const offsets = parameters.map(({ shape }) => {
    const offset = size;
    size += Math.ceil(sizeOf(shape) / ALIGNED_FLOATS) * ALIGNED_FLOATS;
    return offset;
  });
  return { offsets, size };
}

/** Numbers behind the gradients, for what goes to other ranks with them. */
const ROOM = ALIGNED_FLOATS;

export class ParameterArena {
  readonly values: Tensor;
  readonly gradients: Tensor;
  /** The gradients and room behind them. */
  readonly gradientsWithRoom: Tensor;
  readonly state: Tensor;
  /** In the order of the model. */
  readonly parameters: readonly NamedParameter[];
  readonly #places: readonly Place[];

  constructor(device: Device, parameters: readonly NamedParameter[]) {
    this.parameters = parameters;
    const { trained } = this;
    const others = parameters.filter(({ trainable }) => !trainable);
    const [first, second] = [layOut(trained), layOut(others)];
    this.values = zeros(device, [first.size]);
    this.gradientsWithRoom = zeros(device, [first.size + ROOM]);
    this.gradients = viewOf(this.gradientsWithRoom, [first.size]);
    this.state = zeros(device, [second.size]);
    this.#places = parameters.map((parameter) => {
      const { fullName, shape } = parameter;
      const index = trained.indexOf(parameter);
      if (index < 0) {
        const offset = second.offsets[others.indexOf(parameter)];
        return { fullName, shape, offset, value: viewOf(this.state, shape, offset), gradient: null };
      }
      const offset = first.offsets[index];
      const value = viewOf(this.values, shape, offset);
      const gradient = viewOf(this.gradients, shape, offset);
      value.requiresGradient = true;
      value.gradient = gradient;
      return { fullName, shape, offset, value, gradient };
    });
  }

  /** @throws ShapeError when there is no such parameter */
  value(fullName: string): Tensor {
    const place = this.#places.find((each) => each.fullName === fullName);
    if (!place) throw new ShapeError(`weights: the model has no ${fullName}`);
    return place.value;
  }

  /** The tensors of one layer, by their short names. */
  ofLayer(name: string): Record<string, Tensor> {
    const prefix = `${name}.`;
    return Object.fromEntries(
      this.#places
        .filter(({ fullName }) => fullName.startsWith(prefix))
        .map(({ fullName, value }) => [fullName.slice(prefix.length), value]),
    );
  }

  get trained(): readonly NamedParameter[] {
    return this.parameters.filter(({ trainable }) => trainable);
  }

  /** Whether these parameters are its, each trained or not as here. */
  fits(parameters: readonly NamedParameter[]): boolean {
    const mine = this.parameters;
    return (
      parameters.length === mine.length &&
      parameters.every(({ fullName, trainable }, i) => fullName === mine[i].fullName && trainable === mine[i].trainable)
    );
  }

  /** Copies the values of another arena's parameters, on the device; of those that both have. */
  copyFrom(other: ParameterArena): void {
    for (const { fullName, value } of this.#places) {
      const from = other.#places.find((each) => each.fullName === fullName);
      if (from) launch(copyKernel, [from.value], null, [value]);
    }
  }

  /** Puts values into all parameters; they must fit (`checkWeights`). */
  write(weights: NamedWeights): void {
    for (const { fullName, value } of this.#places) value.write(weights[fullName].data);
  }

  /** Values of all parameters, or gradients (after a step) of the trained ones. */
  async read(what: 'values' | 'gradients' = 'values'): Promise<NamedWeights> {
    const whole = what === 'values';
    const [all, state] = await Promise.all([
      this[what].read(),
      whole && this.state.size > 0 ? this.state.read() : new Float32Array(0),
    ]);
    const parts = { ...this.split(all), ...(whole && this.split(state, false)) };
    return Object.fromEntries(
      this.#places.flatMap(({ fullName }) => (fullName in parts ? [[fullName, parts[fullName]]] : [])),
    );
  }

  /** An array of the arena's size, by the names of the trained parameters (or of the others). */
  split(all: Float32Array, trained = true): NamedWeights {
    return Object.fromEntries(
      this.#places
        .filter(({ gradient }) => (gradient !== null) === trained)
        .map(({ fullName, shape, offset }) => [fullName, { shape, data: all.slice(offset, offset + sizeOf(shape)) }]),
    );
  }

  /** The other way round; they must fit (`checkWeights`). */
  join(arrays: NamedWeights): Float32Array<ArrayBuffer> {
    const all = new Float32Array(this.values.size);
    for (const { fullName, offset, gradient } of this.#places) if (gradient) all.set(arrays[fullName].data, offset);
    return all;
  }

  destroy(): void {
    for (const { value, gradient } of this.#places) {
      value.destroy();
      gradient?.destroy();
    }
    this.values.destroy();
    this.gradients.destroy();
    this.gradientsWithRoom.destroy();
    this.state.destroy();
  }
}
