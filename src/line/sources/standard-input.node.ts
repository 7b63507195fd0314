/** Picture files on standard input, one behind the other, as a capturing program writes them. The newest wins. */
import type { Readable } from 'node:stream';
import { DataError } from '../../errors.js';
import { Mailbox, type Frame, type Source, type SourceContext } from '../source.js';
import { PictureSplitter } from './picture-splitter.js';

interface Arrived {
  readonly bytes: Uint8Array;
  readonly takenAt: string;
  readonly arrivedAt: number;
}

export class StandardInputSource implements Source {
  readonly #context: SourceContext;
  readonly #mailbox: Mailbox<Arrived>;
  readonly #input: Readable;

  constructor(context: SourceContext, input: Readable = process.stdin) {
    this.#context = context;
    this.#input = input;
    this.#mailbox = new Mailbox(context.dropped);
    const splitter = new PictureSplitter();
    input.on('data', (piece: Buffer) => {
      const [takenAt, arrivedAt] = [new Date().toISOString(), context.now()];
      for (const bytes of splitter.take(piece)) this.#mailbox.put({ bytes, takenAt, arrivedAt });
      const passed = splitter.takePassed();
      if (passed > 0) context.fault('unreadable', true, `${passed} bytes on standard input are no picture`);
    });
    input.on('end', () => this.#mailbox.close());
    input.on('error', () => this.#mailbox.close());
  }

  async next(): Promise<readonly Frame[]> {
    const name = 'standard input';
    for (;;) {
      const arrived = await this.#mailbox.next();
      if (arrived === null) return [];
      try {
        return [{ name, ...arrived, ...(await this.#context.look(arrived.bytes, name)), lateMilliseconds: 0 }];
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        this.#context.fault('unreadable', true, error.message);
      }
    }
  }

  async close(): Promise<void> {
    this.#mailbox.close();
    this.#input.destroy();
  }
}
