/**
 * Group.sum beside the same call from C, in the same processes, by turns: `mpirun -n 2 node bench/mpi/allreduce.mjs [calls [sizes]]`, after
 * npm run build. Needs mpicc (Debian: libopenmpi-dev). Medians of rank 0, in microseconds.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { openMpiGroup } from '../../dist/src/index.node.js';

const calls = Number(process.argv[2] ?? 200);
const sizes = (process.argv[3] ?? '4,64,1024,16384,65536,262144,1048576,3252868,8388608,33554432')
  .split(',')
  .map(Number);
/** The first ones touch the memory, and are not counted. */
const FIRST = 5;
const group = await openMpiGroup({ stallSeconds: 300 });
const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'beltnet-reduce-'));
const library = join(folder, 'reduce.so');
spawnSync('mpicc', ['-O2', '-shared', '-fPIC', join(here, 'reduce.c'), '-o', library], { stdio: 'inherit' });
const reduce = koffi.load(library).func('double reduce(void *, int)');
rmSync(folder, { recursive: true });

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
if (group.rank === 0)
  console.log(`${group.size} ranks, ${group.description}, medians of ${calls} calls\nbytes beltnet C ratio`);
for (const bytes of sizes) {
  const values = new Float32Array(bytes / 4).fill(1e-20);
  const times = { ours: [], c: [] };
  const turns = {
    ours() {
      const start = performance.now();
      group.sum(values, 'gradients and figures');
      return performance.now() - start;
    },
    c: () => reduce(values, values.length) * 1000,
  };
  for (let call = 0; call < calls + FIRST; call++) {
    for (const name of call % 2 === 0 ? ['ours', 'c'] : ['c', 'ours']) {
      group.barrier('start');
      const time = turns[name]();
      if (call >= FIRST) times[name].push(time * 1000);
    }
    values.fill(1e-20);
  }
  const [ours, c] = [median(times.ours), median(times.c)];
  if (group.rank === 0) console.log(`${bytes} ${ours.toFixed(1)} ${c.toFixed(1)} ${(ours / c).toFixed(2)}`);
}
await group.close();
