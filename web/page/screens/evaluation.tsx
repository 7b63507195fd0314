/** What the model does on the pictures that judge it: alarms, costs, what was taken for what, and each mistake. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { confusionTable } from '../../shared/confusion.js';
import { outcomeAt, thresholds } from '../../shared/costs.js';
import type { Interval, ThresholdCriterion } from '../../../src/index.js';
import type { Evaluated, EvaluatedPicture, ModelState, PictureId } from '../engine/protocol.js';
import { format, words } from '../strings.js';
import { Slider } from './fields.js';
import { Button, Empty } from './parts.js';
import { errorOf, useStore, useView } from './state.js';
import { Thumbnail } from './thumbnails.js';

/** Pictures of a cell that are shown at first, and more with each click. */
const AT_ONCE = 24;

export function Evaluation({ model, onOpen }: { model: ModelState; onOpen: (id: PictureId) => void }): JSX.Element {
  const store = useStore();
  const pictures = useView((state) => state.pictures.length);
  const isAdding = useView((state) => state.work?.work === 'adding');
  const [evaluated, setEvaluated] = useState<Evaluated | null>(null);
  const [busy, setBusy] = useState(false);
  const [cell, setCell] = useState<readonly [number, number] | null>(null);
  const judge = async (): Promise<void> => {
    setBusy(true);
    setEvaluated(await store.attempt(() => store.engine.trial.evaluation()));
    setBusy(false);
  };
  useEffect(() => {
    setCell(null);
    if (pictures === 0) setEvaluated(null);
    else if (!isAdding) void judge(); // while more come, each would be judged again with every few
  }, [model.run, model.weightsHash, model.alert.threshold, model.calibrated, pictures > 0, isAdding]);
  if (evaluated === null)
    return (
      <section class="card fill" aria-label={words.try.evaluation}>
        <Empty icon="prove" title={words.try.evaluation}>
          <Button disabled={busy || pictures === 0} onClick={() => void judge()}>
            {busy ? words.work.judging : words.try.evaluate}
          </Button>
        </Empty>
      </section>
    );
  return (
    <section class="card fill scrolls" aria-labelledby="evaluation-title" tabIndex={0}>
      <h2 id="evaluation-title">{words.try.evaluation}</h2>
      <p class="quiet">
        {words.try.on(evaluated.pictures.length, evaluated.use)}
        {evaluated.isNoEvidence && `. ${words.try.noEvidence}`}
      </p>
      <Figures evaluated={evaluated} alert={model.alert.className} />
      <Costs evaluated={evaluated} model={model} />
      <h3>{words.try.matrix}</h3>
      <Matrix evaluated={evaluated} cell={cell} onCell={setCell} />
      <Pictures evaluated={evaluated} cell={cell} onOpen={onOpen} />
      {!model.calibrated && (
        <p class="row wrap quiet">
          {words.try.notCalibrated}
          <Button
            onClick={() => void store.attempt(async () => store.set({ model: await store.engine.trial.calibrate() }))}
          >
            {words.try.calibrate}
          </Button>
        </p>
      )}
    </section>
  );
}

function Figures({ evaluated, alert }: { evaluated: Evaluated; alert: string }): JSX.Element {
  const { pictures, intervals } = evaluated;
  const alarms = pictures.filter(({ label }) => label === alert);
  const missed = alarms.filter((picture) => !picture.alert).length;
  const stops = pictures.filter(({ label, alert: raised }) => label !== alert && raised).length;
  const right = pictures.filter(({ label, class: taken }) => label === taken).length;
  const tile = (title: string, value: string, of: string, interval: Interval | null, tone: string): JSX.Element => (
    <div class="tile">
      <p class="tile-title">{title}</p>
      <p class={`value ${tone}`}>
        {value} <small>{of}</small>
      </p>
      <p class="quiet">{interval ? words.try.interval(interval.low, interval.high) : words.try.noInterval}</p>
    </div>
  );
  return (
    <div class="tiles">
      {tile(
        words.try.missed,
        format.count(missed),
        words.try.ofAll(alarms.length),
        intervals.missRate,
        missed === 0 ? 'good' : 'bad',
      )}
      {tile(
        words.try.stops,
        format.count(stops),
        words.try.ofAll(pictures.length - alarms.length),
        intervals.falseAlarmRate,
        stops === 0 ? 'good' : '',
      )}
      {tile(words.try.right, format.percent(right / Math.max(1, pictures.length)), '', intervals.accuracy, '')}
    </div>
  );
}

/**
 * What a miss costs chooses the threshold, as `beltnet threshold` does: on held-back pictures, never on those of a test. The model takes it
 * when the user says so.
 */
function Costs({ evaluated, model }: { evaluated: Evaluated; model: ModelState }): JSX.Element | null {
  const store = useStore();
  const { className, threshold: own } = model.alert;
  const scores = useMemo(() => {
    const of = (isAlert: boolean): Float64Array =>
      Float64Array.from(
        evaluated.pictures.filter(({ label }) => (label === className) === isAlert).map(({ alarm }) => alarm),
      ).toSorted();
    return { alerts: of(true), others: of(false) };
  }, [evaluated, className]);
  const [cost, setCost] = useState(170);
  const [rarity, setRarity] = useState(-200);
  const [threshold, setThreshold] = useState<number | null>(null);
  /** What the threshold was chosen by; null where it was by hand. */
  const [criterion, setCriterion] = useState<ThresholdCriterion | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const wanted = useRef<ThresholdCriterion | null>(null);
  const isAsking = useRef(false);
  if (scores.alerts.length === 0 || scores.others.length === 0) return null;
  const ratio = Math.round(10 ** (cost / 100));
  const share = 10 ** (rarity / 100);
  const shown = threshold ?? own;
  const { missed, stops } = outcomeAt(scores, shown);
  const choose = (nextCost: number, nextRarity: number): void => {
    setCost(nextCost);
    setRarity(nextRarity);
    wanted.current = {
      ...{ costMiss: Math.round(10 ** (nextCost / 100)), costFalse: 1, prevalence: 10 ** (nextRarity / 100) },
    };
    if (!isAsking.current) void ask();
  };
  /** Whoever moves a slider asks for many: the last one is answered. */
  const ask = async (): Promise<void> => {
    isAsking.current = true;
    while (wanted.current) {
      const asked = wanted.current;
      wanted.current = null;
      try {
        setThreshold((await store.engine.trial.chooseThreshold(asked)).threshold);
        setCriterion(asked);
        setProblem(null);
      } catch (error) {
        setProblem(errorOf(error).message);
      }
    }
    isAsking.current = false;
  };
  const take = async (chosen: number): Promise<void> => {
    const { trial } = store.engine;
    store.set({
      model: await (criterion ? trial.decide(criterion) : trial.setThreshold(chosen, words.try.byHand)),
    });
    setThreshold(null);
  };
  const place = Math.round(20 * Math.log(shown / (1 - shown)) + 200);
  return (
    <div class="costs">
      <h3>{words.try.cost}</h3>
      <Slider
        label={words.try.costLabel(className)}
        value={cost}
        min={0}
        max={300}
        shown={words.try.costValue(ratio)}
        onInput={(next) => choose(next, rarity)}
      />
      <Slider
        label={words.try.rarity(className)}
        value={rarity}
        min={-400}
        max={-30}
        shown={format.percent(share, share < 0.01 ? 2 : 1)}
        onInput={(next) => choose(cost, next)}
      />
      <Slider
        label={words.try.from}
        value={Math.min(400, Math.max(0, place))}
        min={0}
        max={400}
        shown={format.percent(shown, 2)}
        onInput={(next) => {
          setThreshold(thresholds[next]);
          setCriterion(null);
        }}
      />
      {problem && <p class="remark">{words.try.noChoice(problem)}</p>}
      <div class="row wrap">
        <strong class="outcome">{words.try.outcome(missed, scores.alerts.length, stops, scores.others.length)}</strong>
        <span class="spacer" />
        {threshold === null || threshold === own ? (
          <span class="quiet">{words.try.isUsed}</span>
        ) : (
          <Button kind="primary" onClick={() => void store.attempt(() => take(threshold))}>
            {words.try.useThreshold}
          </Button>
        )}
      </div>
    </div>
  );
}

function Matrix({
  evaluated,
  cell,
  onCell,
}: {
  evaluated: Evaluated;
  cell: readonly [number, number] | null;
  onCell: (cell: readonly [number, number] | null) => void;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const chosen = useRef(cell);
  chosen.current = cell;
  useEffect(() => {
    const choose = (next: [number, number]): void => onCell(chosen.current?.join() === next.join() ? null : next);
    box.current?.replaceChildren(confusionTable(evaluated.classNames, evaluated.confusion, choose));
  }, [evaluated]);
  useEffect(() => {
    for (const one of box.current?.querySelectorAll<HTMLElement>('.cell') ?? [])
      one.setAttribute('aria-pressed', String(cell?.join() === one.dataset['cell']));
  }, [cell, evaluated]);
  return (
    <>
      <p class="quiet">{words.try.matrixHelp}</p>
      <div class="scroll matrix" ref={box} tabIndex={0} role="region" aria-label={words.try.matrix} />
    </>
  );
}

function Pictures({
  evaluated,
  cell,
  onOpen,
}: {
  evaluated: Evaluated;
  cell: readonly [number, number] | null;
  onOpen: (id: PictureId) => void;
}): JSX.Element {
  const [most, setMost] = useState(AT_ONCE);
  useEffect(() => setMost(AT_ONCE), [cell, evaluated]);
  const { classNames } = evaluated;
  const ownOf = ({ label, class: taken, probability }: EvaluatedPicture): number =>
    label === taken ? 1 + (1 - probability) : 1 - probability;
  const chosen = evaluated.pictures
    .filter(({ label, class: taken }) =>
      cell ? label === classNames[cell[0]] && taken === classNames[cell[1]] : label !== taken,
    )
    .toSorted((a, b) => ownOf(a) - ownOf(b));
  const title = cell ? words.try.takenFor(classNames[cell[0]], classNames[cell[1]]) : words.try.mistakes;
  return (
    <>
      <h3>
        {title} <small class="quiet">{format.count(chosen.length)}</small>
      </h3>
      {chosen.length === 0 && <p class="quiet">{words.try.noMistakes}</p>}
      <ul class="mistakes">
        {chosen.slice(0, most).map(({ id, file, label, class: taken, probability, unknown }) => (
          <li key={file}>
            <button
              type="button"
              disabled={id === null}
              title={file}
              aria-label={`${file}: ${words.try.takenFor(label, taken)}`}
              onClick={() => id !== null && onOpen(id)}
            >
              {id === null ? <span class="gone">{words.try.gone}</span> : <Thumbnail id={id} />}
              <span>
                {label === taken ? taken : `${label} → ${taken}`} {format.percent(probability, 0)}
              </span>
              {unknown && <span class="chip warning">{words.try.isUnknown}</span>}
            </button>
          </li>
        ))}
      </ul>
      {chosen.length > most && <Button onClick={() => setMost(most + 2 * AT_ONCE)}>{words.try.more}</Button>}
      {evaluated.unjudged.length > 0 && (
        <details>
          <summary>{words.try.unjudged(evaluated.unjudged.length)}</summary>
          <ul>
            {evaluated.unjudged.slice(0, 100).map(({ file, reason }) => (
              <li key={file}>
                {file}: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
