/**
 * The steps of a compiled model: training, evaluating and predicting on one batch. Each is recorded once per source
 * and batch size, and replayed afterwards: no allocation, one submit.
 *
 *   training:   batch → layers → loss → gradients → optimizer → metrics row
 *   evaluating: batch → layers → loss → metrics row
 *   predicting: batch → layers → scores
 */
import { add, multiply } from '../../kernels/elementwise/arithmetic.js';
import { batchMetrics, METRIC_ROWS, METRICS } from '../../kernels/loss/batch-metrics.js';
import { reshape } from '../../kernels/move/reshape.js';
import { classWeights } from '../../kernels/loss/labels.js';
import { mean } from '../../kernels/reduce/reduce.js';
import type { BoundOptimizer } from '../../optim/optimizer.js';
import { backward, noGrad, record } from '../../tensor/autograd.js';
import type { Device, MemoryPool, Recording } from '../../tensor/device.js';
import { copyKernel } from '../../tensor/elementwise.js';
import { launch, tensor, viewOf, zeros, type Tensor } from '../../tensor/tensor.js';
import type { BatchSource } from './batch-source.js';
import type { ForwardOptions } from '../graph.js';
import type { Loss } from '../losses.js';
import { profileStep, type StepProfile } from './profile.js';

/** Figures of one batch. */
export interface BatchMetrics {
  readonly loss: number;
  readonly correct: number;
  readonly samples: number;
  /** Values of loss and scores that are NaN or infinite. */
  readonly notFinite: number;
}

/** What the steps need to know of a compiled model. */
export interface StepsOptions {
  /** The layers as a function: x [n, …] → the last layer's values [n, units]. */
  readonly forward: (x: Tensor, options: ForwardOptions) => Tensor;
  readonly units: number;
  readonly loss: Loss;
  readonly optimizer: BoundOptimizer;
  /** Weights of the classes in the training's loss [K], or null. */
  readonly classWeights: Tensor | null;
  /** What regularization adds to the loss, a scalar; null for nothing. */
  readonly penalty: () => Tensor | null;
  /** True when layers draw random numbers by the step's number. */
  readonly stochastic: boolean;
}

export type StepKind = 'train' | 'evaluate' | 'predict';

export class Steps {
  readonly #device: Device;
  readonly #options: StepsOptions;
  /** Recordings never run at the same time, so that they share their memory. */
  readonly #pool: MemoryPool = new Map();
  readonly #recordings = new Map<BatchSource, Map<string, Recording>>();
  readonly #table: Tensor;
  readonly #row: Tensor;
  readonly #hostRow = new Uint32Array(1);
  readonly #step: Tensor;
  /** Where predicting steps leave their scores, by batch size. */
  readonly #scores = new Map<number, Tensor>();
  /** 1/n for each of n samples, by batch size: the gradient of the mean loss with respect to each sample's. */
  readonly #shares = new Map<number, Tensor>();
  /** Rows of the table written since the last read. */
  #written = 0;
  #nextRow = 0;

  constructor(device: Device, options: StepsOptions) {
    this.#device = device;
    this.#options = options;
    this.#table = zeros(device, [METRIC_ROWS, METRICS]);
    this.#row = tensor(device, new Uint32Array(1));
    this.#step = tensor(device, new Uint32Array(1));
  }

  /** Runs one training step on what was loaded into the source; `step` counts from 1 over the whole training. */
  train(source: BatchSource, count: number, step: number): void {
    this.#options.optimizer.prepare(step);
    if (this.#options.stochastic) this.#step.write(Uint32Array.of(step));
    this.#measured('train', source, count);
  }

  evaluate(source: BatchSource, count: number): void {
    this.#measured('evaluate', source, count);
  }

  #measured(kind: StepKind, source: BatchSource, count: number): void {
    this.#hostRow[0] = this.#nextRow;
    this.#row.write(this.#hostRow);
    this.#nextRow = (this.#nextRow + 1) % METRIC_ROWS;
    this.#written++;
    this.#run(kind, source, count);
  }

  /** Tells the optimizer's schedule the loss of an epoch. */
  observe(loss: number): void {
    this.#options.optimizer.observe(loss);
  }

  /** Probabilities of the loaded batch, [n, units]. */
  async predict(source: BatchSource, count: number): Promise<Float32Array> {
    let scores = this.#scores.get(count);
    if (!scores) this.#scores.set(count, (scores = zeros(this.#device, [count, this.#options.units])));
    this.#run('predict', source, count);
    return scores.read();
  }

  /** Figures of the steps since the last call, oldest first. */
  async readMetrics(): Promise<BatchMetrics[]> {
    const count = this.#written;
    if (count === 0) return [];
    const first = (this.#nextRow - count + METRIC_ROWS) % METRIC_ROWS;
    this.#written = 0;
    const table = await this.#table.read();
    return Array.from({ length: count }, (_, i) => {
      const [loss, correct, samples, notFinite] = table.subarray(((first + i) % METRIC_ROWS) * METRICS) as unknown as [
        number,
        number,
        number,
        number,
      ];
      return { loss, correct, samples, notFinite };
    });
  }

  /** Has the device choose between variants of the training step's kernels, before its first run. */
  async tune(source: BatchSource, count: number): Promise<void> {
    if (await this.#device.tune(this.#recordingOf('train', source, count))) this.#recordings.get(source)?.clear();
  }

  /** Where the time of a training step on what was loaded into the source goes; see `profileStep`. It trains. */
  async profile(source: BatchSource, count: number, step: number): Promise<StepProfile> {
    this.#options.optimizer.prepare(step);
    return profileStep(this.#device, this.#recordingOf('train', source, count));
  }

  #run(kind: StepKind, source: BatchSource, count: number): void {
    this.#device.replay(this.#recordingOf(kind, source, count));
  }

  #recordingOf(kind: StepKind, source: BatchSource, count: number): Recording {
    let recordings = this.#recordings.get(source);
    if (!recordings) this.#recordings.set(source, (recordings = new Map()));
    const key = `${kind} ${count}`;
    let recording = recordings.get(key);
    if (!recording) {
      if (kind === 'train' && !this.#shares.has(count))
        this.#shares.set(count, tensor(this.#device, new Float32Array(count).fill(1 / count)));
      recording = this.#device.record(this.#pool, () => this.#queue(kind, source, count));
      recordings.set(key, recording);
    }
    return recording;
  }

  /** The step itself, as an ordinary computation. */
  #queue(kind: StepKind, source: BatchSource, count: number): void {
    const { forward, units, loss, optimizer, classWeights: weights, penalty } = this.#options;
    const x = source.batch(count);
    const step = this.#step;
    if (kind === 'predict') {
      const probabilities = noGrad(() => forward(x, { logits: false, training: false, step }));
      launch(copyKernel, [reshape(probabilities, [count, units])], null, [this.#scores.get(count)]);
      return;
    }
    const training = kind === 'train';
    const labels = viewOf(source.labels, [count]);
    const computeLoss = () => {
      const scores = reshape(forward(x, { logits: loss.onLogits, training, step }), [count, units]);
      const each = loss.perSample(scores, labels);
      const weighted = training && weights ? multiply(each, classWeights(labels, weights)) : each;
      const extra = penalty();
      // Without a penalty the mean is left to the metrics, and its gradient is known beforehand.
      return extra
        ? { scores, loss: add(mean(weighted), extra) }
        : { scores, loss: weighted, seed: this.#shares.get(count) };
    };
    const { result, tape } = record(computeLoss);
    launch(batchMetrics, [result.loss, result.scores, labels, this.#row], { threshold: loss.onLogits ? 0 : 0.5 }, [
      this.#table,
    ]);
    if (training) {
      backward(tape, result.loss, result.seed);
      optimizer.apply();
    }
  }

  /** Forgets the recordings over a source that is about to be destroyed. Their memory serves later ones. */
  forget(source: BatchSource): void {
    this.#recordings.delete(source);
  }

  destroy(): void {
    this.#recordings.clear();
    this.#device.forget(this.#pool);
    for (const item of [...this.#scores.values(), ...this.#shares.values()]) item.destroy();
    this.#table.destroy();
    this.#row.destroy();
    this.#step.destroy();
    this.#options.classWeights?.destroy();
  }
}
