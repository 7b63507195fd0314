/** The engine as the page sees it: calls go to its worker, answers and events come back. */
import type { Answer, Call } from './messages.js';
import type { Engine, EngineErrorShape, EngineEvents } from './protocol.js';

export type * from './protocol.js';

/** What could not be done, and the way out. */
export class EngineError extends Error {
  readonly kind: EngineErrorShape['kind'];

  constructor({ kind, message }: EngineErrorShape) {
    super(message);
    this.kind = kind;
  }
}

const rooms = ['projects', 'pictures', 'training', 'trial', 'proof', 'files'] as const;

/**
 * Starts the worker. Nothing is opened yet but the store: a device only when it is needed.
 * @throws EngineError where the browser cannot start it
 */
export async function openEngine(): Promise<Engine> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'beltnet' });
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: unknown): void }>();
  const listeners = new Map<keyof EngineEvents, Set<(event: never) => void>>();
  let calls = 0;

  const ask = (room: string, method: string, given: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const call: Call = { id: ++calls, room, method, given };
      waiting.set(call.id, { resolve, reject });
      try {
        worker.postMessage(call, handedOver(given));
      } catch (error) {
        waiting.delete(call.id);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });

  worker.addEventListener('message', ({ data: answer }: MessageEvent<Answer>) => {
    if ('event' in answer) {
      for (const listener of listeners.get(answer.event) ?? []) listener(answer.data as never);
      return;
    }
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) call?.reject(new EngineError(answer.error));
    else call?.resolve(answer.result);
  });
  worker.addEventListener('error', ({ message }) => {
    const error = new EngineError({ kind: 'Defect', message: `the engine has failed: ${message}; reload the page` });
    for (const call of waiting.values()) call.reject(error);
    waiting.clear();
  });

  const roomOf = (room: string): unknown =>
    new Proxy(
      {},
      {
        get:
          (_, method) =>
          (...given: unknown[]) =>
            ask(room, String(method), given),
      },
    );
  const machine = {
    device: () => ask('machine', 'device', []),
    chooseDevice: (name: string) => ask('machine', 'chooseDevice', [name]),
    storage: () => ask('machine', 'storage', []),
  };
  const engine = {
    ...Object.fromEntries(rooms.map((room) => [room, roomOf(room)])),
    machine: {
      ...machine,
      // Workers may ask how much is kept, but only the page may ask that it stays.
      async persist() {
        const { storage } = navigator as { storage?: StorageManager };
        await storage?.persist().catch(() => false);
        return machine.storage();
      },
    },
    on(name: keyof EngineEvents, listener: (event: never) => void) {
      const all = listeners.get(name) ?? new Set();
      listeners.set(name, all.add(listener));
      return () => void all.delete(listener);
    },
    close: () => worker.terminate(),
  } as unknown as Engine;
  await engine.machine.storage(); // whoever gets it has a worker that answers
  return engine;
}

/** Frames go to the worker; they are not copied. */
const handedOver = (given: readonly unknown[]): Transferable[] =>
  given.filter(
    (one): one is ImageBitmap =>
      one instanceof ImageBitmap || (typeof VideoFrame !== 'undefined' && one instanceof VideoFrame),
  );
