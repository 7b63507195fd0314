/** One training step on batches in memory: forward, backward, Adam. */
import { measureInTurns } from '../interleaved.mjs';
import { ours } from '../peers.mjs';

export const trainStep = {
  id: 'train-step',
  tables: [{ id: 'train-step', title: 'Training step, ms', ours }],
  async run(context, device, save) {
    const candidates = context.peers.filter((peer) => peer.device === device && peer.trains !== false);
    const sizes = device === 'webgpu' && context.hardware ? [10, 32, 128, 512] : [10, 32, 128];
    for (const batch of context.batches ?? sizes) {
      await save(await measureInTurns(context, 'train-step', 'step', { batch }, candidates));
    }
  },
};
