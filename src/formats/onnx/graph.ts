/** An ONNX graph while it is built: nodes and constants under names that are unique. */
import type { Shape } from '../../tensor/shape.js';
import type { Attribute, OnnxNode, OnnxTensor } from './messages.js';

export class OnnxGraph {
  readonly #nodes: OnnxNode[] = [];
  readonly #tensors = new Map<string, OnnxTensor>();
  readonly #taken = new Set<string>();

  get tensors(): readonly OnnxTensor[] {
    return [...this.#tensors.values()];
  }

  /** `name`, or `name_1`, `name_2`, … */
  unique(name: string): string {
    let free = name;
    for (let number = 1; this.#taken.has(free); number++) free = `${name}_${number}`;
    this.#taken.add(free);
    return free;
  }

  /**
   * Adds a node behind the others.
   * @param scope the layer that it belongs to
   * @returns the name of its output, which is the node's own
   */
  node(
    scope: string,
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const name = this.unique(`${scope}/${operator}`);
    this.#nodes.push({ operator, name, inputs, output: name, attributes });
    return name;
  }

  /** Adds a constant; the one that is there when a shared layer comes again. @returns its name */
  constant(name: string, shape: Shape, make: () => OnnxTensor['data']): string {
    if (!this.#tensors.has(name)) this.#tensors.set(name, { name: this.unique(name), shape, data: make() });
    return this.#tensors.get(name)?.name ?? name;
  }

  integers(name: string, values: readonly number[], shape: Shape = [values.length]): string {
    return this.constant(name, shape, () => BigInt64Array.from(values, BigInt));
  }

  /** The nodes, with `value` under the name `output` as the graph's output. */
  nodesTo(value: string, output: string): readonly OnnxNode[] {
    if (!this.#nodes.some((node) => node.output === value))
      return [{ operator: 'Identity', name: output, inputs: [value], output, attributes: {} }]; // the input itself
    const renamed = (name: string): string => (name === value ? output : name);
    return this.#nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(renamed),
      output: renamed(node.output),
    }));
  }
}
