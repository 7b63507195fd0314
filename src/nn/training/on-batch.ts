/** What the methods that are given numbers (`trainOnBatch` and its kin) and those that are given sets check and share. */
import { ShapeError, UsageError } from '../../errors.js';
import { expectFloats, expectObject, expectList, received } from '../../expect.js';
import type { Group } from '../../distributed/group.js';
import type { Device } from '../../tensor/device.js';
import { formatShape, sameShape, sizeOf, type Shape, expectShape } from '../../tensor/shape.js';
import { ArraySource } from './batch-source.js';
import type { Batches } from './batches.js';
import { checkFinite } from './evaluate.js';
import type { Exclusive } from './exclusive.js';
import type { SetMetrics } from './figures.js';
import type { Counters } from './state.js';
import type { Steps } from './steps.js';

/** Sources of given numbers, by batch size. */
export class ArraySources {
  readonly #device: Device;
  readonly #shape: Shape;
  readonly #sources = new Map<number, ArraySource>();

  constructor(device: Device, shape: Shape) {
    this.#device = device;
    this.#shape = shape;
  }

  /** The source for as many samples as x [n, …shape] has. @throws ShapeError when it has no whole number of them */
  for(method: string, x: Float32Array): ArraySource {
    expectFloats(x, `${method}: x`);
    const count = x.length / sizeOf(this.#shape);
    if (!Number.isInteger(count) || count === 0)
      throw new ShapeError(
        `${method}: ${x.length} values are not a whole number of inputs ${formatShape(this.#shape)}`,
      );
    let source = this.#sources.get(count);
    if (!source) this.#sources.set(count, (source = new ArraySource(this.#device, this.#shape, count)));
    return source;
  }

  destroy(): void {
    for (const source of this.#sources.values()) source.destroy();
  }
}

/** What of a compiled model the methods that are given numbers need. */
interface OnBatchOwner {
  readonly group: Group;
  readonly steps: Steps;
  readonly counters: Counters;
  readonly training: Exclusive;
  readonly figures: Exclusive;
  readonly arrays: ArraySources;
}

export async function trainOnBatch(
  { steps, counters, training, figures, arrays, group }: OnBatchOwner,
  expected: Expected,
  x: Float32Array,
  y: ArrayLike<number>,
): Promise<SetMetrics> {
  while (steps.inTurns) await steps.inTurns;
  for (const each of [training, figures]) each.check('trainOnBatch');
  if (group.size > 1)
    throw new UsageError(
      `trainOnBatch: trains one process alone, got a model that was compiled for a group of ${group.size}; use fit(), which shares the batches`,
    );
  checkLabels('trainOnBatch', y, expected);
  const source = arrays.for('trainOnBatch', x);
  const count = source.load('trainOnBatch', x, y);
  const running = steps.train(source, count, { update: ++counters.updates, draw: ++counters.draws });
  if (running) await running;
  return figuresOf(steps, 'trainOnBatch');
}

export async function testOnBatch(
  { steps, figures, arrays }: Pick<OnBatchOwner, 'steps' | 'figures' | 'arrays'>,
  expected: Expected,
  x: Float32Array,
  y: ArrayLike<number>,
): Promise<SetMetrics> {
  while (steps.inTurns) await steps.inTurns;
  figures.check('testOnBatch');
  checkLabels('testOnBatch', y, expected);
  const source = arrays.for('testOnBatch', x);
  const running = steps.evaluate(source, source.load('testOnBatch', x, y));
  if (running) await running;
  return figuresOf(steps, 'testOnBatch');
}

export async function predictOnBatch(
  { steps, arrays }: Pick<OnBatchOwner, 'steps' | 'arrays'>,
  x: Float32Array,
): Promise<Float32Array> {
  while (steps.inTurns) await steps.inTurns;
  const source = arrays.for('predictOnBatch', x);
  return steps.predict(source, source.load('predictOnBatch', x));
}

/** Figures of the step that was just queued. @throws NotANumberError when they are not finite */
async function figuresOf(steps: Steps, method: string): Promise<SetMetrics> {
  const [figures] = await steps.lastMetrics(1);
  checkFinite(figures, 'loss', `in ${method}`);
  return { loss: figures.loss, accuracy: figures.correct / figures.samples };
}

/** What sets and labels must fit. */
export interface Expected {
  readonly inputShape: Shape;
  readonly classes: number;
}

/** @throws ShapeError for pictures of another shape, or of classes that the model does not tell apart */
export function checkPictures(method: string, batches: Batches, expected: Expected): void {
  expectObject(batches, `${method}: batches`);
  const { pictureShape, labels } = batches;
  expectShape(pictureShape, `${method}: the pictureShape of batches`);
  if (!sameShape(pictureShape, expected.inputShape)) {
    throw new ShapeError(
      `${method}: the model expects pictures ${formatShape(expected.inputShape)}, got ${formatShape(pictureShape)}; load them with that targetSize`,
    );
  }
  if (!labels && method !== 'predict')
    throw new UsageError(`${method}: expects pictures with labels, got some without, which can only be predicted`);
  checkLabels(method, labels ?? [], expected);
}

/** @throws ShapeError for classes that the model does not tell apart */
export function checkLabels(method: string, labels: ArrayLike<number>, { classes }: Expected): void {
  expectList(labels, `${method}: labels`);
  for (let n = 0; n < labels.length; n++) {
    if (!(Number.isInteger(labels[n]) && labels[n] >= 0 && labels[n] < classes))
      throw new ShapeError(
        `${method}: the model tells ${classes} classes apart, got a picture of class ${received(labels[n])}; ` +
          'end with a unit for each class',
      );
  }
}
