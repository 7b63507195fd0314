/** The report of a run in a folder. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expectArray, expectObject, expectPath, expectText, objectWith } from '../../expect.js';
import { decode } from '../../data/pictures/decode.js';
import { readPictureBytes } from '../../data/pictures/read-picture.node.js';
import { loadClassifier, NodeClassifier } from '../classifier.node.js';
import type { OpenClassifierOptions } from '../classifier.js';
import { readConfig } from '../run.node.js';
import { readPredictions } from '../run-predictions-file.node.js';
import { predictAgain } from './predictions.node.js';
import { configOf, readText, runsBeside } from './read-run.node.js';
import type { SearchResult } from '../search/search.node.js';
import type { ReportData } from './report-data.js';
import { bareReport, fillPage, fillReport, reportFrom, type ReportSource } from './report.js';

export interface ReportOptions extends Pick<OpenClassifierOptions, 'device' | 'threads'> {
  readonly onProgress?: (done: number, total: number) => void;
}

/** Its pictures are read where they were. */
const sourceIn = (directory: string): ReportSource => ({
  name: basename(join(directory, '.')),
  text: (file) => readText(directory, file),
  predictions: () => readPredictions(directory),
  predictAgain: (classifier) => predictAgain(directory, classifier as NodeClassifier),
  picture: (file, exif) => Promise.resolve(decode(readPictureBytes(file), file, { exif })),
  runs: () => runsBeside(directory),
});

/** What is there while a training goes on: its epochs and settings. @param epochs 0 for a training without */
export async function liveReportOf(directory: string, epochs: number): Promise<ReportData> {
  expectPath(directory, 'liveReportOf: directory');
  const config = (await readConfig(directory)) ?? {}; // of a training in one go it comes at the end
  return { ...(await bareReport(sourceIn(directory), config)), live: { epochs } };
}

/**
 * A run's report. Its pictures are read where they were.
 * @throws UsageError for a folder that is no run; ModelFileError; NoDeviceError
 */
export async function reportOf(directory: string, options: ReportOptions = {}): Promise<ReportData> {
  expectObject(options, 'report: options');
  const { onProgress, ...opening } = options;
  await configOf(directory);
  const classifier = await loadClassifier(directory, opening);
  try {
    return await reportFrom(sourceIn(directory), classifier, onProgress);
  } finally {
    await classifier.destroy();
  }
}

/** The page lies elsewhere seen from dist/ than from src/; scripts/build.mjs makes it. */
const pageOf = (name: string): URL =>
  new URL(
    import.meta.url.endsWith('.js') ? `../../../${name}/${name}.html` : `../../../dist/${name}/${name}.html`,
    import.meta.url,
  );
const template = pageOf('report');

/** The content policy of the page, as it stands in it: its own script may run, and nothing else. */
export const reportPolicy = (): string =>
  /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/.exec(readFileSync(template, 'utf8'))?.[1] ??
  "default-src 'none'";

/** The report as one HTML file. */
export const reportHtml = (data: ReportData): string => fillReport(readFileSync(template, 'utf8'), data);

/** A search's page as one HTML file: who won, and the trials over their values. */
export function searchHtml(name: string, result: SearchResult): string {
  expectText(name, 'search report: name');
  objectWith({ search: expectObject, rungs: expectArray, trials: expectArray })(result, 'search report: result');
  return fillPage(readFileSync(pageOf('search'), 'utf8'), { ...result, name, made: new Date().toISOString() });
}
