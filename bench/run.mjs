/**
 * `npm run bench`: beltnet and its peers side by side. README.md says what is measured and how.
 * Progress goes to stderr, the tables (or with --json the results) to stdout.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { probeGpu } from '../scripts/machine.mjs';
import { referenceFigures, Slowness } from './interleaved.mjs';
import { demo } from './measures/demo.mjs';
import { endToEnd } from './measures/end-to-end.mjs';
import { inference } from './measures/inference.mjs';
import { scaling } from './measures/scaling.mjs';
import { startUp } from './measures/start-up.mjs';
import { trainStep } from './measures/train-step.mjs';
import { PeerProcess } from './peer-process.mjs';
import { ours, peers } from './peers.mjs';
import { raisePriority } from './quiet.mjs';
import { markdown } from './report.mjs';
import { describeMachine, latestResults, mergeResults, revision } from './results.mjs';

const measures = [trainStep, inference, scaling, endToEnd, startUp, demo];
const devices = ['cpu', 'webgpu'];

const usage = `npm run bench -- [options]

  --quick            shorter rounds, the slow peers left out, nothing written
  --json             print the results as JSON instead of tables
  --table            measure nothing, print the tables of the latest results
  --measure NAMES    only these of ${measures.map(({ id }) => id).join(', ')}
  --device NAMES     only cpu or webgpu
  --peer NAMES       only these peers, and beltnet: ${peers.map(({ id }) => id).join(', ')}
  --batch SIZES      instead of 10, 32, 128 (training) and 1, 32, 128 (inference)
  --rounds N         default 10
  --pictures N       in the folder of the whole trainings; default 2000, with --quick 200
  --threads N        for each peer; default: all cores
  --help

Names and sizes are separated by commas. With --quick or --peer nothing is written to bench/results/.`;

const options = readOptions();
if (options.table) {
  const latest = latestResults();
  console.log(latest ? markdown(latest, measures) : 'There are no results yet.');
  process.exit(0);
}
raisePriority();
const adapter = options.devices.includes('webgpu') ? (useAdapter() ?? null) : null;
const results = await measureAll(options);
const all = {
  ...{ date: new Date().toISOString().slice(0, 10), revision: revision(), machine: describeMachine(adapter) },
  ...results,
};
const written = options.quick || options.peers ? null : mergeResults(all);
console.log(options.json ? JSON.stringify(all, null, 1) : `\n${markdown(written?.results ?? all, measures)}`);
if (written) console.error(`\nwritten: ${written.file}`);
process.exit(all.cells.some(({ error }) => error?.startsWith('ERROR')) ? 1 : 0);

function readOptions() {
  const { values } = parse();
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const some = (name, known) => {
    const chosen = values[name]?.split(',') ?? known;
    const unknown = chosen.find((one) => !known.includes(one));
    return unknown === undefined ? chosen : fail(`--${name}: expected some of ${known.join(', ')}, got '${unknown}'`);
  };
  const whole = (name, text) =>
    /^[1-9]\d*$/.test(text) ? Number(text) : fail(`--${name}: expected a whole number above 0, got '${text}'`);
  const ids = peers.map(({ id }) => id);
  return {
    ...{ quick: values.quick, json: values.json, table: values.table },
    measures: some(
      'measure',
      measures.map(({ id }) => id),
    ),
    devices: some('device', devices),
    peers: values.peer === undefined ? null : [...some('peer', ids), ...Object.values(ours)],
    batches: values.batch?.split(',').map((text) => whole('batch', text)),
    rounds: whole('rounds', values.rounds),
    pictures: values.pictures === undefined ? (values.quick ? 200 : 2000) : whole('pictures', values.pictures),
    threads: values.threads === undefined ? availableParallelism() : whole('threads', values.threads),
  };
}

function parse() {
  const [flag, text] = [{ type: 'boolean', default: false }, { type: 'string' }];
  try {
    return parseArgs({
      options: {
        ...{ quick: flag, json: flag, table: flag, help: flag },
        ...{ measure: text, device: text, peer: text, batch: text, threads: text, pictures: text },
        rounds: { type: 'string', default: '10' },
      },
    });
  } catch (error) {
    return fail(error.message);
  }
}

function fail(message) {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}

/** Finds the WebGPU adapter that Dawn takes here, and has all peers take the same. @returns its name */
function useAdapter() {
  const found = probeGpu();
  if (found?.icd) process.env.VK_ICD_FILENAMES = found.icd;
  return found?.adapter;
}

async function measureAll({ quick, rounds, threads, batches, pictures, ...chosen }) {
  const open = new Map();
  const references = new Map();
  const versions = {};
  const cells = [];

  /** The peer's process, opened when it is first asked for. A peer that cannot be opened cannot be opened later either. */
  const processOf = (peer, key = peer.id) => {
    if (!open.has(key)) open.set(key, start(peer));
    return open.get(key);
  };
  const start = async (peer) => {
    const child = new PeerProcess(peer, threads);
    await child.open();
    noteVersion(child);
    return child;
  };
  const noteVersion = ({ peer, facts }) => {
    if (facts.version) versions[peer.id] = facts.version;
  };

  const context = {
    ...{ quick, rounds, batches, threads },
    pictures: { count: pictures, width: 640, height: 480 },
    /**
     * Milliseconds: a peer's work in one round; what a slow one may take in all; how long a step may be to be measured;
     * what may be spent on waiting for a quiet machine.
     */
    ...(quick
      ? { chunk: 100, slowBudget: 20_000, tooSlow: 5_000, patience: 15_000 }
      : { chunk: 150, slowBudget: 60_000, tooSlow: 90_000, patience: 180_000 }),
    peers: peers.filter((peer) => (chosen.peers ? chosen.peers.includes(peer.id) : !(quick && peer.slow))),
    slowness: new Slowness(),
    ...{ process: processOf, noteVersion },
    async reference(which) {
      const key = JSON.stringify(which);
      if (!references.has(key)) {
        const child = await processOf(
          peers.find(({ id }) => id === ours.cpu),
          'reference',
        );
        references.set(key, await referenceFigures(child, which));
        child.pause();
      }
      return references.get(key);
    },
    progress(text) {
      process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    },
  };

  for (const measure of measures.filter(({ id }) => chosen.measures.includes(id))) {
    for (const device of chosen.devices) {
      const save = (found) => cells.push(...found.map((cell) => ({ ...cell, device })));
      await measure.run(context, device, save);
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return { versions, cells };
}
