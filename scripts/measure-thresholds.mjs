/**
 * What class weights and a threshold by cost are worth, on pictures of the synthetic belt that neither trained nor chose: the tables of
 * docs/figures.md. `npm run build`, then `node scripts/measure-thresholds.mjs [--seeds 10] [--first 0]`; a seed takes seconds.
 */
import { parseArgs } from 'node:util';
import {
  alarmErrors,
  beltPicture,
  chooseThreshold,
  classWeightsFor,
  evaluateClassifier,
  openDevice,
  planTraining,
  prepare,
  trainingFlows,
} from '../dist/src/index.node.js';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '10' }, first: { type: 'string', default: '0' } },
});
const [seeds, first] = [Number(values.seeds), Number(values.first)];

const SIDE = 64;
const classNames = ['gap', 'ok'];
const COSTS = { costMiss: 50, costFalse: 1 };

/** Pictures of the belt; no other call's of that seed unless they start at the same index. */
function belt(name, seed, counts, start) {
  const pictures = [];
  const labels = [];
  for (const [label, className] of classNames.entries()) {
    for (let n = 0; n < counts[className]; n++) {
      const picture = beltPicture({ seed, index: start + n, label: className, width: 96, height: 72 });
      pictures.push(prepare(picture, { size: { width: SIDE, height: SIDE }, interpolation: 'nearest' }).data);
      labels.push(label);
    }
  }
  return {
    ...{ name, classNames, pictureShape: [SIDE, SIDE, 3], skipped: [] },
    pictures: new Uint8Array(Buffer.concat(pictures)),
    labels: Uint8Array.from(labels),
    files: labels.map((label, n) => `${name}/${classNames[label]}/${n}`),
  };
}

async function train(device, training, { epochs, classWeight, seed }) {
  const plan = planTraining(classNames, { size: { width: SIDE, height: SIDE }, alertClass: 'gap', seed });
  const { model, recipe } = plan;
  const flows = await trainingFlows(plan, training, null, 32);
  const weights = classWeight === 'balanced' ? { classWeight: classWeightsFor('balanced', training) } : {};
  model.compile({ device, optimizer: recipe.optimizer, loss: recipe.loss, ...weights });
  await model.fit(flows.training, { epochs });
  return { model, info: flows.info, device, name: 'model' };
}

/** Labels (1 for a gap) and the gap's probabilities. */
async function scoresOf(trained, pictures, difficulty) {
  const { judged } = await evaluateClassifier(trained, pictures, { difficulty });
  return [
    judged.labels.map((label) => Number(label === 0)),
    judged.verdicts.map(({ probabilities }) => probabilities.gap),
  ];
}

const chosenFrom = (scores) => chooseThreshold(...scores, COSTS, { resamples: 2 }).threshold;
const row = (cells) => console.log(`| ${cells.join(' | ')} |`);

const device = await openDevice('cpu');

console.log('\n150 ok : 10 gap, 4 epochs; of 50 fresh gaps are missed (and of 50 fresh ok false alarms)');
row(['seed', 'no weights', 'balanced', 'threshold', 'balanced and threshold']);
for (let seed = first; seed < first + Math.min(5, seeds); seed++) {
  const training = belt('training', seed, { gap: 10, ok: 150 }, 0);
  const choosing = belt('choosing', seed, { gap: 50, ok: 50 }, 1000);
  const fresh = belt('fresh', seed, { gap: 50, ok: 50 }, 2000);
  const cells = [];
  for (const classWeight of ['none', 'balanced']) {
    const trained = await train(device, training, { epochs: 4, classWeight, seed });
    const threshold = chosenFrom(await scoresOf(trained, choosing, 0));
    const scores = await scoresOf(trained, fresh, 0);
    cells.push(
      [0.5, threshold].map((at) => {
        const { missed, falseAlarms } = alarmErrors(...scores, at);
        return `${missed} (${falseAlarms})${at === 0.5 ? '' : ` at ${at}`}`;
      }),
    );
    trained.model.destroy();
  }
  row([seed, cells[0][0], cells[1][0], cells[0][1], cells[1][1]]);
}

const DIFFICULTY = 0.8;
console.log(
  `\n80 : 80, 8 epochs, difficulty ${DIFFICULTY}; --cost-miss 50 --cost-false 1, chosen on 50 + 50, judged by 100 + 100 fresh ones`,
);
row(['seed', 'threshold', 'cost at 0.5', 'cost at the threshold', 'ratio']);
let good = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const trained = await train(device, belt('training', seed, { gap: 80, ok: 80 }, 0), { epochs: 8, seed });
  const threshold = chosenFrom(await scoresOf(trained, belt('choosing', seed, { gap: 50, ok: 50 }, 1000), DIFFICULTY));
  const scores = await scoresOf(trained, belt('fresh', seed, { gap: 100, ok: 100 }, 2000), DIFFICULTY);
  const [half, chosen] = [0.5, threshold].map((at) => {
    const { missed, falseAlarms } = alarmErrors(...scores, at);
    return COSTS.costMiss * missed + COSTS.costFalse * falseAlarms;
  });
  trained.model.destroy();
  if (chosen <= 0.7 * half) good++;
  row([seed, threshold, half, chosen, (chosen / half).toFixed(2)]);
}
console.log(`\nat most 0.7 of the cost at 0.5 in ${good} of ${seeds}`);
device.destroy();
