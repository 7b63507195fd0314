/** Results on the disk: bench/results/DATE-MACHINE.json. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('results', import.meta.url));
mkdirSync(folder, { recursive: true });

export function describeMachine(adapter) {
  return {
    processor: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    adapter,
  };
}

/** Which beltnet was measured: the commit, with a mark when files differ from it. Null outside a clone. */
export function revision() {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: folder, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** A cell's group: what was measured in one interleaved run and may be compared. */
export const groupOf = ({ measure, device, one }) => JSON.stringify([measure, device, one]);

/** The day's results of this machine, new cells in place of old ones of the same groups. @returns the file and all results */
export function mergeResults({ date, revision: measured, machine, versions, cells }) {
  const name = `${date}-${machine.processor}-${machine.cores}-cores`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const file = join(folder, `${name}.json`);
  const old = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { versions: {}, cells: [] };
  const fresh = new Set(cells.map(groupOf));
  const all = {
    ...{ date, revision: measured, machine: { ...machine, adapter: machine.adapter ?? old.machine?.adapter ?? null } },
    versions: { ...old.versions, ...versions },
    cells: [...old.cells.filter((cell) => !fresh.has(groupOf(cell))), ...cells],
  };
  writeFileSync(`${file}.part`, `${JSON.stringify(all, null, 1)}\n`);
  renameSync(`${file}.part`, file);
  return { file, results: all };
}

/** The latest results that there are. */
export function latestResults() {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const name = names.toSorted().at(-1);
  return name ? JSON.parse(readFileSync(join(folder, name), 'utf8')) : null;
}
