// Memory that a thread works in while it does a part of a call. What it holds before is undefined, and after it nobody's: one range for each thread, not
// for each part, stays in that thread's caches. AssemblyScript. Addresses are bytes.

export let workspace: usize = 0;

/** Called by each thread before its parts: a thread has an instance of this module, and with it `workspace`, of its own. */
export function useWorkspace(address: usize): void {
  workspace = address;
}
