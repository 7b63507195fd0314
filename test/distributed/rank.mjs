// One rank of a test: adds up and, if its argument says so, does as ranks should not: 'stop 1' stops rank 1 in the midst.
import { openMpiGroup } from '../../dist/src/index.node.js';

const [fault = 'none', faulty] = process.argv.slice(2);
try {
  const group = await openMpiGroup({ stallSeconds: 2 });
  const floats = Float32Array.of(group.rank + 1, 0.5);
  group.sum(floats, 'figures');
  const doubles = new Float64Array(new SharedArrayBuffer(16)).fill(2 ** -40 * group.rank); // memory of the cpu device is shared
  group.sum(doubles, 'figures');
  const bytes = Uint8Array.of(group.rank + 7, 1);
  group.broadcast(bytes, 'start');
  process.stdout.write(
    `${JSON.stringify({ size: group.size, floats: [...floats], doubles: [...doubles], bytes: [...bytes] })}\n`,
  );
  group.at(12);
  if (group.rank === Number(faulty)) {
    if (fault === 'stop') process.kill(process.pid, 'SIGSTOP');
    if (fault === 'exit') process.exit(0);
    if (fault === 'fail') throw new Error('something of its own');
  }
  group.sum(floats, 'gradients and figures');
  await group.close();
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = error.exitCode ?? 1;
}
