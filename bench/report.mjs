/** Results as Markdown: a table for each measurement, beltnet's time over the peer's in brackets, and the targets. */
import { commands, nameOf, peers } from './peers.mjs';
import { targets } from './targets.mjs';

const figure = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

const ratioText = (ratio) => (ratio < 0.1 ? ratio.toPrecision(1) : ratio.toFixed(2));

/** Rows of cells as a Markdown table whose columns line up. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => [...row[column]].length)));
  const line = (row) => `| ${row.map((cell, i) => cell + ' '.repeat(widths[i] - [...cell].length)).join(' | ')} |`;
  return [
    line(rows[0]),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...rows.slice(1).map(line),
  ].join('\n');
}

const columnName = ({ network, batch, size, width, text }) => {
  if (text) return text;
  if (network) return `${network}, batch ${batch}`;
  if (size === undefined) return `batch ${batch}`;
  return width === 1 ? `${size}×${size}` : `${size}×${size}, ${width}× as wide`;
};

/** @param measures those of run.mjs, for titles and order */
export function markdown({ machine, date, revision, versions, cells }, measures) {
  const parts = [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node}` +
      `${machine.adapter ? `; WebGPU: ${machine.adapter}` : ''}; ${date}${revision ? `, beltnet at ${revision}` : ''}.`,
    'Medians; in brackets how long beltnet takes as a multiple of the peer (below 1: beltnet is quicker).',
  ];
  const notes = [];
  for (const { id, title, ours } of measures.flatMap(({ tables }) => tables)) {
    for (const device of ['cpu', 'webgpu']) {
      const group = cells.filter((cell) => cell.measure === id && cell.device === device);
      if (group.length > 0) parts.push(measureTable(`${title} (${device})`, ours[device], group, versions, notes));
    }
  }
  if (notes.length > 0) parts.push(notes.map((note) => `- ${note}`).join('\n'));
  const shown = targets.map((target) => targetRow(target, cells)).filter(Boolean);
  if (shown.length > 0) parts.push(table([['target', 'measured', 'at least', 'aim', ''], ...shown]));
  return parts.join('\n\n');
}

function measureTable(title, own, group, versions, notes) {
  const columns = [...new Map(group.map(({ one }) => [JSON.stringify(one), one])).entries()];
  const rows = [...commands, ...peers]
    .filter(({ id }) => group.some(({ peer }) => peer === id))
    .map((peer) => [
      nameOf(peer, versions[peer.id]),
      ...columns.map(([key]) => {
        const inColumn = group.filter(({ one }) => JSON.stringify(one) === key);
        return cellText(peer, own, inColumn, title, notes);
      }),
    ]);
  return table([[title, ...columns.map(([, one]) => columnName(one))], ...rows]);
}

function cellText(peer, own, inColumn, title, notes) {
  const { id } = peer;
  const cell = inColumn.find((other) => other.peer === id);
  if (!cell) return '–';
  if (cell.error) {
    const note = `${nameOf(peer)}, ${title.toLowerCase()}: ${cell.error}`;
    pushOnce(notes, note);
    return cell.error.startsWith('ERROR') ? 'ERROR' : cell.error.split(':')[0];
  }
  const base = inColumn.find((other) => other.peer === own);
  const ratio = id !== own && base?.median ? ` (${ratioText(base.median / cell.median)})` : '';
  const mostly = cell.disturbed > cell.samples.length / 2;
  if (mostly) pushOnce(notes, `~ more than half of the rounds were disturbed by other programs or guests of the host`);
  const few = cell.samples.length < 3 ? ` n=${cell.samples.length}` : '';
  return `${mostly ? '~' : ''}${figure(cell.median)}${ratio}${few}${cell.way ? ` ${cell.way}` : ''}`;
}

const pushOnce = (notes, note) => notes.includes(note) || notes.push(note);

function targetRow({ text, value, least, aim, unit = '' }, cells) {
  const measured = value(cells);
  if (measured === null || !Number.isFinite(measured)) return null;
  const verdict = measured <= aim ? 'aim reached' : measured <= least ? 'reached' : 'MISSED';
  return [text, `${measured.toFixed(2)}${unit}`, `≤ ${least}${unit}`, `${aim}${unit}`, verdict];
}
