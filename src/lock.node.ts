/**
 * Who works in a folder. A process that makes something bit by bit (a run, practice pictures, a temporary store) keeps a
 * lock in its folder, so that a later one can tell what a dead process left from what a living one is about to finish.
 *
 * Process numbers come again, each container counts its own, and disks are shared between machines. So a lock holds the host,
 * its boot, the space in which processes are numbered, the number, and when that process started. Only of processes that
 * this one could see is it ever said that they are dead; what others left is named, never touched. One exception: who holds a lock
 * shows by the lock's time that it lives, and where another container of this very host and boot (one that Kubernetes has started again)
 * finds that it has not for ten minutes, it is dead.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, uptime } from 'node:os';
import { join } from 'node:path';

const LOCK = '.lock';
const LONGEST_LOCK = 4096;
const MILLISECONDS_BETWEEN_BEATS = 30_000;
/** Longer than any step, or than a machine that swaps, keeps the event loop from a beat. */
const DEAD_AFTER_MILLISECONDS = 600_000;

export interface LockOwner {
  readonly host: string;
  /** The boot's identity on Linux; elsewhere the minute of the boot. */
  readonly boot: string;
  /** Linux' namespace of process numbers: containers have their own. */
  readonly namespace: string | null;
  readonly pid: number;
  /** Clock ticks from the boot to the start of the process; null where the system does not tell. */
  readonly started: string | null;
  /** Whether its holder keeps setting the lock's time. */
  readonly beats?: boolean;
}

/** `unknown`: of another system, or a lock that cannot be read. */
export type Holder =
  | { readonly state: 'nobody' | 'unknown'; readonly owner: LockOwner | null }
  | { readonly state: 'running' | 'dead'; readonly owner: LockOwner };

/** This process, as its locks name it. */
function thisProcess(): LockOwner {
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
  return {
    host: hostname(),
    boot: boot ?? `minute ${Math.round(Date.now() / 60_000 - uptime() / 60)}`,
    namespace: read(() => readlinkSync('/proc/self/ns/pid')),
    pid: process.pid,
    started: processFacts(process.pid)?.started ?? null,
  };
}

/** What Linux tells of a process in /proc/PID/stat: its state, and field 22, when it started. */
function processFacts(pid: number): { state: string; started: string } | null {
  const text = read(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // from field 3 on; the name before it may hold anything
  return { state: fields[0], started: fields[19] };
}

function read<Value>(get: () => Value): Value | null {
  try {
    return get();
  } catch {
    return null;
  }
}

/** Whether a process of this very system lives. Where its start is not known, one of the same number counts as the same. */
function isRunning({ pid, started }: LockOwner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false; // EPERM: it is there, and another user's
  }
  const now = processFacts(pid);
  return now === null || started === null || (now.started === started && !/[ZX]/.test(now.state)); // Z, X: ended
}

function readLock(path: string): LockOwner | null {
  try {
    const facts = lstatSync(path);
    if (!facts.isFile() || facts.size > LONGEST_LOCK) return null;
    const { host, boot, namespace, pid, started, beats } = JSON.parse(readFileSync(path, 'utf8')) as Record<
      string,
      unknown
    >;
    if (typeof host !== 'string' || typeof boot !== 'string' || !Number.isInteger(pid)) return null;
    const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);
    return {
      host,
      boot,
      namespace: textOrNull(namespace),
      pid: pid as number,
      started: textOrNull(started),
      beats: beats === true,
    };
  } catch {
    return null;
  }
}

function holderIn(path: string): Holder {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return { state: 'nobody', owner: null };
  const owner = readLock(path);
  const here = thisProcess();
  if (!owner || owner.host !== here.host || owner.boot !== here.boot) return { state: 'unknown', owner };
  if (owner.namespace !== here.namespace)
    return owner.beats && isSilent(path) ? { state: 'dead', owner } : { state: 'unknown', owner };
  return { state: isRunning(owner) ? 'running' : 'dead', owner };
}

/** Whether a folder has a lock whose holder has given no sign of life for ten minutes. */
export const isLockSilent = (folder: string): boolean => isSilent(join(folder, LOCK));

/** Whether nobody has set the file's time for long. */
function isSilent(path: string): boolean {
  const touched = read(() => statSync(path).mtimeMs);
  return touched !== null && Date.now() - touched > DEAD_AFTER_MILLISECONDS;
}

/** Who holds the lock of a folder. */
export const lockHolder = (folder: string): Holder => holderIn(join(folder, LOCK));

/** "process 4711 of host belt-3" */
export const describeOwner = (owner: LockOwner | null): string =>
  owner ? `process ${owner.pid} of host ${owner.host}` : 'a process that is not known';

/**
 * Takes the lock of a folder for this process.
 * @throws what fs throws: EEXIST when there is a lock
 */
export function lockFolder(folder: string): void {
  const path = join(folder, LOCK);
  try {
    writeFileSync(path, `${JSON.stringify({ ...thisProcess(), beats: true })}\n`, { flag: 'wx' });
    const { pid, started } = thisProcess();
    const beat = (): void => {
      const owner = readLock(path);
      const now = new Date();
      if (owner?.pid === pid && owner.started === started) read(() => utimesSync(path, now, now));
      else clearInterval(beating); // it is gone, or another's
    };
    const beating = setInterval(beat, MILLISECONDS_BETWEEN_BEATS).unref();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') rmSync(path, { force: true }); // the disk became full
    throw error;
  }
}

/** `.model.safetensors.4711-0123456789ab.tmp`: a name beside `name` for what is not complete yet. */
export const temporaryName = (name: string): string => `.${name}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;

function temporariesIn(folder: string): { path: string; pid: number }[] {
  return readdirSync(folder).flatMap((name) => {
    const pid = /^\..+\.(\d+)-[0-9a-f]{12}\.tmp$/.exec(name)?.[1];
    return pid === undefined ? [] : [{ path: join(folder, name), pid: Number(pid) }];
  });
}

function removeTemporaries(folder: string, owner: number): void {
  for (const { path, pid } of temporariesIn(folder)) if (pid === owner) rmSync(path, { force: true });
}

/** Takes away this process' lock and what it did not complete. Throws nothing: it is for the end of the process. */
export function leaveFolder(folder: string): void {
  read(() => removeTemporaries(folder, process.pid));
  const { state, owner } = lockHolder(folder);
  if (state === 'running' && owner.pid === process.pid) read(() => rmSync(join(folder, LOCK)));
}

/**
 * Takes away what a dead process of this system left in a folder: its lock, and files that it did not complete.
 *
 * @returns paths of such files of others, which are left alone; none while a process works there
 * @throws what fs throws
 */
export function clearLeftovers(folder: string): string[] {
  const { state, owner } = lockHolder(folder);
  if (state === 'running') return [];
  if (state === 'dead') {
    removeTemporaries(folder, owner.pid);
    removeLock(folder, owner);
  }
  const left = temporariesIn(folder).map(({ path }) => path);
  for (const path of left) if (holderIn(path).state === 'dead') rmSync(path, { force: true }); // see removeLock
  return [...(state === 'unknown' ? [join(folder, LOCK)] : []), ...left].filter((path) => existsSync(path));
}

/** Takes away a dead process' lock, and no other that came there meanwhile: it is moved aside before it is looked at again. */
function removeLock(folder: string, { pid, started }: LockOwner): void {
  const [path, aside] = [join(folder, LOCK), join(folder, temporaryName(LOCK))];
  if (read(() => renameSync(path, aside)) === null) return; // another process was quicker
  const found = readLock(aside);
  if (found?.pid === pid && found.started === started) rmSync(aside);
  else renameSync(aside, path);
}
