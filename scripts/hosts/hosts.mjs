/**
 * Machines within this one: network namespaces with names and addresses of their own, joined by a bridge, or by a relay that delays and
 * loses frames (this needs no netem in the kernel). mpirun starts its daemons in them as it would over ssh. As root, on Linux.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PREFIX = 'beltnet-h';
const here = dirname(fileURLToPath(import.meta.url));

function ip(...args) {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}

const within = (host, ...command) =>
  spawnSync('ip', ['netns', 'exec', `${PREFIX}${host}`, ...command], { encoding: 'utf8' });

/** What Open MPI starts its daemons with, in place of ssh: `agent ADDRESS COMMAND…`. */
const AGENT = `#!/bin/sh
host=$(( \${1##*.} - 1 )); shift
exec ip netns exec ${PREFIX}$host unshare --uts sh -c "hostname h$host; $*"
`;

/**
 * @param options.count of hosts
 * @param options.management whether they have a second network, for mpirun's own words
 * @param options.relay delay (ms, one way) and loss (share of frames) of the network; without: a bridge
 */
export function openHosts({ count, management = false, relay = null }) {
  const folder = mkdtempSync(join(tmpdir(), 'beltnet-hosts-'));
  const agent = join(folder, 'agent');
  writeFileSync(agent, AGENT);
  chmodSync(agent, 0o755);
  const hosts = Array.from({ length: count }, (_, host) => host);
  const networks = [{ name: 'd', prefix: '10.77.0.' }, ...(management ? [{ name: 'm', prefix: '10.78.0.' }] : [])];
  let relaying = null;

  const close = () => {
    relaying?.kill('SIGKILL');
    for (const host of hosts) {
      const { stdout } = spawnSync('ip', ['netns', 'pids', `${PREFIX}${host}`], { encoding: 'utf8' });
      for (const pid of stdout.split('\n').filter(Boolean)) spawnSync('kill', ['-KILL', pid]);
      for (const { name } of networks) spawnSync('ip', ['link', 'del', `bn${name}${host}`]);
      spawnSync('ip', ['netns', 'del', `${PREFIX}${host}`]);
    }
    for (const { name } of networks) spawnSync('ip', ['link', 'del', `bn${name}`]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const host of hosts) {
      spawnSync('ip', ['netns', 'del', `${PREFIX}${host}`]);
      ip('netns', 'add', `${PREFIX}${host}`);
      within(host, 'ip', 'link', 'set', 'lo', 'up');
      // A cut connection is given up after about a second and a half, not after a quarter of an hour.
      within(host, 'sysctl', '-qw', 'net.ipv4.tcp_retries2=4');
    }
    for (const { name, prefix } of networks) {
      const bridge = `bn${name}`;
      const isRelayed = relay !== null && name === 'd';
      if (!isRelayed) {
        spawnSync('ip', ['link', 'del', bridge]);
        ip('link', 'add', bridge, 'type', 'bridge');
        ip('link', 'set', bridge, 'up');
        for (const host of hosts) {
          const outer = `bn${name}${host}`;
          ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', `${name}0`, 'netns', `${PREFIX}${host}`);
          ip('link', 'set', outer, 'master', bridge, 'up');
        }
      } else {
        const args = [join(here, 'relay.py'), String(relay.delay), String(relay.loss)];
        relaying = spawn('python3', [...args, ...hosts.map((host) => `${PREFIX}${host}`)], {
          stdio: ['ignore', 'inherit', 'inherit'],
        });
        // It makes the devices.
        for (
          let tries = 0;
          tries < 100 && hosts.some((host) => within(host, 'ip', 'link', 'show', 'd0').status !== 0);
          tries++
        )
          spawnSync('sleep', ['0.1']);
      }
      for (const host of hosts) {
        within(host, 'ip', 'addr', 'add', `${prefix}${host + 1}/24`, 'dev', `${name}0`);
        within(host, 'ip', 'link', 'set', `${name}0`, 'up');
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    close,
    /** mpirun on host 0, a rank on each host. @param environment of the ranks */
    start(command, { environment = {}, output = 'pipe' } = {}) {
      const words = networks.at(-1);
      const mca = Object.entries({
        plm_rsh_agent: agent,
        pml: 'ob1',
        btl: 'tcp,self',
        btl_tcp_if_include: '10.77.0.0/24',
        oob_tcp_if_include: `${words.prefix}0/24`,
        mpi_yield_when_idle: '1',
      }).flatMap(([name, value]) => ['--mca', name, value]);
      const addresses = hosts.map((host) => `${words.prefix}${host + 1}`).join();
      const passed = Object.entries(environment).flatMap(([name, value]) => ['-x', `${name}=${value}`]);
      const args = ['--allow-run-as-root', '--host', addresses, '--map-by', 'node', ...mca, ...passed, ...command];
      const inHost = [
        'netns',
        'exec',
        `${PREFIX}0`,
        'unshare',
        '--uts',
        'sh',
        '-c',
        'hostname h0; exec mpirun "$@"',
        'sh',
      ];
      return spawn('ip', [...inHost, ...args], {
        stdio: ['ignore', output, output],
        env: { ...process.env, ...environment },
        detached: true,
      });
    },
    /** Processes of a host whose command line has this word. */
    processes(host, word) {
      const { stdout } = spawnSync('ip', ['netns', 'pids', `${PREFIX}${host}`], { encoding: 'utf8' });
      return stdout
        .split('\n')
        .filter(Boolean)
        .filter((pid) => {
          const { stdout: line } = spawnSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8' });
          return line.startsWith('node') && line.includes(word);
        })
        .map(Number);
    },
    setLink: (host, state) => ip('link', 'set', `bnd${host}`, state),
    /** Bits a second that a host may send. */
    limit: (host, rate) =>
      within(
        host,
        'tc',
        'qdisc',
        'replace',
        'dev',
        'd0',
        'root',
        'tbf',
        'rate',
        rate,
        'burst',
        '64kb',
        'latency',
        '200ms',
      ),
  };
}
