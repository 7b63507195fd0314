/**
 * `npm run bench`: beltnet and its peers side by side. README.md says what is measured and how.
 * Progress goes to stderr, the tables (or with --json the results) to stdout.
 */
import { probeGpu } from '../scripts/machine.mjs';
import { referenceFigures, Slowness } from './interleaved.mjs';
import { measures } from './measures.mjs';
import { readOptions } from './options.mjs';
import { PeerProcess } from './peer-process.mjs';
import { ours, peers } from './peers.mjs';
import { raisePriority } from './quiet.mjs';
import { markdown } from './report.mjs';
import { describeMachine, latestResults, mergeResults, revision } from './results.mjs';

process.exit(await main(readOptions()));

/** @returns the exit code: 1 when a peer was in error */
async function main(options) {
  if (options.table) {
    const latest = latestResults();
    console.log(latest ? markdown(latest, measures) : 'There are no results yet.');
    return 0;
  }
  raisePriority();
  const { adapter, versions, cells } = await measureAll(options);
  const date = new Date().toISOString().slice(0, 10);
  const results = { date, revision: revision(), machine: describeMachine(adapter), versions, cells };
  const written = options.quick || options.peers ? null : mergeResults(results);
  console.log(options.json ? JSON.stringify(results, null, 1) : `\n${markdown(written?.results ?? results, measures)}`);
  if (written) console.error(`\nwritten: ${written.file}`);
  return cells.some(({ error }) => error?.startsWith('ERROR')) ? 1 : 0;
}

/** Finds the WebGPU adapter that Dawn takes here, and has all peers take the same. */
function useAdapter() {
  const found = probeGpu();
  if (found?.icd) process.env.VK_ICD_FILENAMES = found.icd;
  return found?.adapter ?? null;
}

async function measureAll({ quick, rounds, threads, batches, ...options }) {
  const versions = {};
  const cells = [];
  let adapter = options.devices.includes('webgpu') ? useAdapter() : null;
  const noteVersion = ({ peer, facts }) => {
    if (facts.version) versions[peer.id] = facts.version;
    if (peer.id === ours.webgpu) adapter = facts.device; // the same one, in more words
  };

  /** The peer's process: the one that is open, or a new one. */
  const open = new Map();
  const processOf = async (peer, key = peer.id) => {
    if (!open.get(key)?.isAlive) {
      const child = new PeerProcess(peer, threads);
      await child.open();
      noteVersion(child);
      open.set(key, child);
    }
    return open.get(key);
  };
  const references = new Map();
  const reference = async (which) => {
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
  };

  const context = {
    ...{
      quick,
      rounds,
      batches,
      networks: options.networks,
      threads,
      hardware: adapter?.endsWith('(hardware)') ?? false,
    },
    ...{ process: processOf, reference, noteVersion, progress, slowness: new Slowness() },
    pictures: { count: options.pictures, width: 640, height: 480 },
    peers: peers.filter((peer) => (options.peers ? options.peers.includes(peer.id) : !(quick && peer.slow))),
    /**
     * Milliseconds: a peer's work in one round; what a slow one may take in all; how long a step may be to be measured;
     * what may be spent on waiting for a quiet machine.
     */
    ...(quick
      ? { chunk: 100, slowBudget: 20_000, tooSlow: 5_000, patience: 15_000 }
      : { chunk: 150, slowBudget: 60_000, tooSlow: 15_000, patience: 180_000 }),
  };
  for (const measure of measures.filter(({ id }) => options.measures.includes(id))) {
    for (const device of options.devices) {
      await measure.run(context, device, (found) => cells.push(...found.map((cell) => ({ ...cell, device }))));
    }
  }
  progress('');
  return { adapter, versions, cells };
}

/** One line that is written over on a terminal, lines in a file. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text) process.stderr.write(`${text}\n`);
}
