/** Other networks than the mission's: a training step, scores, and the memory that a training step takes. */
import { measureInTurns } from '../interleaved.mjs';
import { NotMeasured, PeerProcess } from '../peer-process.mjs';
import { inferenceBatches, networkBatches } from '../networks.mjs';
import { ours } from '../peers.mjs';
import { adamFor, writeProblem } from '../problem.mjs';

const MEMORY_STEPS = 5;

export const networks = {
  id: 'networks',
  tables: [
    { id: 'network-step', title: 'Training step, ms', ours },
    { id: 'network-inference', title: 'Inference, ms', ours },
    { id: 'network-memory', title: 'Memory of a training step, MB', ours },
  ],
  async run(context, device, save) {
    const candidates = context.peers.filter((peer) => peer.device === device && !peer.slow);
    const trained = candidates.filter(({ trains }) => trains !== false);
    for (const [network, usual] of Object.entries(networkBatches)) {
      if (context.networks && !context.networks.includes(network)) continue;
      for (const size of context.batches ?? inferenceBatches(network)) {
        const one = { network, batch: size };
        await save(await measureInTurns(context, 'network-inference', 'infer', one, candidates));
      }
      if (usual === null) continue;
      const [batch] = context.batches ?? [usual];
      await save(await measureInTurns(context, 'network-step', 'step', { network, batch }, trained));
      await save(await measureMemory(context, { network, batch }, trained));
    }
  },
};

/** Peak resident size of some steps less that before the network is there, each in a process of its own. */
async function measureMemory(context, one, candidates) {
  const directory = await writeProblem(one);
  const cells = [];
  for (const peer of candidates) {
    context.progress(`network-memory ${one.network}: ${peer.id}`);
    const cell = { measure: 'network-memory', one, peer: peer.id };
    let child;
    try {
      child = new PeerProcess(peer, context.threads);
      const { steps, adam: forms = ['pytorch'] } = await child.open();
      const before = (await child.call('memory')).peakBytes;
      await child.call('prepare', { directory, batch: one.batch, adam: { ...adamFor(one.network), form: forms[0] } });
      await child.call('restart');
      await child.call('step', { way: steps[0], warm: 0, count: MEMORY_STEPS });
      const megabytes = ((await child.call('memory')).peakBytes - before) / 1e6;
      cells.push({ ...cell, median: megabytes, samples: [megabytes], disturbed: 0 });
    } catch (error) {
      cells.push({ ...cell, error: error instanceof NotMeasured ? error.message : `ERROR: ${error.message}` });
    } finally {
      child?.stop();
    }
  }
  return cells;
}
