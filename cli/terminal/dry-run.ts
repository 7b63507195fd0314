/** `train --dry-run`: what a training would do, how long it would take and how much memory, by a few steps of it. Nothing is written. */
import {
  classCounts,
  loadDataset,
  trainingBytes,
  trainingFlows,
  type Device,
  type FileList,
  type Splits,
  type TrainingPlan,
} from '../../src/index.node.js';
import { describeDevice, type DeviceFacts } from './device.js';
import { duration } from './epoch-log.js';
import { count, type Output } from './output.js';

interface Planned {
  readonly output: Output;
  readonly splits: Splits;
  readonly plan: TrainingPlan;
  readonly stepsPerEpoch: number;
  readonly validationSteps: number | undefined;
  readonly epochs: number;
  readonly batchSize: number;
  readonly onBad: 'skip' | 'fail';
  readonly workers: number | undefined;
  readonly device: Device;
  /** The folder of all runs, and the run in it where it has a name. */
  readonly out: string;
  readonly run: string | null;
  readonly facts: DeviceFacts;
}

/** What a run leaves behind. */
const FILES =
  'config.json, pictures.jsonl, audit.json, results.csv, events.jsonl, best.safetensors, last.safetensors, last.state.safetensors, predictions.csv';

export async function sayPlan(planned: Planned): Promise<void> {
  const { output, splits, plan, stepsPerEpoch, epochs, batchSize, out, run, facts } = planned;
  const { size } = plan.preparation.picture;
  const { model, recipe } = plan;
  const parts = (['training', 'validation', 'test'] as const).map(
    (part) => [part, describeList(splits[part])] as const,
  );
  const pictures = parts.slice(0, 2).reduce((sum, [, part]) => sum + (part?.pictures ?? 0), 0);
  const measured = await measure(planned);
  const memory = {
    network: trainingBytes(model),
    pictures: pictures * size.width * size.height * 3,
    device: measured.deviceBytes,
  };
  const validationSteps = planned.validationSteps ?? Math.ceil((splits.validation?.files.length ?? 0) / batchSize);
  const epoch = stepsPerEpoch * measured.step + validationSteps * measured.validationStep;
  const seconds = { loading: pictures * measured.picture, step: measured.step, epoch, training: epochs * epoch };
  const { name, config } = recipe.optimizer;
  const parameters = model.countParameters();
  output.emit({
    ...{ event: 'plan', layout: splits.layout, ...Object.fromEntries(parts), validationFrom: splits.validationFrom },
    ...{
      size,
      parameters,
      optimizer: { name, ...config },
      stepsPerEpoch,
      epochs,
      seconds,
      memory,
      device: facts,
      out,
      run,
    },
  });
  for (const [part, described] of parts) output.say(`${`${part}:`.padEnd(12)}${described ? described.words : 'none'}`);
  output.say(`Split:      ${splits.layout}`);
  output.say(`Network:    ${size.width}x${size.height} pictures, ${count(parameters, 'parameter')}`);
  output.say(`Optimizer:  ${name} ${JSON.stringify(config)}`);
  output.say(`Steps:      ${count(epochs, 'epoch')} of ${count(stepsPerEpoch, 'step')}`);
  output.say(
    `Time:       about ${duration(seconds.training)}, ${duration(epoch)} an epoch (${milliseconds(seconds.step)} a step, by ${MEASURED_STEPS} of them)`,
  );
  output.say(`            before it ${duration(seconds.loading)} to decode pictures, less what a cache holds`);
  output.say(
    `Memory:     ${megabytes(memory.device)} on the device (parameters and optimizer ${megabytes(memory.network)}), ` +
      `${megabytes(memory.pictures)} for pictures`,
  );
  output.say(`Device:     ${describeDevice(facts)}`);
  output.say(`Would be written: ${run === null ? `a new run in ${out}` : `${out}/${run}`} with ${FILES}`);
  output.say('Nothing was written (--dry-run).');
}

/** Steps whose time is taken, after two that record and compile. */
const MEASURED_STEPS = 5;

interface Measured {
  /** Seconds. */
  readonly picture: number;
  readonly step: number;
  readonly validationStep: number;
  /** At the peak. */
  readonly deviceBytes: number;
}

/** Trains a few steps on one batch of pictures from all over the training's. The weights that come of it are thrown away. */
async function measure({ splits, plan, batchSize, onBad, workers, device }: Planned): Promise<Measured> {
  const { training } = splits;
  const stride = Math.max(1, training.files.length / batchSize);
  const files = Array.from(
    { length: Math.min(batchSize, training.files.length) },
    (_, n) => training.files[Math.floor(n * stride)],
  );
  const loading = { ...plan.preparation.picture, onBad, ...(workers !== undefined && { workers }) };
  const seconds = async (task: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await task();
    return (performance.now() - start) / 1000;
  };
  const sample = await loadDataset({ ...training, files }, loading);
  const picture = (await seconds(() => loadDataset({ ...training, files }, loading))) / files.length;
  const { model, recipe } = plan;
  const flows = await trainingFlows(plan, sample, sample, batchSize);
  model.compile({ device, optimizer: recipe.optimizer, loss: recipe.loss, metrics: ['accuracy'] });
  const train = (steps: number) => model.fit(flows.training, { epochs: 1, stepsPerEpoch: steps });
  const validate = () => model.evaluate(flows.training);
  await train(2);
  await validate();
  const step = (await seconds(() => train(MEASURED_STEPS))) / MEASURED_STEPS;
  const validationStep = await seconds(validate);
  return { picture, step, validationStep, deviceBytes: device.statistics.peakBytes };
}

const milliseconds = (seconds: number): string => `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

function describeList(list: FileList | null): { pictures: number; classes: object; words: string } | null {
  if (!list) return null;
  const { classNames, files } = list;
  const counts = classCounts({ labels: files.map(({ label }) => label), classNames });
  const words = counts.map((pictures, label) => `${classNames[label]} ${pictures}`).join(', ');
  return {
    pictures: files.length,
    classes: Object.fromEntries(counts.map((pictures, label) => [classNames[label], pictures])),
    words: `${count(files.length, 'picture')} (${words})`,
  };
}
