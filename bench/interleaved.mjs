/**
 * The measurement of steps: all peers on the same problem, first compared, then timed in turns, so that what else the
 * machine does falls on all of them alike.
 */
import { NotMeasured } from './peer-process.mjs';
import { adamFor, writeProblem } from './problem.mjs';
import { Quiet } from './quiet.mjs';
import { median } from './statistics.mjs';

/** Steps whose losses are compared. Later ones tell less: each step multiplies the differences of rounding. */
const COMPARED_STEPS = 3;
/**
 * Largest relative difference of losses. Correct peers differ by up to 6e-5 in these steps (float32 sums in another
 * order, other approximations of exp and log); Adam's ε in the wrong place, the smallest mistake there is, makes 4e-4.
 */
const LOSS_TOLERANCE = 2e-4;
/** Largest difference of probabilities before any training, where only one forward pass rounds. */
const SCORE_TOLERANCE = 1e-5;

/** A step longer than this gets fewer rounds, and two steps are compared. */
const SLOW = 5_000;

/**
 * @param context of run.mjs
 * @param measure name of the measurement, for the cells
 * @param kind 'step' or 'infer'
 * @param one what is computed: { network, batch, size, width }
 * @param candidates the peers that take part
 * @returns a cell for each: { measure, one, peer, median, samples, way } or { measure, one, peer, error }
 */
export async function measureInTurns(context, measure, kind, one, candidates) {
  const { batch, size, width } = one;
  const directory = await writeProblem(one);
  // Dropout makes losses that cannot be compared: that is done without.
  const compared = await writeProblem({ ...one, dropout: false });
  const pixels = batch * (size ?? 64) ** 2 * (width ?? 1);
  const key = `${kind} ${one.network ?? 'mission'}`;
  const cells = [];
  const runners = [];
  for (const peer of candidates) {
    context.progress(`${measure} ${label(one)}: comparing ${peer.id}`);
    let process;
    try {
      const expected = context.slowness.expect(peer, key, pixels);
      if (expected > context.tooSlow)
        throw new NotMeasured(`not measured: would take about ${Math.round(expected / 1000)} s each`);
      process = await context.process(peer);
      const forms = process.facts.adam ?? ['pytorch'];
      const settings = { ...adamFor(one.network), form: forms[0] };
      const prepare = (from) => process.call('prepare', { directory: from, batch, adam: settings });
      const reference = await context.reference({ directory: compared, batch, kind, adam: settings });
      await prepare(compared);
      const ways = kind === 'step' ? process.facts.steps : [null];
      for (const way of ways) {
        const estimate = await (kind === 'step' ? compareLosses : compareScores)(process, way, reference);
        context.slowness.note(peer, key, pixels, estimate);
        runners.push({ peer, process, kind, way, samples: [], disturbed: [], ...pace(estimate, context) });
      }
      await prepare(directory);
    } catch (error) {
      const known = error instanceof NotMeasured;
      cells.push({ measure, one, peer: peer.id, error: known ? error.message : `ERROR: ${error.message}` });
    } finally {
      process?.pause();
    }
  }
  await takeTurns(context, measure, one, runners, cells);
  for (const { id } of candidates) {
    const series = runners.filter(({ peer, samples }) => peer.id === id && samples.length > 0);
    if (series.length === 0) continue;
    const cell = series
      .map(({ way, samples, disturbed }) => ({ way, median: median(samples), samples, disturbed: disturbed.length }))
      .reduce((best, other) => (other.median < best.median ? other : best));
    cells.push({ measure, one, peer: id, ...cell, ...(series.length > 1 && { others: otherWays(series, cell) }) });
  }
  return cells;
}

const label = ({ network, batch, size, width }) =>
  [network, `batch ${batch}`, size && `${size}×${size}`, width && `width ×${width}`].filter(Boolean).join(', ');

const otherWays = (series, best) =>
  Object.fromEntries(series.filter(({ way }) => way !== best.way).map(({ way, samples }) => [way, median(samples)]));

/** How many rounds, and steps in each, for a step of about this length. */
function pace(estimate, { rounds, chunk, slowBudget }) {
  return {
    count: Math.max(1, Math.round(chunk / estimate)),
    warm: estimate < 1000 ? 2 : 0,
    rounds: estimate > SLOW ? Math.min(rounds, Math.max(1, Math.floor(slowBudget / estimate))) : rounds,
  };
}

/**
 * Every round starts from the initial weights, so that all do the same work in all rounds. A round in which somebody else
 * used the machine is repeated while patience lasts, and counted after that.
 */
async function takeTurns(context, measure, one, runners, cells) {
  const quiet = await Quiet.begin(context);
  const most = Math.max(0, ...runners.map(({ rounds }) => rounds));
  for (let round = 0; round < most; round++) {
    context.progress(`${measure} ${label(one)}: round ${round + 1}/${most}`);
    const first = round % runners.length;
    for (const runner of [...runners.slice(first), ...runners.slice(0, first)]) {
      if (round >= runner.rounds || runner.failed) continue;
      try {
        await takeTurn(runner, quiet);
      } catch (error) {
        runner.failed = true;
        runner.samples = [];
        cells.push({ measure, one, peer: runner.peer.id, error: `ERROR: ${error.message}` });
      }
    }
  }
}

async function takeTurn({ process, kind, way, warm, count, samples, disturbed }, quiet) {
  const turn = await quiet.measure(async () => {
    await process.call('restart');
    const { milliseconds } = await process.call(kind, { ...(way && { way }), warm, count });
    process.pause();
    return milliseconds;
  });
  samples.push(turn.result);
  if (turn.disturbed) disturbed.push(turn.result);
}

/** @returns about how long a step takes, in ms @throws Error when the losses are not the reference's */
async function compareLosses(process, way, reference) {
  await process.call('restart');
  let estimate = Infinity;
  for (const expected of reference) {
    const { loss, milliseconds } = await process.call('step', { way, warm: 0, count: 1 });
    const difference = Math.abs(loss - expected) / expected;
    if (!(difference <= LOSS_TOLERANCE)) {
      const step = reference.indexOf(expected) + 1;
      throw new Error(`its loss differs in step ${step} (${way}): ${loss} where beltnet cpu has ${expected}`);
    }
    estimate = Math.min(estimate, milliseconds);
    if (milliseconds > SLOW && expected !== reference[0]) break;
  }
  return estimate;
}

async function compareScores(process, way, reference) {
  await process.call('restart');
  const { scores, milliseconds } = await process.call('infer', { warm: 0, count: 1 });
  reference.forEach((expected, i) => {
    if (!(Math.abs(scores[i] - expected) <= SCORE_TOLERANCE))
      throw new Error(`its scores differ: ${scores[i]} where beltnet cpu has ${expected}`);
  });
  if (milliseconds > SLOW) return milliseconds;
  return (await process.call('infer', { warm: 1, count: 1 })).milliseconds;
}

/** What beltnet's cpu device computes, for each form of Adam: losses of the first steps, or scores. */
export async function referenceFigures(process, { directory, batch, kind, adam }) {
  await process.call('prepare', { directory, batch, adam });
  await process.call('restart');
  if (kind === 'infer') return (await process.call('infer', { warm: 0, count: 1 })).scores;
  const losses = [];
  while (losses.length < COMPARED_STEPS)
    losses.push((await process.call('step', { way: 'trainOnBatch', warm: 0, count: 1 })).loss);
  return losses;
}

/** What is known of a peer's speed, to tell beforehand what would take too long. */
export class Slowness {
  #known = new Map();

  note({ id }, kind, pixels, milliseconds) {
    this.#known.set(`${id} ${kind}`, milliseconds / pixels);
  }

  /** Milliseconds that a step is expected to take; 0 when nothing is known. */
  expect({ id }, kind, pixels) {
    return (this.#known.get(`${id} ${kind}`) ?? 0) * pixels;
  }
}
