/** The page on this machine: `beltnet ui`. Its files, and a run with its pictures for it to open. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../errors.js';
import { expectText, objectWith, perhaps } from '../expect.js';
import { zipRun } from '../classifier/run-archive.node.js';
import { pictureRoutes } from './run-pictures.node.js';
import { serve, type Served } from './server.node.js';

export interface ServePageOptions {
  /** The folder of a run that the page opens. */
  readonly run?: string;
  /** Default 8642. Browsers keep projects by address, port included: on another one they are not seen. 0 takes one that is free. */
  readonly port?: number;
}

/** Of `beltnet ui`. */
export const PAGE_PORT = 8642;

/** scripts/build.mjs makes it. */
const folder = fileURLToPath(
  new URL(import.meta.url.endsWith('.js') ? '../../page' : '../../dist/page', import.meta.url),
);

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/**
 * Serves the page to this machine alone.
 * @throws UsageError for what is no run, and where the port is taken
 */
export async function servePage(options: ServePageOptions = {}): Promise<Served> {
  objectWith({ run: perhaps(expectText) })(options, 'servePage: options');
  const { run, port = PAGE_PORT } = options;
  if (run !== undefined && !existsSync(join(run, 'config.json')))
    throw new UsageError(`ui: expects the folder of a run with its config.json, got '${run}'`);
  const index = async (): Promise<string> => {
    // The mark has the page open the run, and keep nothing for offline: what is there is whatever is installed.
    const mark = run === undefined ? 'beltnet ui' : `run ${basename(resolve(run))}`;
    const html = await readFile(join(folder, 'index.html'), 'utf8');
    return html
      .replace(
        '<meta name="beltnet-served" content="" />',
        () => `<meta name="beltnet-served" content="${escaped(mark)}" />`,
      )
      .replace(/ *<link rel="manifest"[^>]*>\n?/, '');
  };
  return serve({
    port,
    roots: { '/': folder },
    mostTime: 60_000, // a run may be large, …
    mostRequests: 10_000, // … and have thousands of pictures
    routes: [
      { method: 'GET', path: '/', answer: async () => ({ type: 'text/html; charset=utf-8', body: await index() }) },
      ...(run === undefined
        ? []
        : [
            {
              method: 'GET' as const,
              path: '/run.zip',
              answer: async () => ({ type: 'application/zip', body: await zipRun(run) }),
            },
            ...pictureRoutes(run),
          ]),
    ],
  }).catch((error: unknown) => {
    if (error instanceof UsageError && error.message.includes('EADDRINUSE'))
      throw new UsageError(
        `ui: port ${port} is taken, perhaps by another 'beltnet ui': open http://127.0.0.1:${port}, or end that one. ` +
          `Another --port is another address for browsers: projects that were made at this one are not seen there`,
      );
    throw error;
  });
}
