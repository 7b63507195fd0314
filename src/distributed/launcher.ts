/** What the launcher of a job (mpirun, mpiexec, srun) tells each process in its environment. */
import { expectObject, expectText } from '../expect.js';

/** A process among those of its job, as the launcher means it. */
export interface LaunchedPlace {
  readonly launcher: 'Open MPI' | 'MPICH' | 'Slurm';
  readonly rank: number;
  readonly size: number;
  /** Among those on the same machine; 0 of 1 where the launcher does not tell. */
  readonly localRank: number;
  readonly localSize: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** By launcher: rank, size, local rank and local size. Slurm's come last: mpirun runs within its jobs, too. */
const variables = [
  {
    launcher: 'Open MPI',
    names: ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_LOCAL_SIZE'],
  },
  { launcher: 'MPICH', names: ['PMI_RANK', 'PMI_SIZE', 'MPI_LOCALRANKID', 'MPI_LOCALNRANKS'] },
  { launcher: 'Slurm', names: ['SLURM_PROCID', 'SLURM_STEP_NUM_TASKS', 'SLURM_LOCALID', 'SLURM_TASKS_PER_NODE'] },
] as const;

/** Null where no launcher started this process. */
export function launchedPlace(environment: Environment): LaunchedPlace | null {
  expectObject(environment, 'launchedPlace: environment');
  for (const { launcher, names } of variables) {
    // Slurm's last one may be a list: '4(x2),3'.
    const [rank, size, localRank, localSize] = names.map((name) => {
      const value = environment[name] ?? '';
      expectText(value, `launchedPlace: ${name}`);
      return Number.parseInt(value, 10);
    });
    if (Number.isNaN(rank) || Number.isNaN(size)) continue;
    const isLocal = !Number.isNaN(localRank) && !Number.isNaN(localSize) && localRank < localSize;
    return { launcher, rank, size, localRank: isLocal ? localRank : 0, localSize: isLocal ? localSize : 1 };
  }
  return null;
}
