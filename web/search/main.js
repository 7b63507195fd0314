/** The page of a search: who won and what that is worth, the trials as lines over their values, and as a table. */
import { byId, figure, make, percent, plural, tableOf } from '../shared/dom.js';

const { search, rungs, trials, winner, optimism, name, made } = JSON.parse(byId('search-data').textContent);
const trialName = (index) => `trial-${String(index).padStart(3, '0')}`;
const last = rungs.at(-1).epochs;
const signed = (value) => `${value < 0 ? '−' : '+'}${Math.abs(100 * value).toFixed(1)}`;
const best = trials.find(({ index }) => index === winner);

document.title = `${name} · beltnet search`;
byId('name').textContent = name;
byId('made').textContent = `${new Date(made).toLocaleString()} · ${search.directory}`;

function showSummary() {
  const rung = ({ trials: amount, epochs }) => `${amount} with ${plural(epochs, 'epoch')}`;
  const words = `${plural(search.trials, 'trial')}, drawn ${search.method === 'sobol' ? 'evenly (Sobol)' : 'at random'} by seed ${search.seed}: ${rungs.map(rung).join(', of which ')}.`;
  if (!best)
    return byId('summary').replaceChildren(
      make('p', { className: 'verdict' }, 'No trial has come to the end yet.'),
      make('p', {}, words),
    );
  const tile = (title, value, said) =>
    make(
      'div',
      { className: 'tile' },
      make('p', { className: 'tile-title' }, title),
      make('div', { className: 'value' }, value),
      make('p', { className: 'quiet' }, said),
    );
  const { test } = best;
  byId('summary').replaceChildren(
    make(
      'p',
      { className: 'verdict' },
      `${trialName(best.index)} won: ${search.space.map((each) => `${each.name} ${best.values[each.name]}`).join(', ')}`,
    ),
    make('p', { className: 'quiet' }, words),
    make(
      'div',
      { className: 'tiles' },
      tile(
        'On pictures that chose nothing',
        percent(test.balancedAccuracy),
        `balanced accuracy of ${plural(test.pictures, 'picture')}`,
      ),
      tile(
        'Alerts missed',
        `${test.missedAlerts}`,
        `of ${test.alertPictures}, at the threshold 0.5; ${plural(test.falseAlarms, 'false alarm')}`,
      ),
      tile(
        'On the pictures that chose it',
        percent(best.best.balancedAccuracy),
        `${signed(best.best.balancedAccuracy - test.balancedAccuracy)} points: what chose flatters what was chosen`,
      ),
      optimism
        ? tile(
            'Optimism of the search',
            `${signed(optimism.search.mean)} points`,
            `95 %: ${signed(optimism.search.low)} to ${signed(optimism.search.high)}, by bootstrap over the trials that came to the end (${trials.filter((trial) => trial.test).length}); ${signed(optimism.mean)} without any choice among them`,
          )
        : null,
    ),
  );
}

// --- parallel coordinates

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 300;
const TOP = 44;
const GAP = 130;
const EDGE = 70;

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** An axis: where a trial is on it from 0 (below) to 1, or null, and its marks. */
function axisOf({ name: title, values, from, to, scale }) {
  const value = (trial) => trial.values[title];
  if (values) {
    const place = (each) => (values.length === 1 ? 0.5 : values.indexOf(each) / (values.length - 1));
    return { title, at: (trial) => place(value(trial)), marks: values.map((each) => [place(each), String(each)]) };
  }
  const by = scale === 'log' ? Math.log : (x) => x;
  const place = (each) => (by(each) - by(from)) / (by(to) - by(from));
  const middle = scale === 'log' ? Number(Math.sqrt(from * to).toPrecision(1)) : (from + to) / 2;
  return {
    title: scale === 'log' ? `${title} (log)` : title,
    at: (trial) => place(value(trial)),
    marks: [from, middle, to].map((each) => [place(each), String(Number(each.toPrecision(3)))]),
  };
}

function figureAxis(title, get, low, high) {
  const span = high - low || 1;
  return {
    title,
    at: (trial) => (get(trial) === undefined || get(trial) === null ? null : (get(trial) - low) / span),
    marks: [low, low + span / 2, low + span].map((each) => [(each - low) / span, percent(each)]),
  };
}

function showPlot() {
  const validation = (trial) => trial.best?.balancedAccuracy;
  const test = (trial) => trial.test?.balancedAccuracy;
  const all = trials.flatMap((trial) => [validation(trial), test(trial)]).filter((value) => typeof value === 'number');
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const axes = [
    ...search.space.map(axisOf),
    figureAxis('validation', validation, low, high),
    figureAxis('test', test, low, high),
  ];
  const x = (n) => EDGE + n * GAP;
  const y = (part) => TOP + (1 - part) * HEIGHT;
  const kind = (trial) => (trial.index === winner ? 'winner' : trial.epochs >= last ? 'far' : 'near');
  const lineOf = (trial) => {
    const points = axes.flatMap((axis, n) =>
      axis.at(trial) === null ? [] : [`${x(n)},${y(axis.at(trial)).toFixed(1)}`],
    );
    return draw('polyline', { points: points.join(' '), class: `trial ${kind(trial)}`, 'data-trial': trial.index });
  };
  const order = ['near', 'far', 'winner'];
  const sorted = trials
    .filter(({ failed }) => !failed)
    .toSorted((a, b) => order.indexOf(kind(a)) - order.indexOf(kind(b)));
  const drawing = draw('svg', {
    viewBox: `0 0 ${2 * EDGE + (axes.length - 1) * GAP} ${HEIGHT + TOP + 26}`,
    width: 2 * EDGE + (axes.length - 1) * GAP,
    role: 'img',
    class: 'coordinates',
  });
  drawing.append(draw('title', {}, `${trials.length} trials over ${axes.length} axes`), ...sorted.map(lineOf));
  for (const [n, { title, marks }] of axes.entries()) {
    drawing.append(
      draw('line', { x1: x(n), x2: x(n), y1: y(1), y2: y(0), class: 'axis' }),
      draw('text', { x: x(n), y: TOP - 22, class: 'axis-title' }, title),
    );
    for (const [place, words] of marks)
      drawing.append(
        draw('line', { x1: x(n) - 4, x2: x(n) + 4, y1: y(place), y2: y(place), class: 'axis' }),
        draw('text', { x: x(n) + 7, y: y(place) + 4, class: 'mark' }, words),
      );
  }
  drawing.addEventListener('pointerover', ({ target }) => {
    if (target.dataset?.trial !== undefined) point(Number(target.dataset.trial));
  });
  byId('plot').replaceChildren(drawing);
  byId('legend').textContent =
    `One line a trial: ${last > rungs[0].epochs ? `thin and grey those that were given up, orange those that came to ${plural(last, 'epoch')}, ` : ''}thick and blue the winner. Point at a line or a row.`;
}

/** Shows one trial among the others. */
function point(index) {
  for (const element of document.querySelectorAll('[data-trial]'))
    element.classList.toggle('pointed', Number(element.dataset.trial) === index);
  const trial = trials.find((each) => each.index === index);
  byId('pointed').textContent = `${trialName(index)}: ${Object.entries(trial.values)
    .map((each) => each.join(' '))
    .join(
      ', ',
    )}; ${plural(trial.epochs, 'epoch')}, validation ${figure(trial.best?.balancedAccuracy)}, test ${figure(trial.test?.balancedAccuracy)}`;
}

function showTable() {
  const table = tableOf(
    [
      ['trial', null, ({ index }) => trialName(index)],
      ['epochs', true, ({ epochs, failed }) => (failed ? 'NaN' : String(epochs))],
      ['validation', true, ({ best: found }) => figure(found?.balancedAccuracy)],
      ['its loss', true, ({ best: found }) => figure(found?.valLoss)],
      ['test', true, ({ test }) => figure(test?.balancedAccuracy)],
      ['missed', true, ({ test }) => (test ? `${test.missedAlerts} of ${test.alertPictures}` : '–')],
      ...search.space.map(({ name: title, values }) => {
        const isNumber = !values || values.every((value) => typeof value === 'number');
        return [title, isNumber || null, ({ values: own }) => String(own[title])];
      }),
    ],
    trials,
    ({ index }) => (index === winner ? 'winner' : ''),
  );
  for (const [n, row] of [...table.tBodies[0].rows].entries()) {
    row.dataset.trial = trials[n].index;
    row.addEventListener('pointerenter', () => point(trials[n].index));
  }
  byId('trials').replaceChildren(table);
}

showSummary();
showPlot();
showTable();
