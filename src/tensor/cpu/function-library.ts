/**
 * Generated functions, kept in the memory that all threads share: a chain of records [address of the next, length, bytes of
 * a module]. A thread that waits for work cannot get messages, but it can read, and so learns what was added since it last looked.
 */

/** Any function of the modules: numbers in, results in memory. */
export type WasmFunction = (...numbers: number[]) => void;

const HEADER_BYTES = 8;

/** @internal projects without the DOM's types have no name for a WebAssembly.Memory */
export class FunctionLibrary {
  readonly #memory: WebAssembly.Memory;
  /** Where the address of the next record that this thread has not read is, or will be. */
  #unread: number;
  /** Where the address of the next record that is added goes. */
  #end: number;

  /** @param address of the first link: 4 bytes of zeros */
  constructor(memory: WebAssembly.Memory, address: number) {
    this.#memory = memory;
    this.#unread = address;
    this.#end = address;
  }

  /** Memory that a module takes here. */
  static bytesFor(module: Uint8Array): number {
    return HEADER_BYTES + module.length;
  }

  /** Only the thread that opened the device adds. @param address of memory for it, a multiple of 4 */
  add(module: Uint8Array, address: number): void {
    const { buffer } = this.#memory;
    new Uint32Array(buffer, address, 2).set([0, module.length]);
    new Uint8Array(buffer, address + HEADER_BYTES, module.length).set(module);
    Atomics.store(new Uint32Array(buffer, this.#end, 1), 0, address);
    this.#end = address;
  }

  /** The functions that were added since the last call, in their order. */
  learn(): WasmFunction[] {
    const learned: WasmFunction[] = [];
    for (;;) {
      const { buffer } = this.#memory;
      const address = Atomics.load(new Uint32Array(buffer, this.#unread, 1), 0);
      if (address === 0) return learned;
      const [, length] = new Uint32Array(buffer, address, 2);
      const bytes = Uint8Array.from(new Uint8Array(buffer, address + HEADER_BYTES, length));
      // Small enough for what browsers compile without waiting.
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: this.#memory } });
      learned.push(instance.exports['run'] as WasmFunction);
      this.#unread = address;
    }
  }
}
