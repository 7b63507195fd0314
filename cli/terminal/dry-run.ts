/** `train --dry-run`: what a training would do, as far as it is known before a picture is decoded. Nothing is written. */
import { classCounts, trainingBytes, type FileList, type Splits, type TrainingPlan } from '../../src/index.node.js';
import { describeDevice, type DeviceFacts } from './device.js';
import { count, type Output } from './output.js';

interface Planned {
  readonly output: Output;
  readonly splits: Splits;
  readonly plan: TrainingPlan;
  readonly stepsPerEpoch: number;
  readonly epochs: number;
  /** The folder of all runs, and the run in it where it has a name. */
  readonly out: string;
  readonly run: string | null;
  readonly facts: DeviceFacts;
}

/** What a run leaves behind. */
const FILES =
  'config.json, pictures.jsonl, audit.json, results.csv, events.jsonl, best.safetensors, last.safetensors, last.state.safetensors, predictions.csv';

export function sayPlan({ output, splits, plan, stepsPerEpoch, epochs, out, run, facts }: Planned): void {
  const { size } = plan.preparation.picture;
  const { model, recipe } = plan;
  const parts = (['training', 'validation', 'test'] as const).map(
    (part) => [part, describeList(splits[part])] as const,
  );
  const pictures = parts.slice(0, 2).reduce((sum, [, part]) => sum + (part?.pictures ?? 0), 0);
  const memory = { network: trainingBytes(model), pictures: pictures * size.width * size.height * 3 };
  const { name, config } = recipe.optimizer;
  const parameters = model.countParameters();
  output.emit({
    ...{ event: 'plan', layout: splits.layout, ...Object.fromEntries(parts), validationFrom: splits.validationFrom },
    ...{ size, parameters, optimizer: { name, ...config }, stepsPerEpoch, epochs, memory, device: facts, out, run },
  });
  for (const [part, described] of parts) output.say(`${`${part}:`.padEnd(12)}${described ? described.words : 'none'}`);
  output.say(`Split:      ${splits.layout}`);
  output.say(`Network:    ${size.width}x${size.height} pictures, ${count(parameters, 'parameter')}`);
  output.say(`Optimizer:  ${name} ${JSON.stringify(config)}`);
  output.say(`Steps:      ${count(epochs, 'epoch')} of ${count(stepsPerEpoch, 'step')}`);
  output.say(
    `Memory:     ${megabytes(memory.network)} for parameters and optimizer, ${megabytes(memory.pictures)} for pictures, and a batch's layers`,
  );
  output.say(`Device:     ${describeDevice(facts)}`);
  output.say(`Would be written: ${run === null ? `a new run in ${out}` : `${out}/${run}`} with ${FILES}`);
  output.say('Nothing was written (--dry-run).');
}

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
