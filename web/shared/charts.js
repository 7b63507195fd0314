/** Charts by uPlot. They are made anew when the page changes its colours, or their place its width. */
import uPlot from 'uplot';
import { colour, make } from './dom.js';

const charts = new Set();

/**
 * Draws into an element, and again when its width or the page's colours change.
 * @param {HTMLElement} holder
 * @param options { x, xLabel, series: [{ label, values, colour, dash, points }] over `x`, range, marks: [{ at, text }], square, height, plain }
 * @returns {{ update(options: object): void, destroy(): void }}
 */
export function plotInto(holder, options) {
  const one = { holder, options, plot: null };
  charts.add(one);
  draw(one);
  widths.observe(holder);
  return {
    update: (next) => {
      const isSame = one.plot !== null && frameOf(next) === frameOf(one.options);
      one.options = next;
      if (isSame) one.plot.setData(dataOf(next));
      else draw(one);
    },
    destroy: () => {
      widths.unobserve(holder);
      one.plot?.destroy();
      charts.delete(one);
    },
  };
}

/** A card with a title, a plot, and `words` below it. */
export function chart(parent, options) {
  const box = make('div', { className: 'card' });
  const holder = make('div', { role: 'img', 'aria-label': options.description });
  box.append(make('h3', {}, options.title), holder);
  if (options.words) box.append(make('p', { className: 'quiet' }, options.words));
  parent.append(box);
  plotInto(holder, options);
}

const widthOf = (holder) => Math.max(220, holder.clientWidth || 480);

const dataOf = ({ x, series }) => [x, ...series.map(({ values }) => values)];

/** All of a chart but its numbers and marks: as long as that is the same, new numbers go into the chart that is there. */
const frameOf = (options) =>
  JSON.stringify(options, (name, value) => (['x', 'marks', 'values'].includes(name) ? undefined : value));

function draw(one) {
  const { holder, options } = one;
  one.plot?.destroy();
  holder.replaceChildren();
  const width = widthOf(holder);
  const axis = {
    stroke: colour('quiet'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line') },
    font: '12px system-ui',
  };
  const height = options.square ? Math.min(width, 300) : (options.height ?? 240);
  one.plot = new uPlot(
    {
      width,
      height,
      legend: { live: !options.plain },
      cursor: { y: false, points: { size: 6 } },
      scales: {
        x: { time: false, ...(options.xRange && { range: options.xRange }) },
        y: { ...(options.range && { range: options.range }), ...(options.log && { distr: 3 }) },
      },
      axes: [
        {
          ...axis,
          label: options.xLabel,
          labelFont: '12px system-ui',
          labelSize: 18,
          ...(options.whole && { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] }),
        },
        { ...axis, size: 52 },
      ],
      series: [
        { label: options.xLabel },
        ...options.series.map(({ label, colour: name, dash, points }) => ({
          label,
          stroke: colour(name),
          width: 2,
          spanGaps: true,
          ...(dash && { dash }),
          points: { show: points ?? (() => one.options.x.length < 3) },
          value: (_, value, at) => figureOf(value ?? lastOf(one.options, at)),
        })),
      ],
      hooks: {
        draw: [
          (plot) => {
            const { ctx: context, bbox } = plot;
            context.save();
            for (const { at, text, colour: name = 'ink' } of one.options.marks ?? []) {
              const x = plot.valToPos(at, 'x', true);
              context.strokeStyle = colour(name);
              context.fillStyle = colour(name);
              context.setLineDash([4, 4]);
              context.lineWidth = devicePixelRatio;
              context.beginPath();
              context.moveTo(x, bbox.top);
              context.lineTo(x, bbox.top + bbox.height);
              context.stroke();
              context.font = `${12 * devicePixelRatio}px system-ui`;
              const isRight = x > bbox.left + bbox.width * 0.7;
              context.textAlign = isRight ? 'right' : 'left';
              const place = [text, x + (isRight ? -6 : 6), bbox.top + 14 * devicePixelRatio];
              // A rim in the colour of the ground: curves may run behind the words.
              context.strokeStyle = colour('panel');
              context.lineWidth = 4 * devicePixelRatio;
              context.setLineDash([]);
              context.strokeText(...place);
              context.fillText(...place);
            }
            context.restore();
          },
        ],
      },
    },
    dataOf(options),
    holder,
  );
}

const figureOf = (value) => (value === null || value === undefined ? '–' : value.toPrecision(4));

/** Beside a curve over time stands its last value while the cursor is elsewhere. @param at place of the series, x being the first */
const lastOf = ({ whole, series }, at) => (whole ? series[at - 1].values.findLast((value) => value !== null) : null);

const drawAll = () => charts.forEach(draw);
/** Also when others come beside it: a chart that is drawn first has the whole line for itself. */
const widths = new ResizeObserver((entries) => {
  const wider = new Set(entries.map(({ target }) => target));
  for (const one of charts) if (wider.has(one.holder) && one.plot?.width !== widthOf(one.holder)) draw(one);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
addEventListener('beforeprint', drawAll);
addEventListener('afterprint', drawAll);

export function clearCharts() {
  for (const { plot } of charts) plot?.destroy();
  widths.disconnect();
  charts.clear();
}
