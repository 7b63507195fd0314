/** The alarm's threshold: what each one misses and stops for nothing, and which is cheapest. */
import { chart } from '../shared/charts.js';
import { cheapest as cheapestOf, outcomeAt, thresholds } from '../shared/costs.js';
import { byId, count, figure, make, percent, plural, show } from '../shared/dom.js';
import { page, places, view } from './state.js';

function alarmOf(set) {
  const label = page.report.classNames.indexOf(page.report.alert.className);
  const scores = (isAlertClass) =>
    Float64Array.from(
      places(set).filter((n) => (set.labels[n] === label) === isAlertClass),
      (n) => set.probabilities[n][label],
    ).toSorted();
  return { alerts: scores(true), others: scores(false) };
}

export function showAlarm() {
  const { alerts, others } = alarmOf(view.set);
  if (alerts.length === 0 || others.length === 0) return;
  show('alarm');
  const outcome = (threshold) => outcomeAt({ alerts, others }, threshold);
  const { className, threshold: own, reason } = page.report.alert;
  const slider = (text, properties) => {
    const output = make('output');
    const input = make('input', { type: 'range', ...properties });
    return { input, output, element: make('div', { className: 'control' }, make('label', {}, text, output), input) };
  };
  const cost = slider(`A missed ${className} costs as much as so many false stops`, {
    min: 0,
    max: 300,
    value: 170,
    'aria-label': 'Cost of a miss in false stops',
  });
  const rarity = slider(`Pictures on the belt that show ${className}`, {
    min: -400,
    max: -30,
    value: -200,
    'aria-label': 'How frequent the class is',
  });
  const place = slider('Alarm from this probability on', { min: 0, max: 400, value: 200, 'aria-label': 'Threshold' });
  const [missed, stops] = [make('strong'), make('strong')];
  const [missedWords, stopWords] = [make('span', { className: 'quiet' }), make('span', { className: 'quiet' })];
  const command = make('code');
  const ratio = () => Math.round(10 ** (cost.input.value / 100));
  const share = () => 10 ** (rarity.input.value / 100);
  const say = (threshold) => {
    const { missed: m, stops: s } = outcome(threshold);
    place.output.textContent = threshold.toPrecision(3);
    missed.textContent = `${count(m)} of ${count(alerts.length)}`;
    stops.textContent = `${count(s)} of ${count(others.length)}`;
    missedWords.textContent = `missed; of 10,000 pictures of the belt about ${(10_000 * share() * (m / alerts.length)).toFixed(1)}`;
    stopWords.textContent = `false stops; of 10,000 about ${(10_000 * (1 - share()) * (s / others.length)).toFixed(1)}`;
    command.textContent = `beltnet threshold runs/${page.report.name} PICTURES --cost-miss ${ratio()} --cost-false 1 --prevalence ${share().toPrecision(2)}`;
  };
  const cheapest = () => {
    cost.output.textContent = count(ratio());
    rarity.output.textContent = percent(share(), share() < 0.01 ? 2 : 1);
    const best = cheapestOf({ alerts, others }, ratio(), share());
    place.input.value = best;
    say(thresholds[best]);
  };
  for (const { input } of [cost, rarity]) input.oninput = cheapest;
  place.input.oninput = () => say(thresholds[Number(place.input.value)]);
  byId('cost').replaceChildren(
    make('h3', {}, 'What would it cost?'),
    make(
      'p',
      { className: 'quiet' },
      `The model's own threshold is ${own}${reason ? ` (${reason})` : ''}: ${plural(outcome(own).missed, 'miss').replace('misss', 'misses')}, ${plural(outcome(own).stops, 'false stop')} on these pictures.`,
    ),
    cost.element,
    rarity.element,
    place.element,
    make('div', { className: 'outcome' }, make('div', {}, missed, missedWords), make('div', {}, stops, stopWords)),
    make(
      'p',
      { className: 'quiet' },
      'Found on these pictures, which may say too much of themselves. To set it, on pictures of its own: ',
      command,
    ),
  );
  cheapest();
  byId('trade').replaceChildren();
  const parts = thresholds.map((threshold) => outcome(threshold));
  chart(byId('trade'), {
    title: 'Missed and false stops by threshold',
    description: 'Part of alarms that are missed, and of other pictures that raise one, by the threshold',
    x: thresholds,
    xLabel: 'threshold',
    series: [
      { label: 'missed', values: parts.map(({ missed: m }) => m / alerts.length), colour: 'bad' },
      { label: 'false stops', values: parts.map(({ stops: s }) => s / others.length), colour: 'accent', dash: [6, 4] },
    ],
    xRange: [0, 1],
    range: [0, 1],
    marks: [{ at: own, text: `${own} now` }],
  });
  byId('trade').firstElementChild.classList.remove('card');
}

export function showQuality() {
  const { set } = view;
  const parent = byId('quality-charts');
  parent.replaceChildren();
  if (set.roc.length === 0 && set.reliability.length === 0) return;
  show('quality');
  const { className } = page.report.alert;
  const interval = ({ estimate, low, high, reason }) =>
    reason
      ? `no interval: ${reason}`
      : `${estimate === undefined ? '' : `${figure(estimate)}, `}95 %: ${figure(low)} to ${figure(high)}`;
  if (set.roc.length > 0) {
    chart(parent, {
      title: `ROC of ${className}`,
      words: `Area ${interval(set.figures.rocAuc)}`,
      description: 'True positive rate by false positive rate',
      x: set.roc.map(([x]) => x),
      xLabel: 'false stops',
      series: [{ label: 'found', values: set.roc.map(([, y]) => y), colour: 'accent' }],
      ...{ xRange: [0, 1], range: [0, 1.02], square: true },
    });
    chart(parent, {
      title: `Precision and recall of ${className}`,
      words: `Average precision ${interval(set.figures.averagePrecision)}`,
      description: 'Precision by recall',
      x: set.precisionRecall.map(([x]) => x),
      xLabel: 'found',
      series: [{ label: 'right', values: set.precisionRecall.map(([, y]) => y), colour: 'accent' }],
      ...{ xRange: [0, 1], range: [0, 1.02], square: true },
    });
  }
  chart(parent, {
    title: 'Reliability',
    words: `Probabilities miss the truth by ${percent(set.figures.expectedCalibrationError)} on average (expected calibration error).`,
    description: 'How often the model is right, by the probability that it says',
    x: set.reliability.map(({ confidence }) => confidence),
    xLabel: 'probability said',
    series: [
      { label: 'was right', values: set.reliability.map(({ accuracy }) => accuracy), colour: 'accent', points: true },
      { label: 'perfect', values: set.reliability.map(({ confidence }) => confidence), colour: 'quiet', dash: [4, 4] },
    ],
    ...{ xRange: [0, 1], range: [0, 1.02], square: true },
  });
}
