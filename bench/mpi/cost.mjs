/**
 * The model of cost of docs/scale.md: its table, and, for times that were measured (`node bench/mpi/hosts.mjs > hosts.txt`), the latency and
 * the bandwidth that fit them best: `node bench/mpi/cost.mjs [--fit hosts.txt] [--bytes 3252868]`. Needs no MPI.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { fit: { type: 'string' }, bytes: { type: 'string', default: '3252868' } },
});
const bytes = Number(values.bytes); // of the mission's network

/** Seconds of a sum over N ranks in a ring: 2(N − 1) messages behind each other, 2(N − 1)/N of the bytes over each link. */
const sumSeconds = (ranks, size, { latency, bandwidth }) =>
  2 * (ranks - 1) * latency + ((2 * (ranks - 1)) / ranks) * (size / bandwidth);

/** Of a step, `one` being that of one rank for the whole batch. */
const stepSeconds = (one, ranks, network) => one / ranks + sumSeconds(ranks, bytes, network);

/** With parameters that are averaged every so many steps: those and adam's two moments, each an array, and a number before them. */
const ARRAYS = 3;
const averagedStepSeconds = (one, ranks, network, every) =>
  one / ranks + (ARRAYS * sumSeconds(ranks, bytes, network) + sumSeconds(ranks, 8, network)) / every;

const networks = {
  '1 GbE': { latency: 50e-6, bandwidth: 0.9 * 0.125e9 },
  '10 GbE': { latency: 25e-6, bandwidth: 0.9 * 1.25e9 },
  '100 GbE': { latency: 10e-6, bandwidth: 0.9 * 12.5e9 },
};
const sizes = [8, 64, 512];
const EVERY = 16;
const LARGER = 16;

const figure = (value) => (value < 10 ? Number(value.toPrecision(value < 1 ? 1 : 2)) : Math.round(value));
const row = (cells) => console.log(`| ${cells.join(' | ')} |`);

console.log('Predicted: as many times the pictures a second as one rank');
row([
  'one step of one rank',
  'network',
  ...sizes.flatMap((ranks) => [`${ranks} ranks`, `batch × ${LARGER}`, `H = ${EVERY}`]),
]);
for (const one of [0.1, 0.005])
  for (const [name, network] of Object.entries(networks)) {
    const cells = sizes.flatMap((ranks) => [
      one / stepSeconds(one, ranks, network),
      (LARGER * one) / stepSeconds(LARGER * one, ranks, network),
      one / averagedStepSeconds(one, ranks, network, EVERY),
    ]);
    row([`${one * 1000} ms`, name, ...cells.map(figure)]);
  }

/** From `from` to `to`, evenly by their logarithms. */
const range = (from, to, count) => Array.from({ length: count }, (_, n) => from * (to / from) ** (n / (count - 1)));

/** Least squares of log(predicted / measured): small sums weigh as much as large ones. */
function fitted(measured) {
  let best = { error: Infinity };
  for (const latency of range(1e-6, 1, 300))
    for (const bandwidth of range(1e5, 1e11, 300)) {
      const error = measured.reduce(
        (sum, { ranks, size, seconds }) =>
          sum + Math.log(sumSeconds(ranks, size, { latency, bandwidth }) / seconds) ** 2,
        0,
      );
      if (error < best.error) best = { error, latency, bandwidth };
    }
  return { ...best, factor: Math.exp(Math.sqrt(best.error / measured.length)) };
}

if (values.fit !== undefined) {
  const measured = new Map();
  let current = null;
  for (const line of readFileSync(values.fit, 'utf8').split('\n')) {
    const title = /^(\d+) hosts, (.*) \(ended with 0\)$/.exec(line);
    if (title) current = { ranks: Number(title[1]), network: title[2] };
    const [size, microseconds] = line.split(' ').map(Number);
    if (!current || !(size > 0) || !(microseconds > 0)) continue;
    const points = measured.get(current.network) ?? [];
    measured.set(current.network, [...points, { ranks: current.ranks, size, seconds: microseconds / 1e6 }]);
  }
  console.log('\nFitted');
  row(['network', 'latency, µs', 'Mbit/s', 'typical factor', 'ranks, bytes: measured, by the fit (ms)']);
  for (const [name, points] of measured) {
    const fit = fitted(points);
    const compared = points.map(
      ({ ranks, size, seconds }) =>
        `${ranks}, ${size}: ${(seconds * 1000).toPrecision(3)}, ${(sumSeconds(ranks, size, fit) * 1000).toPrecision(3)}`,
    );
    const [latency, bandwidth] = [(fit.latency * 1e6).toFixed(0), ((fit.bandwidth * 8) / 1e6).toFixed(0)];
    row([name, latency, bandwidth, fit.factor.toFixed(1), compared.join('; ')]);
  }
}
