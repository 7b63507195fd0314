/** `beltnet label`: a queue of pictures on a page, one after the other, and what somebody says that they are. */
import { readFileSync } from 'node:fs';
import { pictureFormat } from '../data/pictures/format.js';
import { DataError, UsageError } from '../errors.js';
import { expectText, listOf, objectWith, perhaps } from '../expect.js';
import type { Answer } from './answers.js';
import { Refused } from './answers.js';
import { expectClassName, LabelQueue } from './label-queue.node.js';
import { serve, type Served } from './server.node.js';

export interface ServeLabelsOptions {
  /** What pictures can be; default: what the model and the labels say. Others can be named on the page. */
  readonly classNames?: readonly string[];
  /** Default 8643; 0 takes one that is free. */
  readonly port?: number;
}

export const LABEL_PORT = 8643;

/** scripts/build.mjs makes it. */
const template = new URL(
  import.meta.url.endsWith('.js') ? '../../label/label.html' : '../../dist/label/label.html',
  import.meta.url,
);

const inJson = (value: unknown): Answer => ({ type: 'application/json', body: JSON.stringify(value) });

/**
 * Serves a queue to this machine alone.
 * @param given a folder with a queue.jsonl, or with a queue/ that has one
 * @throws UsageError for a folder without, and where the port is taken
 */
export async function serveLabels(given: string, options: ServeLabelsOptions = {}): Promise<Served> {
  objectWith({ classNames: perhaps(listOf(expectText)) })(options, 'serveLabels: options');
  const { port = LABEL_PORT } = options;
  for (const name of options.classNames ?? []) expectClassName(name, 'classes');
  const queue = new LabelQueue(given);
  const html = readFileSync(template, 'utf8');
  const contentPolicy =
    /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(html)?.[1] ?? "default-src 'none'";
  const served: Served = await serve({
    port,
    routes: [
      {
        method: 'GET',
        path: '/',
        answer: () => ({
          type: 'text/html; charset=utf-8',
          body: html,
          contentPolicy: `${contentPolicy}; frame-ancestors 'none'`,
        }),
      },
      {
        method: 'GET',
        path: '/queue.json',
        async answer() {
          const [pictures, labels] = [await queue.pictures(), await queue.labels()];
          const own = pictures.flatMap(({ class: taken }) =>
            typeof taken === 'string' && taken !== '' ? [taken] : [],
          );
          const classNames = options.classNames ?? own.toSorted((a, b) => (a < b ? -1 : 1));
          return inJson({
            folder: queue.folder,
            table: queue.table,
            classNames: [...new Set([...classNames, ...labels.values()])],
            pictures: pictures.map((picture) => ({ ...picture, label: labels.get(picture.file) ?? null })),
            // Pages of other origins cannot read this answer: who has it was given the page.
            token: served.token,
          });
        },
      },
      {
        method: 'GET',
        path: '/picture',
        answer({ query }) {
          try {
            const body = queue.bytesOf(query.get('file') ?? '');
            const format = pictureFormat(body);
            return { type: format === null ? 'application/octet-stream' : `image/${format.toLowerCase()}`, body };
          } catch (error) {
            if (error instanceof UsageError || error instanceof DataError) throw new Refused(404, error.message);
            throw error;
          }
        },
      },
      {
        method: 'POST',
        path: '/label',
        async answer({ body }) {
          const { file, label } = labelIn(body);
          await queue.set(file, label);
          return inJson({ file, label });
        },
      },
    ],
  }).catch((error: unknown) => {
    if (error instanceof UsageError && error.message.includes('EADDRINUSE'))
      throw new UsageError(
        `label: port ${port} is taken, perhaps by another 'beltnet label': open http://127.0.0.1:${port}, end that one, or give --port`,
      );
    throw error;
  });
  return served;
}

/** @throws UsageError for a body that says no label */
function labelIn(body: Uint8Array): { file: string; label: string | null } {
  let given: unknown;
  try {
    given = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new UsageError(`label: expects JSON with file and label, got ${(error as Error).message}`);
  }
  const { file, label } = Object(given) as { file?: unknown; label?: unknown };
  expectText(file, 'label: file');
  if (label !== null) expectClassName(label, 'label');
  return { file, label };
}
