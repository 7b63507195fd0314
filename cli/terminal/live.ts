/** `--live`: the report of a training while it goes on. */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  liveReportOf,
  reportHtml,
  reportOf,
  serveReport,
  writeFileAtomically,
  type Device,
  type ReportData,
} from '../../src/index.node.js';
import type { Output } from './output.js';

export interface LiveReport {
  /** Writes the whole report into the run, shows it to whoever looks, and ends. */
  finish(device: Device): Promise<void>;
}

/** How long a page that looks may take to ask for the last time, and between looks whether it has, ms. */
const LAST_LOOK = 4000;
const BETWEEN = 100;

export async function openLive(run: string, epochs: number, output: Output): Promise<LiveReport> {
  let whole: ReportData | null = null;
  const served = await serveReport(async () => whole ?? liveReportOf(run, epochs), { isInBackground: true });
  output.emit({ event: 'live', url: served.url });
  output.say(`Live: ${served.url}`);
  return {
    async finish(device) {
      whole = await reportOf(run, { device });
      const place = join(run, 'report.html');
      await writeFileAtomically(place, Buffer.from(reportHtml(whole)));
      output.say(`Report: ${place}`);
      const isWhole = performance.now();
      const isAwaited = (): boolean => {
        const asked = served.askedAt() ?? -Infinity;
        return asked < isWhole && asked > isWhole - LAST_LOOK && performance.now() < isWhole + LAST_LOOK;
      };
      while (isAwaited()) await wait(BETWEEN);
      await served.close(LAST_LOOK); // what is being answered is answered
    },
  };
}
