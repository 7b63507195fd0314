/** What was taken for what: a table whose numbers are buttons. */
import { count, make, percent } from './dom.js';

/**
 * @param {readonly string[]} classNames
 * @param {readonly (readonly number[])[]} matrix [label][taken]
 * @param {(cell: [label: number, taken: number]) => void} choose
 */
export function confusionTable(classNames, matrix, choose) {
  const cellOf = (label, taken) => {
    const amount = matrix[label][taken];
    const all = matrix[label].reduce((sum, value) => sum + value, 0);
    const cell = make(
      'button',
      {
        type: 'button',
        className: 'cell',
        'aria-pressed': 'false',
        'aria-label': `${classNames[label]} taken for ${classNames[taken]}: ${amount} of ${all}`,
      },
      count(amount),
      make('small', {}, all > 0 ? percent(amount / all) : '–'),
    );
    cell.dataset.cell = `${label},${taken}`;
    cell.style.setProperty('--part', String(all > 0 ? Math.sqrt(amount / all) : 0));
    cell.style.setProperty('--tone', amount === 0 ? 'transparent' : label === taken ? 'var(--good)' : 'var(--bad)');
    cell.onclick = () => choose([label, taken]);
    return make('td', {}, cell);
  };
  return make(
    'table',
    {},
    make(
      'thead',
      {},
      make(
        'tr',
        {},
        make('th', { scope: 'col' }, 'is \\ taken for'),
        ...classNames.map((name) => make('th', { scope: 'col' }, name)),
      ),
    ),
    make(
      'tbody',
      {},
      ...classNames.map((name, label) =>
        make('tr', {}, make('th', { scope: 'row' }, name), ...classNames.map((_, taken) => cellOf(label, taken))),
      ),
    ),
  );
}
