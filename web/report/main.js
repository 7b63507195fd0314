/** The report: from its data to the page, section by section. */
import { showAlarm, showQuality } from './alarm.js';
import { chart, clearCharts } from '../shared/charts.js';
import { cardOf } from './card.js';
import { byId, count, figure, make, percent, plural, show, tableOf } from '../shared/dom.js';
import { showMatrix, showPictures } from './pictures.js';
import { isAlert, PAGE, page, places, view } from './state.js';

const useNames = { test: 'test', validation: 'validation', training: 'training' };

function showHead() {
  document.title = `${page.report.name} · beltnet report`;
  byId('name').textContent = page.report.name;
  byId('made').textContent =
    `${new Date(page.report.made).toLocaleString()}${page.report.version ? ` · beltnet ${page.report.version}` : ''}`;
  byId('notes').textContent = page.report.notes.join(' ');
  byId('live').hidden = page.report.live === null;
  if (page.report.live)
    byId('live').textContent =
      page.report.live.epochs === 0
        ? 'The training goes on. This page follows it.'
        : `Training: epoch ${page.report.epochs.length} of ${page.report.live.epochs} is done. This page follows it.`;
}

const intervalText = ({ low, high, reason }) =>
  reason ? `no interval: ${reason}` : `95 %: ${percent(low)} to ${percent(high)}`;

function showSummary() {
  const box = byId('summary');
  const { set } = view;
  if (set === null) return box.replaceChildren();
  const { className } = page.report.alert;
  const alerts = places(set).filter((n) => isAlert(set, n));
  const missed = alerts.filter((n) => !set.alerts[n]).length;
  const others = set.files.length - alerts.length;
  const stops = places(set).filter((n) => !isAlert(set, n) && set.alerts[n]).length;
  const right = places(set).filter((n) => set.labels[n] === set.taken[n]).length;
  const unknown = set.unlike?.filter((value) => value > 1).length ?? null;
  const tile = (title, value, of, words, tone = '') =>
    make(
      'div',
      { className: 'tile' },
      make('p', { className: 'tile-title' }, title),
      make('div', { className: `value ${tone}` }, value, of ? make('small', {}, ` ${of}`) : ''),
      make('p', { className: 'quiet' }, words),
    );
  const choice = page.report.sets.map((one) =>
    make(
      'button',
      {
        type: 'button',
        'aria-pressed': String(one === set),
        onclick: () => {
          chooseSet(one);
        },
      },
      `${plural(one.files.length, 'picture')} of the ${useNames[one.use]}`,
    ),
  );
  box.replaceChildren(
    make(
      'p',
      { className: 'verdict' },
      `Of ${plural(alerts.length, 'picture')} that show ${className}, ${missed === 0 ? 'none is' : `${count(missed)} ${missed === 1 ? 'is' : 'are'}`} missed; ` +
        `of the ${count(others)} others, ${stops === 0 ? 'none stops' : `${count(stops)} ${stops === 1 ? 'stops' : 'stop'}`} the belt for nothing.`,
    ),
    page.report.sets.length > 1
      ? make('div', { className: 'bar' }, ...choice)
      : make('p', { className: 'quiet' }, `On ${plural(set.files.length, 'picture')} of the ${useNames[set.use]}.`),
    make(
      'div',
      { className: 'tiles' },
      tile(
        'Missed',
        count(missed),
        `of ${count(alerts.length)}`,
        intervalText(set.figures.missRate),
        missed === 0 ? 'good' : 'bad',
      ),
      tile(
        'False stops',
        count(stops),
        `of ${count(others)}`,
        intervalText(set.figures.falseAlarmRate),
        stops === 0 ? 'good' : '',
      ),
      tile(
        'Right class',
        percent(set.files.length === 0 ? 0 : right / set.files.length),
        '',
        intervalText(set.figures.accuracy),
      ),
      ...(unknown === null ? [] : [tile('Unlike the training', count(unknown), '', 'the verdict on them is a guess')]),
      ...(set.unjudged.length > 0
        ? [tile('Without a verdict', count(set.unjudged.length), '', 'their scores are no numbers', 'bad')]
        : []),
      tile(
        'Threshold',
        String(Number(page.report.alert.threshold.toPrecision(4))),
        '',
        page.report.alert.reason ?? 'as it was set at the start; nobody chose it',
      ),
    ),
  );
  const { mistakes, unreadable } = set.leftOut;
  const said = [
    ...(mistakes > 0 ? [`${plural(mistakes, 'more mistake')} stand as rows without picture.`] : []),
    ...(unreadable > 0
      ? [`${plural(unreadable, 'picture')} could not be read where they were, and stand as rows.`]
      : []),
    ...(set.use === 'training' ? ['These pictures trained the model: their figures praise it.'] : []),
  ];
  if (said.length > 0) box.append(make('p', { className: 'quiet' }, said.join(' ')));
}

function showCurves() {
  const { epochs, bestEpoch } = page.report;
  const shown = epochs.filter(({ epoch }) => epoch > 0);
  if (shown.length === 0) return;
  const parent = show('training').querySelector('#curves');
  parent.replaceChildren();
  const of = (name) => shown.map((record) => record[name] ?? null);
  const has = (name) => of(name).some((value) => value !== null);
  const common = {
    x: shown.map(({ epoch }) => epoch),
    xLabel: 'epoch',
    whole: true,
    marks: bestEpoch ? [{ at: bestEpoch, text: 'best' }] : [],
  };
  chart(parent, {
    ...common,
    title: 'Loss',
    description: 'Loss by epoch',
    series: [
      { label: 'training', values: of('loss'), colour: 'accent' },
      ...(has('valLoss') ? [{ label: 'validation', values: of('valLoss'), colour: 'second', dash: [6, 4] }] : []),
    ],
  });
  chart(parent, {
    ...common,
    title: 'Accuracy',
    description: 'Accuracy by epoch',
    series: [
      { label: 'training', values: of('accuracy'), colour: 'accent' },
      ...(has('valAccuracy')
        ? [{ label: 'validation', values: of('valAccuracy'), colour: 'second', dash: [6, 4] }]
        : []),
      ...(has('balancedAccuracy')
        ? [{ label: 'balanced', values: of('balancedAccuracy'), colour: 'good', dash: [2, 3] }]
        : []),
    ],
  });
}

function showData() {
  const { audit, augmented } = page.report;
  if (audit === null && augmented === null) return;
  show('data');
  if (audit !== null) {
    byId('audit').replaceChildren(
      audit.length === 0
        ? make('p', { className: 'quiet' }, 'The audit before the training found nothing that would harm it.')
        : make(
            'ul',
            { className: 'findings' },
            ...audit.map(({ kind, severity, message, advice }) =>
              make(
                'li',
                {},
                make('span', { className: `chip ${severity}` }, `${severity}: ${kind}`),
                ' ',
                message,
                make('div', { className: 'quiet' }, advice),
              ),
            ),
          ),
    );
  }
  if (augmented === null) return;
  const [image, caption] = show('augmented').children;
  image.src = augmented.image;
  image.alt = augmented.words;
  caption.textContent = augmented.words;
}

/** A longer table is opened by whoever wants it. */
const FEW_LAYERS = 16;

function showModel() {
  const { layers, settings, card } = page.report;
  if (layers.length + settings.length === 0) return;
  show('model');
  const total = layers.reduce((sum, { parameters }) => sum + parameters, 0);
  byId('layers').hidden = layers.length === 0;
  byId('layers').open = layers.length <= FEW_LAYERS;
  byId('layers').firstElementChild.textContent = `${plural(layers.length, 'layer')}, ${plural(total, 'parameter')}`;
  byId('layers').lastElementChild.replaceChildren(
    tableOf(
      [
        ['Layer', null, ({ name }) => name],
        ['Kind', null, ({ kind }) => kind],
        ['Gives', null, ({ shape }) => shape.replaceAll(' ', '\u00a0')],
        ['Parameters', true, ({ parameters }) => count(parameters)],
      ],
      layers,
    ),
  );
  byId('settings').replaceChildren(
    tableOf(
      [
        ['Setting', false, ([name]) => name],
        ['Value', false, ([, value]) => value],
      ],
      settings,
    ),
  );
  if (card === null) return;
  show('card').lastElementChild.replaceChildren(...cardOf(card));
}

function showRuns() {
  if (page.report.runs.length < 2) return;
  show('runs')
    .querySelector('.scroll')
    .replaceChildren(
      tableOf(
        [
          ['Run', false, ({ name, isThis }) => (isThis ? `${name} (this)` : name)],
          ['Started', false, ({ started }) => new Date(started).toLocaleString()],
          ['Pictures', false, ({ size }) => size],
          ['Parameters', true, ({ parameters }) => (parameters === null ? '–' : count(parameters))],
          ['Epochs', true, ({ epochs }) => count(epochs)],
          ['Best', true, ({ bestEpoch }) => bestEpoch ?? '–'],
          ['Loss', true, ({ valLoss }) => figure(valLoss)],
          ['Accuracy', true, ({ valAccuracy }) => figure(valAccuracy)],
          ['Balanced', true, ({ balancedAccuracy }) => figure(balancedAccuracy)],
          ['Missed', true, ({ missedAlerts }) => missedAlerts ?? '–'],
        ],
        page.report.runs,
        ({ isThis }) => (isThis ? 'this' : ''),
      ),
    );
}

function showSections() {
  const sections = [...document.querySelectorAll('main > section[aria-labelledby]')].filter(
    (section) => !section.hidden,
  );
  byId('sections').replaceChildren(
    ...sections.map((section) => make('a', { href: `#${section.id}` }, section.querySelector('h2').textContent)),
  );
}

function chooseSet(set) {
  Object.assign(view, { set, cell: null, limit: PAGE, filter: 'mistakes' });
  showAll();
}

function showAll() {
  clearCharts();
  showHead();
  showSummary();
  showCurves();
  if (view.set !== null) {
    show('confusion');
    show('pictures');
    showMatrix();
    showPictures();
    showAlarm();
    showQuality();
  }
  showData();
  showModel();
  showRuns();
  showSections();
}

byId('more').onclick = () => {
  const before = byId('gallery').children.length;
  view.limit += PAGE;
  showPictures();
  byId('gallery').children[before]?.querySelector('button')?.focus();
};

/** A report that is served while its training goes on asks for what is new; one in a file asks for nothing. */
async function follow() {
  while (page.report.live) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    try {
      const next = await (await fetch('data.json')).json();
      const isNew = next.epochs.length !== page.report.epochs.length || next.live === null;
      page.report = next;
      if (page.report.sets.length > 0) view.set = page.report.sets[0];
      if (isNew) showAll();
    } catch {
      byId('live').textContent =
        'The training has ended, or its server has gone. What stands here is the last that it said.';
      return;
    }
  }
}

view.set = page.report.sets[0] ?? null;
showAll();
void follow();
