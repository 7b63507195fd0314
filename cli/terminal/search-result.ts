/** What a search came to, for people. */
import type { SearchedTrial, SearchResult } from '../../src/index.node.js';
import { trialName } from '../../src/index.node.js';
import { count, fittingTable, type Output } from './output.js';

const MOST_ROWS = 20;

const figure = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : value.toFixed(4);
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`;

export function sayResult({ search, trials, winner, optimism }: SearchResult, output: Output): void {
  const names = search.space.map(({ name }) => name);
  const row = (trial: SearchedTrial): string[] => [
    trialName(trial.index),
    trial.failed ? 'NaN' : String(trial.epochs),
    figure(trial.best?.balancedAccuracy),
    figure(trial.best?.valLoss),
    figure(trial.test?.balancedAccuracy),
    ...names.map((name) => String(trial.values[name])),
  ];
  output.say();
  const header = ['trial', 'epochs', 'validation', 'its loss', 'test', ...names];
  for (const line of fittingTable([header, ...trials.slice(0, MOST_ROWS).map(row)], { rightFrom: 1 })) output.say(line);
  if (trials.length > MOST_ROWS) output.say(`… and ${trials.length - MOST_ROWS} more in result.json`);
  output.say('(balanced accuracy; validation chose, test did not)');
  output.say();
  const best = trials.find(({ index }) => index === winner);
  if (!best?.test || best.best?.balancedAccuracy === undefined) {
    output.say('No trial came to the end.');
    return;
  }
  output.say(
    `Winner: ${trialName(best.index)}, ${names.map((name) => `${name} ${String(best.values[name])}`).join(', ')}: balanced accuracy ` +
      `${figure(best.test.balancedAccuracy)} on ${count(best.test.pictures, 'picture')} that chose nothing, ` +
      `${best.test.missedAlerts} of ${best.test.alertPictures} alerts missed, ${count(best.test.falseAlarms, 'false alarm')}`,
  );
  if (optimism)
    output.say(
      `Optimism: its ${figure(best.best.balancedAccuracy)} on the validation pictures, which chose it, are ${signed(optimism.winner)}; ` +
        `searches like this one have ${signed(optimism.search.mean)} (95 %: ${signed(optimism.search.low)} to ${signed(optimism.search.high)}), ` +
        `their trials ${signed(optimism.mean)} without any choice among them`,
    );
}
