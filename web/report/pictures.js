/** The pictures: which are shown, their heat maps, and the list of those whose label is to be changed. */
import { confusionTable } from '../shared/confusion.js';
import { baseName, byId, count, make, percent, plural, tableOf } from '../shared/dom.js';
import { isAlert, own, PAGE, page, places, sure, view } from './state.js';

const LONGEST_TABLE = 2000;
/** New labels, by file. */
const relabelled = new Map();

const palette = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];

/** The heat map over its picture, as `overlay` of the library makes it. */
function heatCanvas(heat) {
  const side = page.report.heatSide;
  const canvas = make('canvas', { width: side, height: side, 'aria-hidden': 'true' });
  const context = canvas.getContext('2d');
  const image = context.createImageData(side, side);
  const bytes = Uint8Array.from(atob(heat), (letter) => letter.charCodeAt(0));
  for (const [at, byte] of bytes.entries()) {
    const place = (byte / 255) * (palette.length - 1);
    const low = Math.min(Math.floor(place), palette.length - 2);
    for (let channel = 0; channel < 3; channel++)
      image.data[4 * at + channel] =
        palette[low][channel] + (palette[low + 1][channel] - palette[low][channel]) * (place - low);
    image.data[4 * at + 3] = 204 * Math.sqrt(byte / 255);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

const filters = {
  mistakes: {
    title: 'Mistakes',
    of: (set) =>
      places(set)
        .filter((n) => set.taken[n] !== set.labels[n])
        .toSorted((a, b) => own(set, a) - own(set, b)),
  },
  missed: { title: 'Missed alarms', of: (set) => places(set).filter((n) => isAlert(set, n) && !set.alerts[n]) },
  false: { title: 'False stops', of: (set) => places(set).filter((n) => !isAlert(set, n) && set.alerts[n]) },
  unsure: { title: 'Least sure', of: (set) => places(set).toSorted((a, b) => sure(set, a) - sure(set, b)) },
  unknown: {
    title: 'Unlike the training',
    of: (set) =>
      set.unlike
        ? places(set)
            .filter((n) => set.unlike[n] > 1)
            .toSorted((a, b) => set.unlike[b] - set.unlike[a])
        : [],
  },
  all: { title: 'All', of: (set) => places(set) },
};
const chosenPlaces = () => {
  const { set, filter, cell } = view;
  return cell
    ? places(set).filter((n) => set.labels[n] === cell[0] && set.taken[n] === cell[1])
    : filters[filter].of(set);
};

export function showPictures() {
  const { set } = view;
  const bar = byId('filters');
  const amounts = Object.fromEntries(Object.entries(filters).map(([name, { of }]) => [name, of(set).length]));
  if (view.cell === null && amounts[view.filter] === 0) view.filter = 'all';
  const pick = (name) => () => {
    Object.assign(view, { filter: name, cell: null, limit: PAGE });
    showPictures();
    markCell();
  };
  bar.replaceChildren(
    ...Object.entries(filters)
      .filter(([name]) => amounts[name] > 0)
      .map(([name, { title }]) =>
        make(
          'button',
          { type: 'button', 'aria-pressed': String(view.cell === null && view.filter === name), onclick: pick(name) },
          name === 'unsure' ? title : `${title} ${count(amounts[name])}`,
        ),
      ),
    make(
      'button',
      {
        type: 'button',
        'aria-pressed': String(view.heat),
        onclick: () => {
          view.heat = !view.heat;
          showPictures();
        },
      },
      'Heat maps',
    ),
  );
  const chosen = chosenPlaces();
  const carried = chosen.filter((n) => set.pictures[n]);
  const others = chosen.filter((n) => !set.pictures[n]);
  const shown = carried.slice(0, view.limit);
  const { classNames } = page.report;
  const what = view.cell
    ? `${classNames[view.cell[0]]} taken for ${classNames[view.cell[1]]}`
    : filters[view.filter].title;
  byId('shown').textContent =
    `${what}: ${plural(chosen.length, 'picture')}` +
    (others.length > 0 ? `; ${count(carried.length)} with the picture, ${count(others.length)} as rows below` : '') +
    (view.heat && shown.length > 0 ? '. Bright places speak for the class that was taken.' : '');
  byId('gallery').replaceChildren(...shown.map((n) => pictureOf(set, n)));
  byId('more').hidden = carried.length <= view.limit;
  byId('rows').hidden = others.length === 0;
  if (others.length > 0) showRows(set, others);
  showRelabelled();
}

function showRows(set, others) {
  const [summary, box] = byId('rows').children;
  const shown = others.slice(0, LONGEST_TABLE);
  summary.textContent = `${plural(others.length, 'picture')} without the picture here${shown.length < others.length ? `; the first ${count(shown.length)} as rows` : ''}`;
  const fill = () => {
    if (!byId('rows').open) return;
    box.replaceChildren(
      tableOf(
        [
          ['File', false, (n) => set.files[n]],
          ['Is', false, (n) => page.report.classNames[set.labels[n]]],
          ['Taken for', false, (n) => page.report.classNames[set.taken[n]]],
          ['Probability', true, (n) => percent(sure(set, n))],
          ['New label', false, (n) => labelChoice(set, n)],
        ],
        shown,
      ),
    );
  };
  byId('rows').ontoggle = fill; // thousands of rows are made when they are looked at
  fill();
}

function verdictOf(set, n) {
  const { classNames } = page.report;
  const isRight = set.labels[n] === set.taken[n];
  return make(
    'span',
    {},
    make(
      'span',
      { className: isRight ? 'right' : 'wrong' },
      isRight ? `${classNames[set.labels[n]]} ✓` : `${classNames[set.labels[n]]} → ${classNames[set.taken[n]]}`,
    ),
    ` ${percent(sure(set, n))}`,
  );
}

function labelChoice(set, n) {
  const file = set.files[n];
  const { classNames } = page.report;
  const select = make(
    'select',
    { 'aria-label': `New label of ${file}` },
    make('option', { value: '' }, `stays ${classNames[set.labels[n]]}`),
    ...classNames.filter((_, label) => label !== set.labels[n]).map((name) => make('option', { value: name }, name)),
  );
  select.value = relabelled.get(file)?.label ?? '';
  select.onchange = () => {
    if (select.value === '') relabelled.delete(file);
    else relabelled.set(file, { label: select.value, was: classNames[set.labels[n]] });
    showRelabelled();
  };
  return select;
}

function pictureOf(set, n) {
  const { image, heat } = set.pictures[n];
  const file = set.files[n];
  const img = make('img', { src: image, alt: baseName(file) });
  img.addEventListener('load', () => img.classList.toggle('small', img.naturalWidth < 100));
  const button = make(
    'button',
    { type: 'button', className: 'zoom', 'aria-label': `Enlarge ${baseName(file)}`, onclick: () => enlarge(set, n) },
    img,
    view.heat && heat ? heatCanvas(heat) : null,
  );
  const isUnknown = set.unlike !== null && set.unlike[n] > 1;
  return make(
    'article',
    { className: 'picture' },
    make('div', { className: 'view' }, button),
    make(
      'div',
      { className: 'words' },
      verdictOf(set, n),
      set.alerts[n] || isUnknown
        ? make(
            'span',
            {},
            set.alerts[n] ? make('span', { className: 'chip problem' }, 'ALARM') : '',
            ' ',
            isUnknown ? make('span', { className: 'chip warning' }, 'unknown') : '',
          )
        : null,
      make('span', { className: 'file', title: file }, baseName(file)),
      make('label', {}, 'Label ', labelChoice(set, n)),
    ),
  );
}

function enlarge(set, n) {
  const { image, heat } = set.pictures[n];
  const { classNames } = page.report;
  const picture = (withHeat) =>
    make(
      'div',
      { className: 'view' },
      make('img', { src: image, alt: withHeat ? 'Heat map' : 'Picture' }),
      withHeat && heat ? heatCanvas(heat) : null,
    );
  const dialog = make(
    'dialog',
    { 'aria-label': baseName(set.files[n]) },
    make('h3', {}, set.files[n]),
    verdictOf(set, n),
    make('div', { className: 'both' }, picture(false), picture(true)),
    heat
      ? make('p', { className: 'quiet' }, `Bright places speak for ${classNames[set.taken[n]]}.`)
      : make('p', { className: 'quiet' }, `No place speaks for ${classNames[set.taken[n]]}.`),
    tableOf(
      [
        ['Class', false, ([name]) => name],
        ['Probability', true, ([, p]) => percent(p, 2)],
      ],
      classNames.map((name, label) => [name, set.probabilities[n][label]]),
    ),
    make('p', {}),
    make('form', { method: 'dialog' }, make('button', { autofocus: true }, 'Close')),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** RFC 4180; what a spreadsheet would take for a formula begins with an apostrophe, which `beltnet relabel` takes off. */
const csvCell = (text) => {
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

function showRelabelled() {
  const box = byId('relabel');
  box.hidden = relabelled.size === 0;
  if (box.hidden) return;
  const download = () => {
    const lines = [...relabelled].map(([file, { label, was }]) => [file, label, was].map(csvCell).join(','));
    const url = URL.createObjectURL(new Blob([['path,label,was', ...lines, ''].join('\n')], { type: 'text/csv' }));
    make('a', { href: url, download: 'relabel.csv' }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  box.replaceChildren(
    make('h3', {}, `${plural(relabelled.size, 'picture')} with a new label`),
    make(
      'p',
      { className: 'quiet' },
      'Nothing is changed from here. ',
      make('code', {}, 'beltnet relabel relabel.csv MANIFEST|FOLDER --out NEW'),
      ' makes a corrected copy.',
    ),
    make('button', { type: 'button', className: 'primary', onclick: download }, 'Download relabel.csv'),
  );
}

function markCell() {
  for (const cell of document.querySelectorAll('.cell'))
    cell.setAttribute('aria-pressed', String(view.cell?.join() === cell.dataset.cell));
}

export function showMatrix() {
  const { set } = view;
  const { classNames } = page.report;
  const matrix = classNames.map(() => classNames.map(() => 0));
  for (const n of places(set)) matrix[set.labels[n]][set.taken[n]]++;
  const choose = (cell) => {
    Object.assign(view, { cell, limit: PAGE });
    showPictures();
    markCell();
    byId('pictures').scrollIntoView();
  };
  byId('matrix').replaceChildren(confusionTable(classNames, matrix, choose));
}
