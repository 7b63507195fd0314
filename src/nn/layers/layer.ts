/**
 * What a layer is: it describes itself and its parameters; their values live in the model's arena. Applied to a
 * `SymbolicTensor` it gives another one, that knows the layer.
 */
import { expectArray, refuse } from '../../expect.js';
import { ShapeError, UsageError } from '../../errors.js';
import {
  flag,
  lengths,
  optional,
  orNull,
  preview,
  readOptions,
  text,
  type GivenOptions,
  type ReadOptions,
  type Schema,
} from '../../options.js';
import type { Random } from '../../tensor/random.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Activation } from '../activations.js';

export interface ParameterDescription {
  /** 'kernel', 'bias', …; the full name is `layer.kernel`. */
  readonly name: string;
  readonly shape: Shape;
  /** False for what training moves without a gradient: running statistics. */
  readonly trainable?: boolean;
  /** L2 regularization: this times Σ w² is added to the loss. */
  readonly l2?: number;
  readonly initialize: (random: Random) => Float32Array;
}

/** A layer as JSON: what model files hold. */
export interface LayerConfig {
  readonly kind: string;
  readonly name: string;
  readonly [option: string]: unknown;
}

/** Options that every layer takes. Shapes are without the batch axis. */
const commonSchema = {
  name: optional(text, ''),
  /** Shape of the model's input [H,W,C]; for the first layer of a `Sequential`. */
  inputShape: optional(orNull(lengths), null),
  /** False freezes the layer: see `Layer.trainable`. */
  trainable: optional(flag, true),
};

export type LayerOptions = GivenOptions<typeof commonSchema>;

/** What a constructor takes for a schema, without the options in `Leading`, which come before the object. */
export type OptionsFor<Options extends Schema, Leading extends keyof Options = never> = LayerOptions &
  Omit<GivenOptions<Options>, Leading>;

/** A class of layers: what model files and `registerLayer` need to know of it. */
export interface LayerClass {
  new (...given: never[]): Layer;
  /** The name of the class in model files. */
  readonly kind: string;
  readonly schema: Schema;
  /** The options that the constructor takes one by one, before the object with the others. */
  readonly leading?: readonly string[];
}

/** What a layer is told when it is called. */
export interface CallContext {
  /** The layer's own, or 'linear' for the logits of a last layer. */
  readonly activation: Activation;
  readonly training: boolean;
  /** Where random numbers come from: the model's seed, the place of the layer in it, and the number of the step [1]. */
  readonly random: { readonly seed: number; readonly layer: number; readonly step: Tensor };
}

/** The parameters of a layer by their names. */
export type LayerTensors = Readonly<Record<string, Tensor>>;

/** A layer that alone takes the value of the one before it, and nothing else. */
export interface Follower {
  readonly layer: Layer;
  readonly parameters: LayerTensors;
}

/** What a layer and so many of its followers give together. */
export interface Fused {
  readonly value: Tensor;
  readonly taken: number;
}

/**
 * The base of all layers. A class says its `static kind` and `static schema`, `outputShape` and `call`, and `parameters` if it has
 * any; the constructor reads the options by the schema.
 */
export abstract class Layer<Options extends Schema = Schema> {
  /** By the class's schema. */
  readonly options: ReadOptions<Options>;
  readonly inputShape: Shape | null;
  /** True for layers that take several inputs. */
  readonly merges: boolean = false;
  /** True for layers that draw random numbers in training. */
  readonly stochastic: boolean = false;
  /** Given by the model when it is empty: `conv2d`, `conv2d_1`, … */
  name: string;
  /**
   * False freezes the layer, as in Keras: its parameters get no gradient and no update, their L2 adds nothing to the loss, and
   * batch normalization goes by its running statistics, which stay. Takes effect at the next `compile`.
   */
  trainable: boolean;

  /** @throws UsageError naming the option that is unknown, missing or not what the schema expects */
  constructor(...[given]: object extends GivenOptions<Options> ? [OptionsFor<Options>?] : [OptionsFor<Options>]) {
    const { kind, schema, name: className } = new.target as unknown as LayerClass & { name: string };
    if (!kind || !schema)
      throw new UsageError(
        `${className}: expects a layer's class to have a static kind and a static schema, got ${preview(kind)} and ${preview(schema)}`,
      );
    const read = readOptions(kind, { ...commonSchema, ...schema }, given ?? {});
    const { name, inputShape, trainable, ...options } = read as ReadOptions<typeof commonSchema>;
    this.name = name;
    this.inputShape = inputShape;
    this.trainable = trainable;
    this.options = options as ReadOptions<Options>;
  }

  get kind(): string {
    return classOf(this).kind;
  }

  get activation(): Activation {
    return (this.options as { activation?: Activation }).activation ?? 'linear';
  }

  /** @throws ShapeError when the layer cannot follow such inputs */
  abstract outputShape(...inputs: Shape[]): Shape;

  parameters(_input: Shape): readonly ParameterDescription[] {
    return [];
  }

  /** inputs [N, …input] → [N, …output] */
  abstract call(inputs: readonly Tensor[], parameters: LayerTensors, context: CallContext): Tensor;

  /**
   * This layer and some of those that follow it in fewer passes, where there are kernels for that; else null.
   * @param followers each takes the value of the one before it, which nobody else does
   */
  callFused(
    _inputs: readonly Tensor[],
    _parameters: LayerTensors,
    _followers: readonly Follower[],
    _training: boolean,
  ): Fused | null {
    return null;
  }

  /** The layer as JSON. Options that came later are left out where they are what they were before. */
  config(): LayerConfig {
    const { kind, schema } = classOf(this);
    const isKept = ([option, value]: [string, unknown]): boolean => {
      const one = schema[option];
      return !('fallback' in one && one.isAdded && one.fallback === value);
    };
    const kept = Object.entries(this.options).filter(isKept);
    return { kind, name: this.name, ...Object.fromEntries(kept) };
  }

  /**
   * Applies the layer in a graph: Keras' `layer(x)`.
   * @throws ShapeError when the layer cannot follow these inputs; UsageError for several inputs to a layer that takes one
   */
  apply(inputs: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor {
    const given = inputs instanceof SymbolicTensor ? [inputs] : inputs;
    const what = `${this.name || this.kind}: apply`;
    expectArray(given, what);
    for (const one of given) expectSymbolic(one, what);
    this.checkInputs(given.length);
    return new SymbolicTensor(this.outputShape(...given.map(({ shape }) => shape)), this, given);
  }

  /** @throws UsageError for a number of inputs that the layer does not take */
  checkInputs(count: number): void {
    if (this.merges ? count >= 1 : count === 1) return;
    throw new UsageError(`${this.name || this.kind}: expects ${this.merges ? 'inputs' : 'one input'}, got ${count}`);
  }
}

export const classOf = (layer: Layer): LayerClass => layer.constructor as unknown as LayerClass;

/** A layer that keeps its input's shape. */
export abstract class ShapeKeeping<Options extends Schema = Schema> extends Layer<Options> {
  outputShape(input: Shape): Shape {
    return input;
  }
}

/** @throws ShapeError unless it is [H,W,C] */
export function checkPicture(layer: Layer, input: Shape): void {
  if (input.length !== 3)
    throw new ShapeError(`${layer.name || layer.kind}: expects [H,W,C], got ${formatShape(input)}`);
}

let made = 0;

/** @throws UsageError unless it is what `input` or a layer's `apply` gives */
export function expectSymbolic(value: unknown, what: string): asserts value is SymbolicTensor {
  if (!(value instanceof SymbolicTensor)) refuse(value, what, "what input() or a layer's apply() gives");
}

/** A value of a graph that is being built: a shape and where it comes from, no numbers. */
export class SymbolicTensor {
  /** Without the batch axis. */
  readonly shape: Shape;
  /** The layer that gives it; null for a model's input. */
  readonly layer: Layer | null;
  readonly inputs: readonly SymbolicTensor[];
  /** The model that was applied, if the layer is one of its. */
  readonly source: object | null;
  /** Counts up, so that inputs always come before what is made of them. */
  readonly number = made++;

  constructor(
    shape: Shape,
    layer: Layer | null = null,
    inputs: readonly SymbolicTensor[] = [],
    source: object | null = null,
  ) {
    this.shape = shape;
    this.layer = layer;
    this.inputs = inputs;
    this.source = source;
  }
}
