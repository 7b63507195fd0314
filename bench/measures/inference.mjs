/** Scores of a batch in memory, back on the host. */
import { measureInTurns } from '../interleaved.mjs';
import { ours } from '../peers.mjs';

export const inference = {
  id: 'inference',
  tables: [{ id: 'inference', title: 'Inference, ms', ours }],
  async run(context, device, save) {
    const candidates = context.peers.filter((peer) => peer.device === device);
    for (const batch of context.batches ?? [1, 32, 128]) {
      await save(await measureInTurns(context, 'inference', 'infer', { batch }, candidates));
    }
  },
};
