/** `beltnet train --good-only`: what good pictures look like, learned from them alone; other pictures raise the alarm. */
import {
  describeSet,
  basePreparation,
  encodeModel,
  goodOnlyWays,
  judgeDefects,
  judgeRun,
  listGoodPictures,
  openBase,
  openRun,
  pictureManifest,
  picturesOfClass,
  proveTraining,
  trainGoodOnly,
  type Dataset,
  type GoodOnly,
  type GoodOnlyFigures,
  type GoodOnlyWay,
} from '../../src/index.node.js';
import { describeParts, loadAndReport, noteSkipped, openCache } from '../terminal/data.js';
import { describeDevice, withDevice } from '../terminal/device.js';
import { stopInOrder } from '../terminal/interrupt.js';
import { openLive } from '../terminal/live.js';
import { count, note, noteLeftovers, quoted, type Output } from '../terminal/output.js';
import { authorOf, commandLine } from '../terminal/proof.js';
import { unlessStopped, untilStopped } from '../terminal/start-of-training.js';
import { versions } from '../version.js';
import { noteFindings } from './audit.js';
import type { TrainOptions } from '../terminal/training-flags.js';

/** The 99 % quantile of fewer is practically the farthest of all. */
const FEW_HELD_BACK = 200;

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** What a way is for, in the words that the command says. */
const suits: Readonly<Record<GoodOnlyWay, string>> = {
  scene: 'scene: pictures may be taken from anywhere; it looks at what is there, not where',
  'fixed-camera': 'fixed-camera: camera and object stand still, each place has looks of its own',
};

interface Judged {
  readonly trained: GoodOnly;
  readonly figures: GoodOnlyFigures | null;
}

/** @param given names of the flags that were given */
export async function trainGoodOnlyCommand(
  directory: string,
  options: TrainOptions,
  given: readonly string[],
  output: Output,
): Promise<number> {
  const author = authorOf(options);
  const splits = await listGoodPictures(directory, options);
  const base = await openBase(options.base ?? '', options.baseLayer === undefined ? undefined : [options.baseLayer]);
  const settings = {
    ...{ size: options.baseSize, region: options.roi, exif: options.exif, seed: options.seed },
    ...{ falseAlarms: options.falseAlarms },
    ...(given.includes('batch') && { batchSize: options.batch }),
  };
  const { picture } = basePreparation(base, settings);
  return withDevice(options, async (device, facts) => {
    const run = await openRun(options.out, options.name, noteLeftovers);
    const cache = openCache(options, [directory]);
    const loading = { ...picture, onBad: options.onBad, workers: options.workers, cache };
    const good = await loadAndReport(splits.training, loading, output);
    const validation = await loadAndReport(splits.validation, loading, output);
    const audit = await noteFindings(good, [validation], directory, cache, options.exif);
    const sets = { training: good, validation };
    const heldBack = picturesOfClass(validation, splits.goodLabel);
    const defects = splits.hasDefects ? picturesOfClass(validation, 1 - splits.goodLabel) : null;
    output.say(`Data: ${splits.layout}: ${describeParts(good, validation)}`);
    output.say(`Device: ${describeDevice(facts)}`);
    output.say(`Base: ${base.name}, ${picture.size.width}x${picture.size.height} pictures`);
    output.say(`Run: ${run.directory}`);
    const live = options.live ? await openLive(run.directory, 0, output) : null;

    const start = performance.now();
    // with defects there is something to choose by
    const ways = options.way ? [options.way] : defects ? goodOnlyWays : (['scene'] as const);
    const trainAll = async (signal: AbortSignal): Promise<Judged[]> => {
      const all: Judged[] = [];
      for (const way of ways) {
        const trained = await trainGoodOnly(base, way, good, device, {
          ...settings,
          heldBack,
          ...untilStopped(signal),
        });
        all.push({ trained, figures: defects && (await judgeDefects(trained, defects)) });
      }
      return all;
    };
    const { result, stopCode } = await stopInOrder('Stopping after this step; Ctrl-C again stops at once.', (signal) =>
      unlessStopped(signal, trainAll(signal)),
    );
    if (result === null) {
      note(`beltnet: stopped; no model was written yet (${run.directory})`);
      return stopCode ?? 130;
    }
    const seconds = (performance.now() - start) / 1000;
    const best = result.reduce((a, b) => ((b.figures?.rocAuc ?? 0) > (a.figures?.rocAuc ?? 0) ? b : a));
    const isChosen = result.length > 1;
    const { model, info, limit, way } = best.trained;
    await run.writeConfig({
      ...versions(),
      started: new Date().toISOString(),
      data: {
        directory,
        layout: splits.layout,
        training: describeSet(good),
        validation: describeSet(validation),
        audited: audit.sets,
      },
      goodOnly: { way, limit, figures: result.map(({ trained, figures }) => ({ way: trained.way, figures })) },
      alert: info.alert,
      base: { name: base.name, hash: base.hash, layers: base.featureLayers },
      device: facts,
      given,
      options: { ...options, groupBy: options.groupBy ? String(options.groupBy) : null },
      preprocessing: { ...info.preprocessing, size: picture.size },
      architecture: model.config(),
    });
    await run.writePictures(await pictureManifest(sets));
    await run.writeAudit(audit);
    await run.writeModel(await encodeModel(model, info, { name: run.path('best') }), { isBest: true });
    await proveTraining({
      ...{ ...author, run: run.directory, sets, judged: await judgeRun(run, device, sets) },
      ...{ command: commandLine(), epochs: null, bestEpoch: null },
      choices: isChosen ? [{ what: 'Way', by: 'area under ROC', on: `the defects of ${directory}` }] : [],
    });
    await live?.finish(device);
    output.emit({
      ...{ event: 'end', run: run.directory, model: run.path('best'), seconds, way, limit },
      ways: result.map(({ trained, figures }) => ({ way: trained.way, ...figures })),
    });
    output.say();
    for (const judged of result) for (const line of lines(judged, defects)) output.say(line);
    if (defects) {
      output.say(`Taken: ${way}${isChosen ? ', the better of the two on these defects' : ''}`);
      note(
        'note: defects can be shown: a classifier trained on both (beltnet train --base) is far better at those it has seen',
      );
    } else {
      output.say(suits[way]);
      output.say(suits[way === 'scene' ? 'fixed-camera' : 'scene'].replace(':', ' (--way):'));
      note('note: without defects nobody knows how many are missed; show some, and both ways are measured');
    }
    for (const line of limitNotes(best.trained, options.falseAlarms)) note(line);
    output.say();
    output.say(`Model:   ${run.path('best')}`);
    output.say();
    output.say(
      `Evaluate it:  beltnet evaluate ${quoted(run.path('best'))} FOLDER   (with ${info.classNames.join('/ and ')}/)`,
    );
    output.say(`Use it:       beltnet predict ${quoted(run.path('best'))} PICTURE...`);
    noteSkipped([good, validation]);
    return 0;
  });
}

function lines({ trained: { way, limit }, figures }: Judged, defects: Dataset | null): string[] {
  const alarms = `${limit.beyond} of ${limit.heldBack} held-back good pictures raise the alarm`;
  if (!figures || !defects) return [`${way}: ${alarms}`];
  const { rocAuc, averagePrecision, missed } = figures;
  return [
    `${way}: area under ROC ${rocAuc.toFixed(4)}, average precision ${averagePrecision.toFixed(4)}; ${alarms}, ` +
      `${missed} of ${count(defects.labels.length, 'defect')} ${missed === 1 ? 'is' : 'are'} missed`,
  ];
}

/** How sure the rate of false alarms is. */
function limitNotes({ limit }: GoodOnly, wanted: number): string[] {
  const { falseAlarms, heldBack, isBeyondAll } = limit;
  const rate = `note: among fresh good pictures like these ${percent(falseAlarms.low)} to ${percent(falseAlarms.high)} raise the alarm (95 % sure; wanted ${percent(wanted)})`;
  const few =
    heldBack < FEW_HELD_BACK
      ? [
          `note: ${heldBack} held-back pictures are few: ${isBeyondAll ? 'the limit lies beyond the farthest of all' : 'the limit is set by the farthest ones'}; ${5 * FEW_HELD_BACK} good pictures or more make it sure`,
        ]
      : [];
  return [rate, ...few];
}
