/** A peer that trains, but something else: its losses are not those of the problem. */
import { serve } from '../../bench/peers/serve.mjs';

await serve({
  open: () => ({ steps: ['wrong'], adam: ['pytorch'] }),
  prepare() {},
  restart() {},
  step: () => ({ milliseconds: 1, loss: 0.69 }),
});
