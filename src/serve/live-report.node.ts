/** The report of a training that goes on, on this machine: the page asks every other second for what is new. */
import { UsageError } from '../errors.js';
import { expectObject, received } from '../expect.js';
import { reportHtml, reportPolicy } from '../classifier/report/report.node.js';
import type { ReportData } from '../classifier/report/report-data.js';
import { serve, type Served, type ServeOptions } from './server.node.js';

export interface ServedReport extends Served {
  /** When somebody asked last, by `performance.now()`; null where nobody did. */
  readonly askedAt: () => number | null;
}

/** @param data what there is by now */
export async function serveReport(
  data: () => Promise<ReportData>,
  options: Omit<ServeOptions, 'routes' | 'roots'> = {},
): Promise<ServedReport> {
  if (typeof data !== 'function')
    throw new UsageError(`serveReport: expects a function that gives the data, got ${received(data)}`);
  expectObject(options, 'serveReport: options');
  let askedAt: number | null = null;
  const asked = (): Promise<ReportData> => {
    askedAt = performance.now();
    return data();
  };
  const served = await serve({
    ...options,
    routes: [
      {
        method: 'GET',
        path: '/',
        answer: async () => ({
          type: 'text/html; charset=utf-8',
          body: reportHtml(await asked()),
          contentPolicy: `${reportPolicy()}; frame-ancestors 'none'`,
        }),
      },
      {
        method: 'GET',
        path: '/data.json',
        answer: async () => ({ type: 'application/json', body: JSON.stringify(await asked()) }),
      },
    ],
  });
  return { ...served, askedAt: () => askedAt };
}
