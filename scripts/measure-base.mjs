/**
 * The figures of docs/base.md: accuracy of a head on the shipped base, and which pictures of other kinds it tells.
 *
 *   npm run build && node scripts/measure-base.mjs NAME=FOLDER…    folders divided into training and test pictures
 *
 * Draws are by seeds 0, 1, …. Features are kept in the cache of pictures.
 */
import { computeFeatures } from '../dist/src/classifier/base/extract.js';
import { split } from '../dist/src/data/dataset.js';
import { fitHead, scoresOf } from '../dist/src/classifier/base/head.js';
import { strangers } from '../dist/src/classifier/base/strangers.js';
import { fitUnlike, unlikeness } from '../dist/src/classifier/base/unlike.js';
import {
  basePreparation,
  keepFeatures,
  loadDataset,
  markedCacheDirectory,
  openBase,
  openDevice,
  openSplits,
  PictureCache,
} from '../dist/src/index.node.js';

const HELD_BACK = 0.2;
const FEW = 20;
const device = await openDevice('cpu');
const base = await openBase('darknet-tiny');
const preparation = basePreparation(base, {});
const cache = new PictureCache(markedCacheDirectory());

/** Rows of features with their labels. */
const rowsOf = (features, labels, classes) => ({ features, labels, classes, width: features.length / labels.length });

async function load(list) {
  const dataset = await loadDataset(list, { ...preparation.picture, cache });
  const features = await computeFeatures(base, dataset, preparation, device, { keep: keepFeatures(cache, base) });
  return rowsOf(features, [...dataset.labels], dataset.classNames.length);
}

function choose({ features, labels, classes, width }, indices) {
  const chosen = new Float32Array(indices.length * width);
  for (const [to, from] of indices.entries())
    chosen.set(features.subarray(from * width, (from + 1) * width), to * width);
  return rowsOf(
    chosen,
    indices.map((index) => labels[index]),
    classes,
  );
}

function joined(a, b) {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const join = (a, b) => rowsOf(joined(a.features, b.features), [...a.labels, ...b.labels], a.classes);

async function accuracy(training, test) {
  const head = await fitHead(training.features, training.labels, training.classes);
  const scores = scoresOf(test.features, head);
  const right = test.labels.filter((label, n) => {
    const row = scores.subarray(n * head.columns, (n + 1) * head.columns);
    return label === (head.columns === 1 ? Number(row[0] >= 0.5) : row.indexOf(Math.max(...row)));
  });
  return (100 * right.length) / test.labels.length;
}

/** The columns of the base's last feature layer but one. */
const TELLING = [256, 768];
const telling = ({ features, labels, width }) => {
  const own = TELLING[1] - TELLING[0];
  const columns = new Float32Array(labels.length * own);
  for (let n = 0; n < labels.length; n++)
    columns.set(features.subarray(n * width + TELLING[0], n * width + TELLING[1]), n * own);
  return Array.from({ length: labels.length }, (_, n) => columns.subarray(n * own, (n + 1) * own));
};

const told = (unlike, rows) =>
  (100 * telling(rows).filter((row) => unlikeness(unlike, row) > 1).length) / rows.labels.length;
const unlikeOf = (rows, seed) =>
  fitUnlike(Float32Array.from(telling(rows).flatMap((row) => [...row])), rows.labels, rows.classes, { seed });

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const inWords = (values) =>
  `mean ${mean(values).toFixed(2)}, ${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`;
const divided = (rows, fraction, seed) => {
  const classNames = Array.from({ length: rows.classes }, (_, n) => String(n));
  const { training, validation } = split({ labels: rows.labels, classNames }, fraction, seed);
  return [choose(rows, training), choose(rows, validation)];
};

const DRAWS = 10;
/** What `each` gives of every draw of so many pictures: [those drawn, the others]. */
async function draws(rows, fraction, count, each) {
  const values = [];
  for (let seed = 0; seed < count; seed++) values.push(await each(...divided(rows, fraction, seed), seed));
  return values;
}

const sets = [];
for (const argument of process.argv.slice(2)) {
  const [name, folder] = argument.split('=');
  const splits = await openSplits(folder);
  const training = await load(splits.training);
  const judging = splits.validation ?? splits.test;
  const test = judging && (await load(judging));
  sets.push({ name, training, test, all: test ? join(training, test) : training });
}
const made = strangers(preparation.picture);
const madeFeatures = rowsOf(
  await computeFeatures(base, made, preparation, device),
  [...made.labels],
  made.classNames.length,
);
for (const [kind, name] of made.classNames.entries()) {
  const own = [...made.labels.keys()].filter((index) => made.labels[index] === kind);
  sets.push({ name, isMade: true, all: choose(madeFeatures, own) });
}
for (const { name, training, test, all } of sets.filter(({ isMade }) => !isMade)) {
  console.log(`\n${name}: ${training.labels.length} pictures for training, ${test?.labels.length ?? 0} for a test`);
  if (test) console.log(`  own test: ${(await accuracy(training, test)).toFixed(2)} %`);
  const held = await draws(all, HELD_BACK, 3, accuracy);
  console.log(`  3 draws of ${HELD_BACK} held back: ${inWords(held)}`);
  const share = (FEW * all.classes) / all.labels.length;
  if (share < 0.5) {
    const few = await draws(all, share, DRAWS, (others, some) => accuracy(some, others));
    console.log(`  ${DRAWS} draws of about ${FEW} pictures a class, judged on the others: ${inWords(few)}`);
  }
  const others = sets.filter((one) => one.name !== name);
  const shares = await draws(all, HELD_BACK, DRAWS, async (own, rest, seed) => {
    const unlike = await unlikeOf(own, seed);
    return [rest, ...others.map((one) => one.all)].map((rows) => told(unlike, rows));
  });
  for (const [n, what] of ['own pictures called unknown', ...others.map((one) => `told of ${one.name}`)].entries())
    console.log(`  ${what}, ${DRAWS} draws: ${inWords(shares.map((each) => each[n]))}`);
}
device.destroy();
