/** Elements. What is said of pictures and classes becomes text, never markup. */
export const byId = (id) => document.getElementById(id);

/** @param properties of the element, or attributes where it has none of that name */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name in element && name !== 'list') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const show = (id) => {
  byId(id).hidden = false;
  return byId(id);
};

/** @param columns [title, isNumber (null: short words), cell of a row] */
export function tableOf(columns, rows, rowClass = () => '') {
  return make(
    'table',
    {},
    make(
      'thead',
      {},
      make(
        'tr',
        {},
        ...columns.map(([title, isNumber]) => make('th', { scope: 'col', className: isNumber ? 'number' : '' }, title)),
      ),
    ),
    make(
      'tbody',
      {},
      ...rows.map((row) =>
        make(
          'tr',
          { className: rowClass(row) },
          ...columns.map(([, isNumber, cell]) =>
            make('td', { className: isNumber ? 'number' : isNumber === false ? 'long' : '' }, cell(row)),
          ),
        ),
      ),
    ),
  );
}

export const count = (amount) => amount.toLocaleString('en-US');
export const plural = (amount, noun) => `${count(amount)} ${noun}${amount === 1 ? '' : 's'}`;
export const percent = (part, digits = 1) => `${(100 * part).toFixed(digits)} %`;
export const figure = (value, digits = 4) => (value === null || value === undefined ? '–' : value.toFixed(digits));
export const baseName = (path) => path.split(/[/\\]/).at(-1);
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
