/**
 * A training over hosts that are network namespaces, and what comes of each misfortune: how the job ends, after how long, and whether the
 * run goes on to the same bits. `node scripts/hosts/try-hosts.mjs [--hosts 2] [--only kill,stop]`; as root, after npm run build. Prints
 * one JSON object a line.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { root } from '../steps.mjs';
import { openHosts } from './hosts.mjs';

const main = join(root, 'dist/cli/main.js');
const EPOCHS = 12;
/** Seconds that ranks wait for each other: where one is to be missed, and where the network is merely poor, on a machine that may be busy. */
const STALL = { missed: 5, slow: 60 };
/** Seconds after which a try counts as one that hangs. */
const HANGS = 300;

/** What happens to the job once it has made an epoch; `slow`: it goes on. */
const misfortunes = {
  none: {},
  kill: { act: (hosts, last) => hosts.processes(last, main).forEach((pid) => process.kill(pid, 'SIGKILL')) },
  stop: { act: (hosts, last) => hosts.processes(last, main).forEach((pid) => process.kill(pid, 'SIGSTOP')) },
  cut: { act: (hosts, last) => hosts.setLink(last, 'down') },
  cutManaged: { management: true, act: (hosts, last) => hosts.setLink(last, 'down') },
  cutAndMended: {
    slow: true,
    act: async (hosts, last) => {
      hosts.setLink(last, 'down');
      await wait(2500);
      hosts.setLink(last, 'up');
    },
  },
  narrow: {
    slow: true,
    before: (hosts, count) => Array.from({ length: count }, (_, host) => hosts.limit(host, '100mbit')),
  },
  delayed: { slow: true, relay: { delay: 5, loss: 0 } },
  lossy: { slow: true, relay: { delay: 1, loss: 0.01 } },
};

const { values } = parseArgs({ options: { hosts: { type: 'string', default: '2' }, only: { type: 'string' } } });
const count = Number(values.hosts);
const folder = mkdtempSync(join(tmpdir(), 'beltnet-try-hosts-'));
process.env.BELTNET_CACHE = join(folder, 'cache');
process.chdir(folder);
if (!existsSync('belt')) spawnSync(process.execPath, [main, 'synth', 'belt', '--count', '240', '--size', '64x48']);

const train = (name, stall) => [
  ...['node', main, 'train', 'belt', '--epochs', String(EPOCHS), '--size', '32x32', '--alert-class', 'gap'],
  ...['--shear', '5deg', '--horizontal-flip', '--class-weight', 'balanced', '--checkpoint-seconds', '0'],
  ...['--threads', '1', '--name', name, '--distributed', '--stall-seconds', String(stall)],
];
const resume = (name) => [
  'node',
  main,
  'train',
  '--resume',
  join('runs', name),
  '--distributed',
  '--stall-seconds',
  '60',
];
const hashOf = (name) =>
  createHash('sha256')
    .update(readFileSync(join('runs', name, 'last.safetensors')))
    .digest('hex')
    .slice(0, 16);
const epochsOf = (name) =>
  existsSync(join('runs', name, 'results.csv'))
    ? readFileSync(join('runs', name, 'results.csv'), 'utf8')
        .trim()
        .split('\n').length - 1
    : 0;

/** @returns how the job ended; what it said */
async function run(hosts, command, act) {
  let said = '';
  const job = hosts.start(command);
  const ended = new Promise((resolve) => job.on('exit', (code, signal) => resolve(code ?? signal)));
  const heard = new Promise((resolve) => job.on('close', resolve));
  job.stdout.on('data', (data) => (said += data));
  job.stderr.on('data', (data) => (said += data));
  let struck = performance.now();
  if (act) {
    while (!/Epoch 3/.test(said) && job.exitCode === null) await wait(20);
    struck = performance.now();
    await act();
  }
  const code = await Promise.race([ended, wait(HANGS * 1000, 'hangs')]);
  const seconds = (performance.now() - struck) / 1000;
  if (code === 'hangs') process.kill(-job.pid, 'SIGKILL');
  await Promise.race([heard, wait(3000)]);
  return { code, seconds: Number(seconds.toFixed(1)), said };
}

let whole = null;
let failed = false;
try {
  for (const [name, { management = false, relay = null, slow = false, act, before }] of Object.entries(misfortunes)) {
    if (values.only && name !== 'none' && !values.only.split(',').includes(name)) continue;
    const hosts = openHosts({ count, management, relay });
    try {
      before?.(hosts, count);
      const { said, ...first } = await run(
        hosts,
        train(name, slow ? STALL.slow : STALL.missed),
        act && (() => act(hosts, count - 1)),
      );
      const after = epochsOf(name);
      const result = { misfortune: name, hosts: count, ...first, epochs: after };
      const watchdog = /beltnet: (rank \d+, step \d+: .*?);/.exec(said);
      if (watchdog) result.watchdog = watchdog[1];
      if (first.code !== 0) {
        hosts.close();
        const again = openHosts({ count });
        try {
          const resumed = await run(again, resume(name));
          result.resumed = resumed.code;
          if (resumed.code !== 0) result.resumeSaid = resumed.said.slice(-400);
        } finally {
          again.close();
        }
      }
      if (name === 'none') whole = hashOf(name);
      result.sameBits = existsSync(join('runs', name, 'last.safetensors')) && hashOf(name) === whole;
      if (first.code === 'hangs' || !result.sameBits) {
        failed = true;
        result.said = said.slice(-600);
      }
      console.log(JSON.stringify(result));
    } finally {
      hosts.close();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
