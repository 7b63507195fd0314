/**
 * Group.sum between hosts that are network namespaces, with so much bandwidth and delay: what the model of cost in docs/scale.md is fitted
 * to. `node bench/mpi/hosts.mjs`, as root on Linux, after npm run build.
 */
import { fileURLToPath } from 'node:url';
import { openHosts } from '../../scripts/hosts/hosts.mjs';

const program = fileURLToPath(new URL('allreduce.mjs', import.meta.url));
const networks = [
  { name: '100 Mbit/s', rate: '100mbit' },
  { name: '1 Gbit/s', rate: '1gbit' },
  { name: '5 ms', relay: { delay: 5, loss: 0 } },
];
for (const count of [2, 4]) {
  for (const { name, rate, relay = null } of networks) {
    const hosts = openHosts({ count, relay });
    try {
      if (rate) for (let host = 0; host < count; host++) hosts.limit(host, rate);
      const job = hosts.start(['node', program, '15', '4,65536,524288,3252868'], { output: 'pipe' });
      let said = '';
      job.stdout.on('data', (data) => (said += data));
      const code = await new Promise((resolve) => job.once('close', resolve));
      console.log(`${count} hosts, ${name} (ended with ${code})\n${said.trim()}`);
    } finally {
      hosts.close();
    }
  }
}
