/* What allreduce.mjs is compared with: the same call of the same library, from C. mpicc -O2 -shared -fPIC reduce.c -o reduce.so */
#include <mpi.h>

/* Adds up in place; gives the seconds that it took. */
double reduce(float *values, int count) {
  double start = MPI_Wtime();
  MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  return MPI_Wtime() - start;
}
