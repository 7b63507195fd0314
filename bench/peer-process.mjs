/**
 * A peer at work: a child process of its own, so that thread pools and memory are nobody else's. While it is idle it is
 * stopped (SIGSTOP), so that threads which spin for their next task take nothing from the peer that is measured.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** Longest that one request may take. */
const PATIENCE = 15 * 60_000;

/** No figure, and no defect: a peer that is not on this machine, or cannot do what is asked. */
export class NotMeasured extends Error {}

/** The Python that has the peers' packages: BELTNET_BENCH_PYTHON, or that of bench/.venv. */
export function benchPython() {
  if (process.env.BELTNET_BENCH_PYTHON) return process.env.BELTNET_BENCH_PYTHON;
  return [join(folder, '.venv/bin/python'), join(folder, '.venv/Scripts/python.exe')].find((path) => existsSync(path));
}

/**
 * All cores for each peer, CUDA only for who asks for it. And glibc's malloc keeps the memory that is freed: otherwise
 * it hands large tensors back to the system after every step, which makes PyTorch's step twice as long.
 */
function environment({ open }, threads) {
  return {
    ...process.env,
    OMP_NUM_THREADS: String(threads),
    MALLOC_TRIM_THRESHOLD_: String(2 ** 32),
    MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
    TF_CPP_MIN_LOG_LEVEL: '3',
    PYTHONDONTWRITEBYTECODE: '1',
    ...(open.device !== 'cuda' && { CUDA_VISIBLE_DEVICES: '' }),
  };
}

const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL'); // also ends those that are stopped
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

export class PeerProcess {
  /** What the peer says of itself: { version, device, steps, adam }, once it is open. */
  facts;
  #threads;
  #child;
  #lines;
  #stderr = '';
  #ended;
  #canStop = process.platform !== 'win32';

  /** @param peer of peers.mjs @param threads that it may use */
  constructor(peer, threads) {
    this.peer = peer;
    this.#threads = threads;
    const path = join(folder, 'peers', peer.program);
    const command = peer.program.endsWith('.py') ? benchPython() : process.execPath;
    if (!command) throw new NotMeasured('not installed: no Python environment, see bench/README.md');
    this.#child = spawn(command, [path], { env: environment(peer, threads), stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#ended = once(this.#child, 'close').then(([code, signal]) => {
      running.delete(this.#child);
      return signal ?? `exit code ${code}`;
    });
    this.#child.stdin.on('error', () => {}); // the missing reply tells
    this.#child.stderr.on('data', (text) => (this.#stderr = (this.#stderr + text).slice(-2000)));
    this.#child.on('error', (error) => (this.#stderr += error.message));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** False once the process is gone. */
  get isAlive() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async open() {
    this.facts = await this.call('open', { ...this.peer.open, threads: this.#threads });
    return this.facts;
  }

  /** @returns the request's result @throws NotMeasured, or an Error with what the peer or its process said */
  async call(method, parameters = {}) {
    this.#signal('SIGCONT');
    this.#child.stdin.write(`${JSON.stringify({ method, ...parameters })}\n`);
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE, { late: true })));
    const line = await Promise.race([this.#lines.next(), late]);
    clearTimeout(timer);
    if (line.late) {
      this.stop();
      throw new Error(`${method}: no reply in ${PATIENCE / 60_000} minutes`);
    }
    if (line.done)
      throw new Error(`its process ended (${await this.#ended}) ${this.#stderr.trim().split('\n').at(-1)}`);
    const { result, error, missing, unsupported } = JSON.parse(line.value);
    if (missing) throw new NotMeasured(`not installed: ${error.split('\n')[0]}`);
    if (unsupported) throw new NotMeasured(error);
    if (error) throw new Error(error.split('\n')[0]);
    return result;
  }

  /** Halts the process until the next call. */
  pause() {
    this.#signal('SIGSTOP');
  }

  #signal(name) {
    if (this.#canStop) this.#child.kill(name);
  }

  stop() {
    this.#child.kill('SIGKILL');
  }
}
