/**
 * A group over the machine's MPI library, called through koffi: blocking collectives from the main thread alone, on the memory of the
 * arrays themselves. Libraries differ in what handles are (pointers in Open MPI, integers in MPICH and its kin, small constants in
 * the binary interface of MPI 5); the functions are the same.
 */
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { BeltnetError, UsageError } from '../errors.js';
import { expectObject } from '../expect.js';
import type { Group, Purpose, Summands } from './group.js';
import { launchedPlace, type LaunchedPlace } from './launcher.js';
import { Watchdog } from './watchdog.node.js';

/** What of koffi is used. */
interface Koffi {
  load(path: string, options?: object): Library;
}
interface Library {
  func(prototype: string): (...given: unknown[]) => number;
  symbol(name: string): unknown;
}

/** What a library takes for the names of the standard. */
interface BinaryInterface {
  /** Of communicators, types and operations, in C. */
  readonly handle: 'uintptr_t' | 'int';
  readonly world: unknown;
  readonly sum: unknown;
  readonly float: unknown;
  readonly double: unknown;
  readonly byte: unknown;
  readonly inPlace: bigint;
  /** MPI_THREAD_FUNNELED: the thread that starts MPI alone calls it. */
  readonly threadFunneled: number;
}

/** MPI 5.0, chapter 20; numbers as in mpi.h of github.com/mpi-forum/mpi-abi-stubs. */
const standard: BinaryInterface = {
  handle: 'uintptr_t',
  world: 0x101,
  sum: 0x21,
  float: 0x210,
  double: 0x214,
  byte: 0x247,
  inPlace: 1n,
  threadFunneled: 1024,
};

/** MPICH, and Intel MPI, MVAPICH and Cray's, which share its binary interface. */
const mpich: BinaryInterface = {
  handle: 'int',
  world: 0x44000000,
  sum: 0x58000003,
  float: 0x4c00040a,
  double: 0x4c00080b,
  byte: 0x4c00010d,
  inPlace: -1n,
  threadFunneled: 1,
};

const openMpi = (library: Library): BinaryInterface => ({
  handle: 'uintptr_t',
  world: library.symbol('ompi_mpi_comm_world'),
  sum: library.symbol('ompi_mpi_op_sum'),
  float: library.symbol('ompi_mpi_float'),
  double: library.symbol('ompi_mpi_double'),
  byte: library.symbol('ompi_mpi_byte'),
  inPlace: 1n,
  threadFunneled: 1,
});

const LONGEST_VERSION = 8192;

/** Names to try, the launcher's own library first. */
function candidates({ launcher }: LaunchedPlace): readonly string[] {
  const named = process.env['MPI_LIBRARY'];
  if (named) return [named];
  const byPlatform = process.platform === 'darwin' ? ['libmpi.dylib', 'libmpich.dylib', 'libmpi_abi.1.dylib'] : [];
  const open = ['libmpi.so.40'];
  const others = ['libmpich.so.12', 'libmpi.so.12']; // the second is Intel's and Cray's
  const standards = ['libmpi_abi.so.1', 'libmpi_abi.so.0']; // the second before MPI 5 was final
  return [...byPlatform, ...(launcher === 'MPICH' ? [...others, ...open] : [...open, ...others]), ...standards];
}

function load(koffi: Koffi, place: LaunchedPlace): Library {
  const failures: string[] = [];
  for (const name of candidates(place)) {
    try {
      return koffi.load(name, { global: true }); // Open MPI's own parts look for its symbols
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  throw new UsageError(
    `--distributed: expects an MPI library, found none (${failures.join('; ')}); install Open MPI (Debian: openmpi-bin), or set MPI_LIBRARY to its path`,
  );
}

function has(library: Library, symbol: string): boolean {
  try {
    library.symbol(symbol);
    return true;
  } catch {
    return false;
  }
}

function versionOf(library: Library): string {
  const text = new Uint8Array(LONGEST_VERSION);
  library.func('int MPI_Get_library_version(void *, void *)')(text, new Int32Array(1));
  const [line] = Buffer.from(text.subarray(0, text.indexOf(0)))
    .toString('latin1')
    .split(/[\n,]/);
  return line.replaceAll(/\s+/g, ' ').trim();
}

function interfaceOf(library: Library, version: string): BinaryInterface {
  if (has(library, 'MPI_Abi_get_version')) {
    const [major, minor] = [new Int32Array(1), new Int32Array(1)];
    library.func('int MPI_Abi_get_version(void *, void *)')(major, minor);
    if (major[0] >= 1) return standard;
  }
  if (has(library, 'ompi_mpi_comm_world')) return openMpi(library);
  if (/MPICH|Intel|CRAY|MVAPICH/i.test(version)) return mpich;
  throw new UsageError(
    `--distributed: expects Open MPI, MPICH or its kin, or a library with the interface of MPI 5, got ${version}; set MPI_LIBRARY to another`,
  );
}

async function importKoffi(): Promise<Koffi> {
  try {
    const { default: koffi } = await import('koffi');
    return koffi;
  } catch (error) {
    throw new UsageError(
      `--distributed: expects the package koffi, which calls the MPI library (${(error as Error).message}); install it: npm install koffi`,
    );
  }
}

export interface MpiOptions {
  /** A rank that waits longer than this for the others ends, and with it the job. */
  readonly stallSeconds: number;
}

/** A group, and where this process is among those of its machine. */
export interface MpiGroup extends Group {
  // Done when they return.
  sum(values: Summands, purpose: Purpose): void;
  broadcast(bytes: Uint8Array, purpose: Purpose): void;
  barrier(purpose: Purpose): void;
  readonly localRank: number;
  readonly localSize: number;
}

/**
 * Joins the job that this process was started in. From here on the process must not end without `close`: that ends all others.
 *
 * @throws UsageError without a launcher, without a library, and where the launcher and the library disagree on how many there are
 */
export async function openMpiGroup(options: MpiOptions): Promise<MpiGroup> {
  expectObject(options, 'openMpiGroup: options');
  const place = launchedPlace(process.env);
  if (!place)
    throw new UsageError(
      '--distributed: expects to be started by mpirun, mpiexec or srun (mpirun -n 4 beltnet train … --distributed), got a process of its own; leave it out to train alone',
    );
  const library = load(await importKoffi(), place);
  const watchdog = new Watchdog(place.rank, options.stallSeconds);
  try {
    return join(library, place, watchdog);
  } catch (error) {
    watchdog.stop();
    throw error;
  }
}

function join(library: Library, place: LaunchedPlace, watchdog: Watchdog): MpiGroup {
  const description = versionOf(library);
  const { handle, world, sum, float, double, byte, inPlace, threadFunneled } = interfaceOf(library, description);
  const bind = (name: string, types: string) => library.func(`int MPI_${name}(${types})`);
  /** Errors end the job by themselves, which is MPI's default; a code that comes back all the same does so here. */
  const check = (name: string, code: number): void => {
    if (code !== 0) throw new MpiError(`MPI_${name} failed with code ${code} (${description})`);
  };
  const number = (name: string): number => {
    const out = new Int32Array(1);
    check(name, bind(name, `${handle}, void *`)(world, out));
    return out[0];
  };

  // Where ranks outnumber cores, one that polls keeps the one that it waits for from its work.
  process.env['OMPI_MCA_mpi_yield_when_idle'] ??= '1';
  const provided = new Int32Array(1);
  const init = bind('Init_thread', 'void *, void *, int, void *');
  watchdog.during('start', 0, () => check('Init_thread', init(null, null, threadFunneled, provided)));
  const finalize = bind('Finalize', 'void');
  const size = number('Comm_size');
  if (size !== place.size) {
    finalize();
    throw new UsageError(
      `--distributed: the launcher (${place.launcher}) started ${place.size} processes, but the library, ${description}, sees ${size}: ` +
        "they do not belong together; use the mpirun of that library, or set MPI_LIBRARY to the path of the launcher's",
    );
  }
  const rank = number('Comm_rank');

  const allreduce = bind('Allreduce', `uintptr_t, void *, int, ${handle}, ${handle}, ${handle}`);
  const bcast = bind('Bcast', `void *, int, ${handle}, int, ${handle}`);
  const barrier = bind('Barrier', handle);
  const abort = bind('Abort', `${handle}, int`);
  let isOpen = true;
  // Node prints an error that nobody catches after its exit handlers, of which the one below does not return.
  process.on('uncaughtExceptionMonitor', (error) => {
    if (isOpen && process.listenerCount('uncaughtException') === 0) writeSync(2, `rank ${rank}: ${inspect(error)}\n`);
  });
  // Whatever ends this process early must end the others, which would wait for it.
  process.on('exit', (code) => {
    if (isOpen) abort(world, code || 1);
  });
  const meet = (purpose: Purpose): void => watchdog.during(purpose, 0, () => check('Barrier', barrier(world)));
  return {
    rank,
    size,
    description,
    localRank: place.localRank,
    localSize: place.localSize,
    sum(values: Summands, purpose: Purpose) {
      const type = values instanceof Float64Array ? double : float;
      watchdog.during(purpose, values.length, () =>
        check('Allreduce', allreduce(inPlace, values, values.length, type, sum, world)),
      );
    },
    broadcast(bytes: Uint8Array, purpose: Purpose) {
      watchdog.during(purpose, bytes.length, () => check('Bcast', bcast(bytes, bytes.length, byte, 0, world)));
    },
    barrier: meet,
    at: (step) => watchdog.at(step),
    close() {
      if (!isOpen) return Promise.resolve();
      meet('end'); // one that leaves before the others is noticed here
      isOpen = false;
      watchdog.during('end', 0, () => check('Finalize', finalize()));
      watchdog.stop();
      return Promise.resolve();
    },
    abort(exitCode) {
      abort(world, exitCode);
    },
  };
}

/** The library, or the network below it, failed. */
class MpiError extends BeltnetError {
  readonly exitCode = 6;
}
