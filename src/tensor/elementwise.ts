/** Kernels that treat every element alike, from one expression in WGSL and the same in TypeScript. */
import { ShapeError } from '../errors.js';
import {
  defineKernel,
  ENTRY,
  type Kernel,
  type OperandShapes,
  type Plan,
  planThreads,
  type WasmCall,
} from './kernel.js';
import { splitElements } from './cpu/parts.js';
import { formatShape, sameShape, sizeOf } from './shape.js';

export interface ElementwiseDefinition<Attributes> {
  readonly name: string;
  /** Number of inputs, all of one shape. */
  readonly inputs: 1 | 2 | 3;
  /** WGSL expression over the inputs' scalars `a`, `b` and `c`. */
  readonly wgsl: string;
  /** WGSL functions that the expression calls, and declarations of the `constants`. */
  readonly functions?: string;
  /** Override constants of the WGSL. */
  readonly constants?: (attributes: Attributes) => Readonly<Record<string, number>>;
  readonly twin: (a: number, b: number, c: number, attributes: Attributes) => number;
  /** WebAssembly function of (part, addresses of the inputs and the output, count, chunk), if there is one. */
  readonly wasm?: string;
}

/** output[i] = f(a[i], b[i], c[i]) */
export function elementwiseKernel<Attributes = null>({
  name,
  inputs: arity,
  wgsl,
  functions = '',
  constants,
  twin,
  wasm,
}: ElementwiseDefinition<Attributes>): Kernel<Attributes> {
  const names = ['a', 'b', 'c'].slice(0, arity);
  const code = /* wgsl */ `
${names.map((letter, binding) => `@group(0) @binding(${binding}) var<storage, read> ${letter}_values: array<f32>;`).join('\n')}
@group(0) @binding(${arity}) var<storage, read_write> output: array<f32>;
${functions}
${ENTRY}
  ${names.map((letter) => `let ${letter} = ${letter}_values[index];`).join('\n  ')}
  output[index] = ${wgsl};
}`;
  return defineKernel<Attributes>({
    name,
    outputs(inputs) {
      if (inputs.length !== arity) throw new ShapeError(`${name}: expects ${arity} inputs, got ${inputs.length}`);
      const odd = inputs.find((shape) => !sameShape(shape, inputs[0]));
      if (odd)
        throw new ShapeError(
          `${name}: expects inputs of one shape, got ${formatShape(inputs[0])} and ${formatShape(odd)}`,
        );
      return [{ shape: inputs[0], dtype: 'float32' }];
    },
    twin({ inputs: [a, b, c], outputs: [output] }, _, attributes) {
      for (let i = 0; i < output.length; i++) output[i] = twin(a[i], b ? b[i] : 0, c ? c[i] : 0, attributes);
    },
    wgsl: ({ outputs: [shape] }, attributes) => planThreads(code, sizeOf(shape), constants?.(attributes)),
    ...(wasm && {
      wasm({ outputs: [shape] }: OperandShapes): Plan<number, WasmCall> {
        const { parts, chunk } = splitElements(sizeOf(shape));
        return {
          steps: ({ inputs, outputs }) => [
            { function: wasm, parts, arguments: [...inputs, ...outputs, sizeOf(shape), chunk] },
          ],
        };
      },
    }),
  });
}

/** a + b: sums the gradients of a tensor that is used more than once. */
export const addKernel = elementwiseKernel({ name: 'add', wgsl: 'a + b', twin: (a, b) => a + b, inputs: 2 });

export const copyKernel = elementwiseKernel({ name: 'copy', wgsl: 'a', twin: (a) => a, inputs: 1 });

/** Ones in the shape of the input: the gradient of a loss with respect to itself. */
export const onesLikeKernel = elementwiseKernel({ name: 'onesLike', wgsl: '1.0', twin: () => 1, inputs: 1 });

export const zerosLikeKernel = elementwiseKernel({ name: 'zerosLike', wgsl: '0.0', twin: () => 0, inputs: 1 });
