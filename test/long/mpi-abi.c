/*
 * The binary interface of MPI 5 over Open MPI 4, as far as beltnet uses it: a library that refuses whatever is none of that interface.
 * Numbers are those of mpi.h of github.com/mpi-forum/mpi-abi-stubs (version 1.0 of the interface). cc -shared -fPIC mpi-abi.c -ldl
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMM_WORLD = 0x101, SUM = 0x21, FLOAT = 0x210, DOUBLE = 0x214, BYTE = 0x247 };
enum { IN_PLACE = 1, THREAD_SINGLE = 0, THREAD_FUNNELED = 1024, THREAD_SERIALIZED = 2048, THREAD_MULTIPLE = 4096 };

static void *open_mpi(const char *name) {
  static void *library;
  if (!library) library = dlopen("libmpi.so.40", RTLD_NOW | RTLD_GLOBAL);
  void *found = library ? dlsym(library, name) : 0;
  if (!found) {
    fprintf(stderr, "mpi-abi: no %s in Open MPI's library\n", name);
    exit(98);
  }
  return found;
}

static void *refuse(const char *what, intptr_t value) {
  fprintf(stderr, "mpi-abi: %s %ld is none of MPI 5\n", what, (long)value);
  exit(97);
}

static void *communicator(intptr_t given) {
  return given == COMM_WORLD ? open_mpi("ompi_mpi_comm_world") : refuse("communicator", given);
}

static void *type(intptr_t given) {
  if (given == FLOAT) return open_mpi("ompi_mpi_float");
  if (given == DOUBLE) return open_mpi("ompi_mpi_double");
  return given == BYTE ? open_mpi("ompi_mpi_byte") : refuse("type", given);
}

static void *operation(intptr_t given) {
  return given == SUM ? open_mpi("ompi_mpi_op_sum") : refuse("operation", given);
}

int MPI_Abi_get_version(int *major, int *minor) {
  *major = 1;
  *minor = 0;
  return 0;
}

int MPI_Get_library_version(char *version, int *length) {
  strcpy(version, "MPI 5 over Open MPI");
  *length = (int)strlen(version);
  return 0;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
  static const int levels[] = {THREAD_SINGLE, THREAD_FUNNELED, THREAD_SERIALIZED, THREAD_MULTIPLE};
  int (*init)(int *, char ***, int, int *) = open_mpi("MPI_Init_thread");
  int level = 0;
  while (level < 4 && levels[level] != required) level++;
  if (level == 4) refuse("level of threads", required);
  int code = init(argc, argv, level, &level);
  *provided = levels[level];
  return code;
}

int MPI_Finalize(void) {
  int (*finalize)(void) = open_mpi("MPI_Finalize");
  return finalize();
}

int MPI_Comm_size(intptr_t comm, int *size) {
  int (*comm_size)(void *, int *) = open_mpi("MPI_Comm_size");
  return comm_size(communicator(comm), size);
}

int MPI_Comm_rank(intptr_t comm, int *rank) {
  int (*comm_rank)(void *, int *) = open_mpi("MPI_Comm_rank");
  return comm_rank(communicator(comm), rank);
}

int MPI_Barrier(intptr_t comm) {
  int (*barrier)(void *) = open_mpi("MPI_Barrier");
  return barrier(communicator(comm));
}

int MPI_Abort(intptr_t comm, int code) {
  int (*abort)(void *, int) = open_mpi("MPI_Abort");
  return abort(communicator(comm), code);
}

int MPI_Bcast(void *values, int count, intptr_t of, int root, intptr_t comm) {
  int (*bcast)(void *, int, void *, int, void *) = open_mpi("MPI_Bcast");
  return bcast(values, count, type(of), root, communicator(comm));
}

int MPI_Allreduce(const void *from, void *into, int count, intptr_t of, intptr_t by, intptr_t comm) {
  int (*allreduce)(const void *, void *, int, void *, void *, void *) = open_mpi("MPI_Allreduce");
  if ((intptr_t)from != IN_PLACE) refuse("buffer", (intptr_t)from);
  return allreduce((void *)1, into, count, type(of), operation(by), communicator(comm));
}
