/** The CPU device in Node, with worker threads; this file is also their program. */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { isMainThread, workerData } from 'node:worker_threads';
import { startWorker } from '../../worker-thread.node.js';
import { CpuDevice, MOST_THREADS } from './cpu-device.js';
import { serve, type StartThread, type ThreadData } from './cpu-threads.js';
import type { OpenDeviceOptions } from '../open-device.js';

const MARK = 'beltnet cpu thread';

const startThread: StartThread = (data) => {
  const worker = startWorker('tensor/cpu/cpu-thread.node', { workerData: { ...data, mark: MARK } });
  worker.unref();
  // A helper that cannot run is no loss: the parts of every step are done by those that can.
  worker.on('error', () => undefined);
  return { terminate: () => void worker.terminate() };
};

/** The CPU device with worker threads, one per processor core if not told otherwise. */
export function openNodeCpuDevice(options: OpenDeviceOptions = {}): Promise<CpuDevice> {
  // Node 20's engine has relaxed SIMD (fused multiply-add) complete but behind a flag; later ones have it without.
  if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-relaxed-simd');
  const threads = Math.min(MOST_THREADS, availableParallelism());
  return CpuDevice.open({ threads, startThread, ...options });
}

const data = workerData as (ThreadData & { mark?: string }) | null;
if (!isMainThread && data?.mark === MARK) void serve(data);
