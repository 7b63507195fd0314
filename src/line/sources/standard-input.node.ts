/** Picture files on standard input, one behind the other, as a capturing program writes them. The newest wins. */
import type { Readable } from 'node:stream';
import { DataError } from '../../errors.js';
import { Mailbox, type Frame, type Source, type SourceContext } from '../source.js';
import { PictureSplitter } from './picture-splitter.js';

export class StandardInputSource implements Source {
  readonly #mailbox: Mailbox;
  readonly #input: Readable;

  constructor(context: SourceContext, input: Readable = process.stdin) {
    this.#input = input;
    this.#mailbox = new Mailbox(context.dropped);
    const splitter = new PictureSplitter();
    input.on('data', (piece: Buffer) => {
      for (const bytes of splitter.take(piece)) {
        const arrivedAt = context.now();
        try {
          const picture = context.decode(bytes, 'standard input');
          const takenAt = new Date().toISOString();
          this.#mailbox.put({ name: 'standard input', picture, bytes, takenAt, arrivedAt, lateMilliseconds: 0 });
        } catch (error) {
          if (!(error instanceof DataError)) throw error;
          context.fault('unreadable', true, error.message);
        }
      }
      const passed = splitter.takePassed();
      if (passed > 0) context.fault('unreadable', true, `${passed} bytes on standard input are no picture`);
    });
    input.on('end', () => this.#mailbox.close());
    input.on('error', () => this.#mailbox.close());
  }

  next(): Promise<readonly Frame[]> {
    return this.#mailbox.next();
  }

  async close(): Promise<void> {
    this.#mailbox.close();
    this.#input.destroy();
  }
}
