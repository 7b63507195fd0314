/** The graph of a model: which layers there are, what each takes, and the shapes of all values. It holds no numbers. */
import { ShapeError, UsageError } from '../errors.js';
import { formatShape, sameShape, sizeOf, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Layer, LayerConfig, SymbolicTensor } from './layers/layer.js';
import type { NamedParameter } from './parameters.js';

/** A layer in its place in the graph. Value 0 is the model's input, value i + 1 what node i gives. */
export interface ModelNode {
  readonly layer: Layer;
  /** The values that it takes. */
  readonly inputs: readonly number[];
  readonly inputShapes: readonly Shape[];
  readonly shape: Shape;
}

/** The architecture as JSON, for model files. */
export interface ModelConfig {
  readonly inputShape: Shape;
  readonly layers: readonly LayerConfig[];
  /** The layers (by name) in the order in which they run, with the values that they take: 0 is the input, i + 1 that of node i. Left out for a row. */
  readonly nodes?: readonly { readonly layer: string; readonly inputs: readonly number[] }[];
}

/** How the layers are to be called. */
export interface ForwardOptions {
  /** The last layer's values before its activation. */
  readonly logits: boolean;
  readonly training: boolean;
  /** [1] uint32: the number of the training step. */
  readonly step: Tensor;
}

/** Keras' way to make a layer name of a class name: MaxPooling2D → max_pooling2d. */
const snakeCase = (kind: string): string => kind.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();

export class Graph {
  readonly #nodes: ModelNode[] = [];
  #inputShape: Shape | null = null;
  /** Names that layers further on have already. */
  readonly #reserved = new Set<string>();
  /** The models that layers come from, where a whole model was applied. */
  readonly sources = new Map<Layer, object>();

  /**
   * The graph between two symbolic tensors.
   * @throws UsageError when the outputs do not come from the inputs alone
   */
  static between(inputs: SymbolicTensor, outputs: SymbolicTensor): Graph {
    const reached = new Set<SymbolicTensor>();
    const open = [outputs];
    for (let next = open.pop(); next; next = open.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      if (next !== inputs) open.push(...next.inputs);
    }
    if (!reached.has(inputs) || outputs === inputs)
      throw new UsageError('Model: outputs expects a tensor that layers made from inputs, got one of another graph');
    const values = [...reached].toSorted((a, b) => a.number - b.number);
    if (values.filter(({ layer }) => layer === null).length > (inputs.layer === null ? 1 : 0))
      throw new UsageError('Model: outputs expects to depend on inputs alone, got a graph with another input');
    const made = values.filter((value) => value !== inputs);
    const places = new Map([inputs, ...made].map((value, place) => [value, place]));
    const graph = new Graph();
    graph.inputShape = inputs.shape;
    for (const { layer } of made) if (layer?.name) graph.#reserved.add(layer.name);
    for (const { layer, source, inputs: given } of made) {
      if (!layer) continue;
      if (source) graph.sources.set(layer, source);
      graph.append(
        layer,
        given.map((from) => places.get(from) ?? 0),
      );
    }
    return graph;
  }

  /**
   * Adds a node behind the others; a layer may have several nodes, which share its parameters.
   * @param inputs the values that it takes: 0 is the model's input, i + 1 what node i gives
   * @throws ShapeError when the layer cannot follow its inputs; UsageError for a name that is taken
   */
  append(layer: Layer, inputs: readonly number[]): void {
    const others = this.layers.filter((other) => other !== layer);
    if (layer.name === '') layer.name = this.#freeName(layer.kind, others);
    if (others.some(({ name }) => name === layer.name))
      throw new UsageError(`add: there is a layer '${layer.name}' already; give this one another name`);
    layer.checkInputs(inputs.length);
    const inputShapes = inputs.map((value) => (value === 0 ? this.inputShape : this.#nodes[value - 1].shape));
    const shape = layer.outputShape(...inputShapes);
    const earlier = this.#nodes.find((node) => node.layer === layer);
    const fits = (): boolean =>
      !earlier ||
      layer
        .parameters(inputShapes[0])
        .every((one, i) => sameShape(one.shape, layer.parameters(earlier.inputShapes[0])[i].shape));
    if (earlier && !fits())
      throw new ShapeError(
        `${layer.name}: shared, it expects inputs like ${formatShape(earlier.inputShapes[0])}, got ${formatShape(inputShapes[0])}`,
      );
    this.#nodes.push({ layer, inputs, inputShapes, shape });
  }

  #freeName(kind: string, others: readonly Layer[]): string {
    let number = others.filter((other) => other.kind === kind).length;
    const name = (): string => snakeCase(kind) + (number === 0 ? '' : `_${number}`);
    while (this.#reserved.has(name())) number++;
    return name();
  }

  /** The layers in the order in which they run. */
  get layers(): readonly Layer[] {
    return [...new Set(this.#nodes.map(({ layer }) => layer))];
  }

  /** In the order in which they run: the last node gives the output. */
  get nodes(): readonly ModelNode[] {
    return this.#nodes;
  }

  /** Shape of one input, without the batch axis. */
  get inputShape(): Shape {
    if (!this.#inputShape) throw new UsageError('the model has no layers yet; add() some');
    return this.#inputShape;
  }

  set inputShape(shape: Shape) {
    this.#inputShape = shape;
  }

  /** Shape of one output, without the batch axis. */
  get outputShape(): Shape {
    return this.#nodes.at(-1)?.shape ?? this.inputShape;
  }

  /** Activation of the last layer. */
  get ending(): string | undefined {
    return this.#nodes.at(-1)?.layer.activation;
  }

  /** True when layers draw random numbers in training. */
  get isStochastic(): boolean {
    return this.#nodes.some(({ layer }) => layer.stochastic);
  }

  /** True when every layer takes what the one before it gives. */
  get isRow(): boolean {
    const { layers } = this;
    return this.#nodes.every(({ layer, inputs }, index) => inputs.join() === String(index) && layers[index] === layer);
  }

  /** All parameters. Those of a frozen layer are not trainable. */
  parameters(): NamedParameter[] {
    return this.layers.flatMap((layer) => {
      const node = this.#nodes.find((each) => each.layer === layer);
      return layer.parameters(node?.inputShapes[0] ?? []).map((parameter) => ({
        ...parameter,
        fullName: `${layer.name}.${parameter.name}`,
        trainable: layer.trainable && (parameter.trainable ?? true),
      }));
    });
  }

  config(): ModelConfig {
    return {
      inputShape: this.inputShape,
      layers: this.layers.map((layer) => ({ ...layer.config(), ...(!layer.trainable && { trainable: false }) })),
      ...(!this.isRow && { nodes: this.#nodes.map(({ layer, inputs }) => ({ layer: layer.name, inputs })) }),
    };
  }

  /**
   * The values that layers give, by their names: `conv2d`, and of a layer with several nodes `conv2d:0`, `conv2d:1`, ….
   * @throws UsageError for a name that no layer has, or that several nodes share
   */
  valueOf(name: string): number {
    const [, layerName, use] = /^(.*?)(?::(\d+))?$/s.exec(name) ?? [];
    const named = (wanted: string): number[] =>
      this.#nodes.flatMap(({ layer }, index) => (layer.name === wanted ? [index + 1] : []));
    const values = named(name);
    const found = values.length > 0 ? (values.length === 1 ? values[0] : undefined) : named(layerName)[Number(use)];
    if (found !== undefined) return found;
    throw new UsageError(
      values.length > 1
        ? `values: '${name}' is used ${values.length} times; say which use, '${name}:0' to '${name}:${values.length - 1}'`
        : `values: the model has no layer '${name}'; it has ${this.layers.map((layer) => layer.name).join(', ')}`,
    );
  }

  /**
   * Runs the layers: given values → the values asked for, each [N, …]. What is asked for or given is not fused with the
   * layers that follow; what none of them needs is not computed.
   *
   * @param given by their numbers: 0, the model's input, and any others
   * @param tensors the layers' parameters, by node
   * @param wanted numbers of the values; by default the last
   */
  run(
    given: ReadonlyMap<number, Tensor>,
    tensors: readonly Readonly<Record<string, Tensor>>[],
    { logits, training, step, seed }: ForwardOptions & { seed: number },
    wanted: readonly number[] = [this.#nodes.length],
  ): Tensor[] {
    const values: (Tensor | undefined)[] = [];
    for (const [value, tensor] of given) values[value] = tensor;
    const last = this.#nodes.length - 1;
    const needed = this.#neededFor(wanted, given);
    const done = new Set<number>(); // together with an earlier one
    const forGradients = new Set<number>(); // values that the tape refers to
    for (const [index, { layer, inputs }] of this.#nodes.entries()) {
      if (done.has(index) || !needed.has(index + 1) || given.has(index + 1)) continue;
      const taken = inputs.map((value) => values[value]!);
      const chain = this.#followers(index, needed, [...wanted, ...given.keys()], logits);
      const followers = chain.map((at) => ({ layer: this.#nodes[at].layer, parameters: tensors[at] }));
      const fused = followers.length > 0 && layer.callFused(taken, tensors[index], followers, training);
      let result: Tensor;
      if (fused) {
        const together = chain.slice(0, fused.taken);
        for (const at of together) done.add(at);
        result = values[together.at(-1)! + 1] = fused.value;
      } else {
        const activation = index === last && logits ? 'linear' : layer.activation;
        const random = { seed, layer: index, step };
        result = values[index + 1] = layer.call(taken, tensors[index], { activation, training, random });
      }
      if (result.requiresGradient) for (const value of inputs) forGradients.add(value);
      for (const value of inputs) {
        if (forGradients.has(value)) continue;
        const isUsed = this.#nodes.some(
          (node, user) => user > index && needed.has(user + 1) && node.inputs.includes(value),
        );
        if (!isUsed && !given.has(value) && !wanted.includes(value)) destroyOne(values, value);
      }
    }
    return wanted.map((value) => values[value]!);
  }

  /** The nodes behind one of which each alone takes what the one before it gives. */
  #followers(index: number, needed: ReadonlySet<number>, wanted: readonly number[], logits: boolean): number[] {
    const last = this.#nodes.length - 1;
    const chain: number[] = [];
    for (let at = index; at < last && !wanted.includes(at + 1); at = chain.at(-1)!) {
      const value = at + 1;
      const users = this.#nodes.flatMap(({ inputs }, user) =>
        needed.has(user + 1) && inputs.includes(value) ? [user] : [],
      );
      const [next] = users;
      if (users.length !== 1 || this.#nodes[next].inputs.length !== 1) break;
      if (next === last && logits && this.#nodes[next].layer.activation !== 'linear') break;
      chain.push(next);
    }
    return chain;
  }

  #neededFor(wanted: readonly number[], given: ReadonlyMap<number, Tensor>): ReadonlySet<number> {
    const needed = new Set(wanted);
    for (let value = this.#nodes.length; value > 0; value--)
      if (needed.has(value) && !given.has(value)) for (const input of this.#nodes[value - 1].inputs) needed.add(input);
    return needed;
  }
}

/** Gives a value's memory back, unless a layer handed the same tensor on. */
function destroyOne(values: (Tensor | undefined)[], value: number): void {
  const tensor = values[value];
  values[value] = undefined;
  if (tensor && !values.includes(tensor)) tensor.destroy();
}

/** The layers with their output shapes and parameters, as Keras prints them. */
export function summaryOf(graph: Graph): string {
  const row = graph.isRow;
  const nameOf = (value: number): string => (value === 0 ? 'input' : graph.nodes[value - 1].layer.name);
  const titles = ['Layer (type)', 'Output shape', 'Param #', 'Connected to'];
  const rows = graph.nodes.map(({ layer, inputs, inputShapes, shape }) => {
    const count = layer.parameters(inputShapes[0]).reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0);
    return [
      `${layer.name} (${layer.kind})`,
      `(None, ${shape.join(', ')})`,
      count.toLocaleString('en-US'),
      inputs.map(nameOf).join(', '),
    ];
  });
  // At least Keras' widths, and two spaces between columns.
  const least = [32, 26, 12];
  const widths = least.map((width, column) =>
    rows.reduce((most, cells) => Math.max(most, cells[column].length + 2), width),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .slice(0, row ? 3 : 4)
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('')
      .trimEnd();
  const rule = '='.repeat(66 + widths.reduce((sum, width, column) => sum + width - least[column], 0));
  const parameters = graph.parameters();
  const total = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const trained = parameters.reduce((sum, { shape, trainable }) => sum + (trainable ? sizeOf(shape) : 0), 0);
  const written = (label: string, count: number): string =>
    `${label}: ${count.toLocaleString('en-US')} (${((count * 4) / 2 ** 20).toFixed(2)} MiB)`;
  return [
    line(titles),
    rule,
    ...rows.map(line),
    rule,
    written('Total params', total),
    ...(total === trained
      ? []
      : [written('Trainable params', trained), written('Non-trainable params', total - trained)]),
  ].join('\n');
}
