/** What config.json says of a training in steps: all that decides its result, and what was chosen on which pictures. */
import { expectArray, expectFunction, expectObject, objectWith } from '../expect.js';
import type { AuditReport } from '../data/audit/report.js';
import { describeSet } from '../data/dataset.js';
import type { Splits } from '../data/sources/divide.js';
import type { ModelInfo } from '../formats/beltnet/info.js';
import { CHOSEN_BY } from './epoch-record.js';
import type { SetsOfRun } from './run-predictions.js';
import type { TrainingFlows, TrainingPlan } from './training.js';

/** Options of a training that change nothing in its weights: names and places, what is told and kept, who works on it. */
export const withoutEffect: ReadonlySet<string> = new Set(
  (
    'resume resumeOrStart config out name key dryRun json quiet live tensorboard checkpointSeconds ' +
    'cache cacheLimit threads workers kernels profileKernels stallSeconds'
  ).split(' '),
);

export interface DescribedTraining {
  /** Of the pictures: what the user calls it. */
  readonly directory: string;
  readonly splits: Pick<Splits, 'layout' | 'validationFrom'>;
  readonly sets: SetsOfRun;
  readonly audit: AuditReport;
  readonly flows: TrainingFlows;
  readonly plan: TrainingPlan;
  /** As the device describes itself, and why this one. */
  readonly device: object;
  /** What the validation pictures choose beside the best epoch. */
  readonly chosen: readonly ('last epoch' | 'learning rate')[];
}

/** What is told when it begins, too. */
export function describeTraining(training: DescribedTraining): {
  readonly data: object;
  readonly chosen: object | null;
  readonly classes: Readonly<Record<string, number>>;
  readonly alert: ModelInfo['alert'];
  readonly parameters: number;
  readonly device: object;
} {
  objectWith({ splits: expectObject, sets: objectWith({ training: expectObject }), audit: expectObject })(
    training,
    'describeTraining: training',
  );
  objectWith({ flows: objectWith({ training: expectObject, info: expectObject }), chosen: expectArray })(
    training,
    'describeTraining: training',
  );
  objectWith({ plan: objectWith({ model: expectObject }) })(training, 'describeTraining: training');
  const { directory, splits, sets, audit, flows, plan, device, chosen } = training;
  const { validation = null, test = null } = sets;
  return {
    data: {
      directory,
      layout: splits.layout,
      training: sets.training && describeSet(sets.training),
      validation: validation && describeSet(validation),
      test: test && describeSet(test),
      audited: audit.sets,
    },
    chosen: validation && {
      what: ['best epoch', ...chosen],
      by: CHOSEN_BY,
      on: splits.validationFrom,
      pictures: validation.labels.length,
    },
    classes: flows.training.classIndices,
    alert: flows.info.alert,
    parameters: plan.model.countParameters(),
    device,
  };
}

const expectPlan = objectWith({
  model: objectWith({ config: expectFunction }),
  recipe: objectWith({ augmentation: expectObject, optimizer: expectObject, loss: expectObject }),
  preparation: objectWith({ picture: expectObject }),
});

/** What stands at its end: how pictures are prepared and changed, and what is trained by which steps. */
export function configOfPlan(plan: TrainingPlan, info: ModelInfo): object {
  expectPlan(plan, 'configOfPlan: plan');
  objectWith({ preprocessing: expectObject })(info, 'configOfPlan: info');
  const { model, recipe, preparation } = plan;
  const { augmentation, optimizer, loss } = recipe;
  return {
    preprocessing: { ...info.preprocessing, size: preparation.picture.size },
    augmentation,
    optimizer: { name: optimizer.name, ...optimizer.config },
    loss: { name: loss.name, ...loss.config },
    architecture: model.config(),
  };
}
