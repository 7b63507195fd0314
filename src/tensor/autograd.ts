/**
 * Reverse-mode differentiation on a tape of plain records. Operations are defined by `defineOp`, which demands a
 * gradient rule (or an explicit `null`); the tape is walked backwards in a loop, so depth is no matter.
 */
import { ShapeError, UsageError } from '../errors.js';
import { addKernel, copyKernel, onesLikeKernel } from './elementwise.js';
import { formatShape } from './shape.js';
import { type Check, expectArray, expectFunction, expectObject, listOf, objectWith } from '../expect.js';
import { expectTensor, launch, type Tensor } from './tensor.js';

/** What a gradient rule is given: the gradient of the loss with respect to the op's first output, and what forward left. */
export interface BackwardContext<Attributes> {
  readonly dy: Tensor;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
  /** Which inputs need a gradient: the rule may leave out the work for the others. */
  readonly needs: readonly boolean[];
  /** Where the gradient of an input may be written at once (its place in the gradient arena), if there is one. */
  readonly into: readonly (Tensor | null)[];
}

export type GradientRule<Attributes> = (context: BackwardContext<Attributes>) => readonly (Tensor | false | null)[];

export interface Op<Attributes = unknown> {
  readonly name: string;
  /** Computes the outputs; only the first is differentiable, the others are for the gradient rule. */
  forward(inputs: readonly Tensor[], attributes: Attributes): readonly Tensor[];
  /** Gradients with respect to the inputs, in their order; null for an op that has none. */
  readonly backward: GradientRule<Attributes> | null;
}

/** One step of the computation, as the tape keeps it. */
export interface TapeRecord {
  readonly op: Op<never>;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: unknown;
}

let activeTape: TapeRecord[] | null = null;

/** What `backward` returned. Gradients of gradients are not supported; used on a tape they would be taken for constants. */
const madeByBackward = new WeakSet<Tensor>();

/** An op that can be called: `apply` runs it, and records it when a tape is active and an input requires a gradient. */
export interface DefinedOp<Attributes = unknown> extends Op<Attributes> {
  apply(inputs: readonly Tensor[], attributes: Attributes): Tensor;
}

export function defineOp<Attributes>(op: Op<Attributes>): DefinedOp<Attributes> {
  return {
    ...op,
    apply(inputs, attributes) {
      for (const each of inputs) expectTensor(each, op.name);
      if (activeTape !== null && inputs.some((input) => madeByBackward.has(input))) {
        throw new UsageError(
          `${op.name}: an input is a gradient, which has no gradient itself (double backward is not supported); ` +
            'wrap the call in noGrad() to take it for a constant',
        );
      }
      const tracked = activeTape !== null && inputs.some((input) => input.requiresGradient);
      if (tracked && op.backward === null) {
        throw new UsageError(`${op.name} has no gradient, but an input needs one; wrap the call in noGrad()`);
      }
      const outputs = op.forward(inputs, attributes);
      const first = outputs[0];
      if (tracked) {
        activeTape!.push({ op, inputs, outputs, attributes });
        first.requiresGradient = true;
      }
      return first;
    },
  };
}

/** Runs `body` without recording: what it computes has no gradient. */
export function noGrad<Result>(body: () => Result): Result {
  return withTape(null, body);
}

/** Whether what is computed now may be asked for its gradient. */
export const isRecording = (): boolean => activeTape !== null;

function withTape<Result>(tape: TapeRecord[] | null, body: () => Result): Result {
  expectFunction(body, 'noGrad and record: body');
  const outer = activeTape;
  activeTape = tape;
  try {
    return body();
  } finally {
    activeTape = outer;
  }
}

/** Runs `body` and returns its result with the records of what was computed, for printing or for `backward`. */
export function record<Result>(body: () => Result): { result: Result; tape: readonly TapeRecord[] } {
  const tape: TapeRecord[] = [];
  return { result: withTape(tape, body), tape };
}

const expectTape: Check = (value, what) => {
  expectArray(value, what);
  listOf(objectWith({ op: expectObject, inputs: expectArray, outputs: expectArray }))(value, what);
};

/** The tape as text, one op a line: `conv2d [8,64,64,3] [3,3,3,32] [32] → [8,62,62,32]`. */
export function formatTape(tape: readonly TapeRecord[]): string {
  expectTape(tape, 'formatTape: tape');
  return tape
    .map(
      ({ op, inputs, outputs }) =>
        `${op.name} ${inputs.map((input) => formatShape(input.shape)).join(' ')} → ${formatShape(outputs[0].shape)}`,
    )
    .join('\n');
}

/**
 * Gradients of `output` with respect to every tensor on the tape that requires one, whether it was given or computed.
 * A tensor with a `gradient` place gets it there.
 *
 * @param seed gradient of the loss with respect to `output`; 1 when `output` is a scalar loss
 * @throws UsageError when `output` was not computed on the tape, or while one is recorded: gradients of gradients are not
 *   supported
 */
export function backward(tape: readonly TapeRecord[], output: Tensor, seed?: Tensor): Map<Tensor, Tensor> {
  const gradients = walk(tape, output, seed, false);
  for (const [input, gradient] of gradients) if (input.requiresGradient) madeByBackward.add(gradient);
  return gradients;
}

/**
 * As `backward`, for gradients that have a place: every value on the tape, and every other gradient, is destroyed as soon as nothing
 * needs it, so that later launches work in its memory.
 */
export function backwardOnce(tape: readonly TapeRecord[], output: Tensor, seed?: Tensor): void {
  walk(tape, output, seed, true);
}

function walk(
  tape: readonly TapeRecord[],
  output: Tensor,
  seed: Tensor | undefined,
  spends: boolean,
): Map<Tensor, Tensor> {
  if (activeTape !== null) {
    throw new UsageError(
      'backward: called while a tape is recorded, which would need gradients of gradients (double backward is not supported); ' +
        'call it outside of record(), or in noGrad()',
    );
  }
  expectTape(tape, 'backward: tape');
  expectTensor(output, 'backward: output');
  if (seed !== undefined) expectTensor(seed, 'backward: seed');
  if (!tape.some(({ outputs }) => outputs[0] === output)) {
    throw new UsageError('backward: this tensor was not computed on the tape from tensors that require a gradient');
  }
  if (!seed && output.size !== 1) {
    throw new ShapeError(
      `backward: expects a scalar loss, got ${formatShape(output.shape)}; reduce it by mean() or sum(), or give a seed`,
    );
  }
  const uses = new Map<Tensor, number>();
  for (const { inputs } of tape) for (const input of inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  const gradients = new Map<Tensor, Tensor>([[output, seed ?? launch(onesLikeKernel, [output], null)[0]]]);
  const spend = spends ? spender(tape, gradients, seed) : null;
  return noGrad(() => {
    for (let index = tape.length - 1; index >= 0; index--) {
      const { op, inputs, outputs, attributes } = tape[index];
      const dy = gradients.get(outputs[0]);
      if (dy) {
        const needs = inputs.map((input) => input.requiresGradient);
        // A tensor that is used once gets its gradient written into its place; sums are copied there at the end.
        const into = inputs.map((input) => (uses.get(input) === 1 ? input.gradient : null));
        const rule = () => op.backward!({ dy, inputs, outputs, attributes: attributes as never, needs, into });
        const results = spends ? dy.device.scope(rule) : rule();
        inputs.forEach((input, position) => {
          if (!needs[position]) return;
          const gradient = results[position];
          if (!gradient)
            throw new UsageError(
              `${op.name}: no gradient for input ${position}, which requires one; wrap the call in noGrad()`,
            );
          const earlier = gradients.get(input);
          gradients.set(input, earlier ? launch(addKernel, [earlier, gradient], null)[0] : gradient);
          if (earlier) spend?.gradients(earlier, gradient);
        });
      } // else it is not on a path to the output
      spend?.record(index);
    }
    for (const [input, gradient] of gradients) {
      if (input.gradient && input.gradient !== gradient)
        gradients.set(input, launch(copyKernel, [gradient], null, [input.gradient])[0]);
    }
    return gradients;
  });
}

/** What destroys values and gradients that nothing needs any more, while the tape is walked backwards. */
function spender(tape: readonly TapeRecord[], gradients: Map<Tensor, Tensor>, seed: Tensor | undefined) {
  const madeBy = new Map<Tensor, number>();
  for (const [index, { outputs }] of tape.entries())
    for (const output of outputs) if (!madeBy.has(output)) madeBy.set(output, index);
  const destroyUnneeded = (...ended: readonly Tensor[]): void => {
    const kept = new Set(gradients.values()); // a gradient may be that of several tensors
    for (const gradient of ended) if (gradient !== seed && !kept.has(gradient)) gradient.destroy();
  };
  return {
    gradients: destroyUnneeded,
    /** The rules of all that took this record's values have run, and its own. */
    record(index: number): void {
      for (const output of tape[index].outputs) {
        if (madeBy.get(output) !== index) continue;
        const gradient = gradients.get(output);
        gradients.delete(output);
        if (gradient && output.gradient !== gradient) destroyUnneeded(gradient);
        output.destroy();
      }
    },
  };
}
