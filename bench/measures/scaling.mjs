/** The training step with larger pictures, and with more filters and units. */
import { measureInTurns } from '../interleaved.mjs';
import { ours } from '../peers.mjs';

const BATCH = 32;

export const scaling = {
  id: 'scaling',
  tables: [{ id: 'scaling', title: `Training step at batch ${BATCH}, ms`, ours }],
  async run(context, device, save) {
    const candidates = context.peers.filter((peer) => peer.device === device && peer.strong);
    const sizes = context.quick ? [32, 128] : [32, 64, 128, 224];
    const widths = context.quick ? [2] : [2, 4];
    const cases = [...sizes.map((size) => ({ size, width: 1 })), ...widths.map((width) => ({ size: 64, width }))];
    for (const one of cases) {
      await save(await measureInTurns(context, 'scaling', 'step', { batch: BATCH, ...one }, candidates));
    }
  },
};
