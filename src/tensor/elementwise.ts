/** Kernels that treat every element alike, from one expression: the twin, the WGSL and the WebAssembly are made of it. */
import { expectFunction, expectObject, expectCount, expectText, objectWith } from '../expect.js';
import { ShapeError } from '../errors.js';
import { splitElements, splitRows } from './cpu/parts.js';
import { generateFunction } from './cpu/expression.wasm.js';
import { evaluate, Expression, type FunctionName, inOrder, type OperandKind, textOf } from './expression.js';
import { expressionShader } from './expression.wgsl.js';
import {
  defineKernel,
  ENTRY,
  type GeneratedFunction,
  type Kernel,
  type Plan,
  planThreads,
  type WasmCall,
} from './kernel.js';
import { formatShape, sameShape, type Shape, sizeOf } from './shape.js';

export interface ElementwiseDefinition<Attributes> {
  readonly name: string;
  /** Their names, for errors, and kinds; or how many: then all are arrays of one shape. */
  readonly inputs: number | Readonly<Record<string, OperandKind>>;
  /**
   * The outputs' values, from the inputs', and those of outputs that are changed in place. What the attributes hold becomes
   * constants of the code: numbers that change with each step belong in an input of kind `number`.
   */
  readonly formula: (
    inputs: readonly Expression[],
    attributes: Attributes,
    before: readonly Expression[],
  ) => Expression | number | readonly (Expression | number)[];
  /** Number of outputs, if they are changed in place: the caller provides them. */
  readonly inPlace?: number;
  /** The outputs' shape, if no input has it. */
  readonly shape?: (attributes: Attributes) => Shape;
}

/** output[i] = f(inputs[i] …), several outputs at a time if the formula gives several */
export function elementwiseKernel<Attributes = null>(
  definition: ElementwiseDefinition<Attributes>,
): Kernel<Attributes> {
  objectWith({ name: expectText, formula: expectFunction })(definition, 'elementwiseKernel');
  const { name, inputs: given, formula, inPlace = 0, shape: shapeOf } = definition;
  if (typeof given === 'number') expectCount(given, `${name}: inputs`);
  else expectObject(given, `${name}: inputs`);
  const names = typeof given === 'number' ? [] : Object.keys(given);
  const kinds =
    typeof given === 'number' ? Array.from({ length: given }, (): OperandKind => 'element') : Object.values(given);
  const arity = kinds.length;
  const inputs = kinds.map((kind, position) => Expression.operand(position, kind));
  const before = Array.from({ length: inPlace }, (_, k) => Expression.operand(arity + k, 'element'));
  const outputsOf = (attributes: Attributes): readonly Expression[] => {
    const outputs = formula(inputs, attributes, before);
    return (Array.isArray(outputs) ? outputs : [outputs]).map((output: Expression | number) => Expression.of(output));
  };
  return defineKernel<Attributes>({
    name,
    ...(inPlace > 0 && { inPlace: true }),
    outputs(shapes, attributes) {
      if (shapes.length !== arity) throw new ShapeError(`${name}: expects ${arity} inputs, got ${shapes.length}`);
      const shape = shapeOf?.(attributes) ?? shapes[kinds.indexOf('element')];
      for (const [position, kind] of kinds.entries()) {
        const input = shapes[position];
        const isRow = input.length === 1 && input[0] === shape.at(-1);
        if (kind === 'element' && !sameShape(input, shape))
          throw new ShapeError(
            `${name}: expects inputs of one shape, got ${formatShape(shape)} and ${formatShape(input)}`,
          );
        if (kind === 'channel' && !isRow)
          throw new ShapeError(
            `${name}: ${names[position]} expects [${shape.at(-1)}], got ${formatShape(input)} (${names[kinds.indexOf('element')]} ${formatShape(shape)})`,
          );
      }
      return outputsOf(attributes).map(() => ({ shape, dtype: 'float32' }));
    },
    twin({ inputs: arrays, outputs }, _, attributes) {
      const operands = [...arrays, ...outputs];
      const channels = arrays[kinds.indexOf('channel')]?.length ?? 1;
      evaluate(
        outputsOf(attributes),
        outputs[0].length,
        channels,
        (operand, at) => operands[operand][at],
        (output, at, value) => (outputs[output][at] = value),
      );
    },
    wgsl({ outputs: [shape] }, attributes) {
      const code = shader(kinds, outputsOf(attributes));
      const elements = sizeOf(shape);
      if (!kinds.includes('channel')) return planThreads(code, elements);
      const channels = shape.at(-1)!;
      const each = Math.min(MOST_ROWS, Math.max(1, Math.floor(elements / BUSY_THREADS)));
      const threads = channels * Math.ceil(elements / channels / each);
      return planThreads(code, threads, { CHANNELS: channels, ELEMENTS: elements });
    },
    wasm: ({ outputs: [shape] }, attributes) => plan(kinds, outputsOf(attributes), shape),
  });
}

/** Elements that a thread treats, where there are channels: what depends on those only is loaded and computed once. */
const MOST_ROWS = 8;
/** As many threads as keep a GPU busy come first. */
const BUSY_THREADS = 16384;

function shader(kinds: readonly OperandKind[], outputs: readonly Expression[]): string {
  const operands = kinds.length + outputs.length;
  const array = (position: number): string =>
    position < kinds.length ? `input_${position}` : `output_${position - kinds.length}`;
  const hasChannels = kinds.includes('channel');
  const { rows, results } = hasChannels ? apart(outputs, operands) : { rows: [], results: outputs };
  const read =
    (row: (position: number) => string) =>
    ({ value, kind, index }: Expression): string =>
      kind === 'element' ? `${array(value)}[at]` : kind === 'channel' ? row(value) : `${array(value)}[${index}]`;
  const ahead = expressionShader(
    rows,
    read((position) => `${array(position)}[channel]`),
  );
  const each = expressionShader(
    results,
    read((position) => `row_${position - operands}`),
  );
  const statements = `${each.statements}
  ${each.results.map((result, k) => `output_${k}[at] = ${result};`).join('\n  ')}`;
  return /* wgsl */ `
${kinds.map((_, i) => `@group(0) @binding(${i}) var<storage, read> input_${i}: array<f32>;`).join('\n')}
${outputs.map((_, k) => `@group(0) @binding(${kinds.length + k}) var<storage, read_write> output_${k}: array<f32>;`).join('\n')}
${hasChannels ? 'override CHANNELS: u32;\noverride ELEMENTS: u32;' : ''}
${[...new Set([...ahead.functions, ...each.functions])].join('')}
${ENTRY}
  ${
    hasChannels
      ? `let channel = index % CHANNELS; // that of all elements which lie THREADS apart, whole rows
  ${ahead.statements}
  ${ahead.results.map((result, k) => `let row_${k} = ${result};`).join('\n  ')}
  for (var at = index; at < ELEMENTS; at += THREADS) {
  ${statements}
  }`
      : `let at = index;
  ${statements}`
  }
}`;
}

/** Generated functions by what they compute. */
const generated = new Map<string, GeneratedFunction>();

/** Output k is written to operand `operands − outputs.length + k`, or to that of `targets`. */
function functionFor(operands: number, outputs: readonly Expression[], targets: readonly number[]): GeneratedFunction {
  const key = `${operands}; ${textOf(outputs)} → ${targets.join(' ')}`;
  const known = generated.get(key) ?? generateFunction(operands, outputs, targets);
  generated.set(key, known);
  return known;
}

function plan(kinds: readonly OperandKind[], outputs: readonly Expression[], shape: Shape): Plan<number, WasmCall> {
  const count = sizeOf(shape);
  const operands = kinds.length + outputs.length;
  const targets = outputs.map((_, k) => kinds.length + k);
  if (!kinds.includes('channel')) {
    const { parts, chunk } = splitElements(count);
    const main = functionFor(operands, outputs, targets);
    return {
      steps: ({ inputs, outputs: places }) => [
        { function: main, parts, arguments: [...inputs, ...places, count, chunk, 0] },
      ],
    };
  }
  // What depends on channels only is computed once for each, into rows; rows are repeated until they are whole eights.
  const channels = shape.at(-1)!;
  const times = [1, 2, 4].find((each) => (channels * each) % 8 === 0) ?? 8;
  const { rows, results } = apart(outputs, operands);
  const main = functionFor(operands + rows.length, results, targets);
  const { parts, chunk } = splitRows(count, channels * times);
  const computed = rows.filter((row) => row.function !== 'operand');
  const first =
    computed.length > 0
      ? functionFor(
          kinds.length + computed.length,
          computed.map(alongChannels),
          computed.map((_, k) => kinds.length + k),
        )
      : null;
  const bytes = Array.from(
    { length: computed.length + (times > 1 ? rows.length : 0) },
    () => 4 * channels * times + 16,
  );
  return {
    scratch: bytes,
    steps({ inputs, outputs: places }, scratch) {
      const single = rows.map((row) =>
        row.function === 'operand' ? inputs[row.value] : scratch[computed.indexOf(row)],
      );
      const whole = times === 1 ? single : scratch.slice(computed.length);
      const fill: WasmCall[] =
        times === 1
          ? []
          : rows.map((_, r) => ({
              function: 'repeatRow',
              parts: 1,
              arguments: [single[r], whole[r], channels, times],
            }));
      return [
        ...(first
          ? [
              {
                function: first,
                parts: 1,
                arguments: [...inputs, ...scratch.slice(0, computed.length), channels, channels, 0],
              },
            ]
          : []),
        ...fill,
        { function: main, parts, arguments: [...inputs, ...places, ...whole, count, chunk, 4 * channels * times] },
      ];
    },
  };
}

/** Parts that depend on no element but on the channel, and the expressions with operands from `position` on in their place. */
function apart(outputs: readonly Expression[], position: number): { rows: Expression[]; results: Expression[] } {
  const { nodes, indexOf } = inOrder(outputs);
  const kinds: OperandKind[] = [];
  for (const node of nodes) {
    const of = node.function === 'operand' ? [node.kind] : node.inputs.map((input) => kinds[indexOf(input)]);
    kinds.push(of.includes('element') ? 'element' : of.includes('channel') ? 'channel' : 'number');
  }
  const rows: Expression[] = [];
  const done = new Map<number, Expression>();
  const visit = (node: Expression): Expression => {
    const index = indexOf(node);
    const known = done.get(index);
    if (known) return known;
    const isRow = kinds[index] === 'channel';
    const result = isRow
      ? Expression.operand(position + rows.push(nodes[index]) - 1, 'channel')
      : node.inputs.length > 0
        ? Expression.call(node.function as FunctionName, ...node.inputs.map(visit))
        : node;
    done.set(index, result);
    return result;
  };
  const results = outputs.map(visit);
  return { rows, results };
}

/** The same with channels for elements: what is computed of rows alone. */
function alongChannels(node: Expression): Expression {
  if (node.function === 'operand') return node.kind === 'channel' ? Expression.operand(node.value, 'element') : node;
  return node.inputs.length > 0
    ? Expression.call(node.function as FunctionName, ...node.inputs.map(alongChannels))
    : node;
}

/** a + b: sums the gradients of a tensor that is used more than once. */
export const addKernel = elementwiseKernel({ name: 'add', inputs: 2, formula: ([a, b]) => a.add(b) });

export const copyKernel = elementwiseKernel({ name: 'copy', inputs: 1, formula: ([a]) => a });

/** Ones in the shape of the input: the gradient of a loss with respect to itself. */
export const onesLikeKernel = elementwiseKernel({ name: 'onesLike', inputs: 1, formula: () => 1 });

export const zerosLikeKernel = elementwiseKernel({ name: 'zerosLike', inputs: 1, formula: () => 0 });
