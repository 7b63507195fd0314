/** A training that goes on, or has ended: how far it is, its curves, and the line of each epoch. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { words } from '../strings.js';
import { Button, Chart, CommandLine, Empty } from './parts.js';
import { isBusy, useStore, useView } from './state.js';

export function Running(): JSX.Element {
  const store = useStore();
  const training = useView((state) => state.training);
  const step = useView((state) => state.step);
  const { phase, epoch, epochs, message } = training;
  const act = (action: 'pause' | 'resume' | 'stop') => () =>
    void store.attempt(async () => store.set({ training: await store.engine.training[action]() }));
  const within = step && phase === 'running' ? step.step / step.steps : 0;
  return (
    <section class="card running" aria-labelledby="running-title">
      <h2 id="running-title">{training.run ?? words.train.title}</h2>
      <p role="status">{words.train.phases[phase]}</p>
      {epochs > 0 && (
        <>
          <progress
            value={Math.min(epochs, Math.max(0, epoch - 1) + within)}
            max={epochs}
            aria-label={words.train.epochOf(epoch, epochs)}
          />
          <p class="quiet">{words.train.epochOf(Math.max(1, epoch), epochs)}</p>
        </>
      )}
      {step && phase === 'running' && (
        <dl class="figures">
          <dt>{words.train.loss}</dt>
          <dd>{step.loss.toFixed(4)}</dd>
          <dt>{words.train.accuracy}</dt>
          <dd>{step.accuracy.toFixed(4)}</dd>
        </dl>
      )}
      {message && <p class="remark">{message}</p>}
      <div class="row">
        {phase === 'paused' ? (
          <Button kind="primary" icon="play" onClick={act('resume')}>
            {words.train.resume}
          </Button>
        ) : (
          <Button icon="pause" disabled={phase !== 'running'} onClick={act('pause')}>
            {words.train.pause}
          </Button>
        )}
        <Button icon="stop" disabled={phase === 'finishing' || phase === 'preparing'} onClick={act('stop')}>
          {words.train.stop}
        </Button>
      </div>
    </section>
  );
}

export function Curves(): JSX.Element | null {
  const model = useView((state) => state.model);
  const epochs = useView((state) => state.epochs);
  const training = useView((state) => state.training);
  const project = useView((state) => state.project);
  const charts = useMemo(() => {
    const shown = epochs.map(({ record }) => record).filter(({ epoch }) => epoch > 0);
    if (shown.length === 0) return null;
    const best = project?.runs.find(({ name }) => name === (training.run ?? project.run))?.best;
    const of = (name: 'loss' | 'valLoss' | 'accuracy' | 'valAccuracy' | 'balancedAccuracy') =>
      shown.map((record) => record[name] ?? null);
    const line = (name: Parameters<typeof of>[0], label: string, colour: string, dash?: readonly number[]) => ({
      label,
      values: of(name),
      colour,
      ...(dash && { dash }),
    });
    const held = shown.some(({ valLoss }) => valLoss !== undefined);
    const common = {
      x: shown.map(({ epoch }) => epoch),
      xLabel: words.train.epoch,
      whole: true,
      height: 210,
      marks: best && !isBusy(training) && best.epoch > 0 ? [{ at: best.epoch, text: words.train.best }] : [],
    };
    return {
      loss: {
        ...common,
        series: [
          line('loss', words.train.training, 'accent'),
          ...(held ? [line('valLoss', words.train.validation, 'second', [6, 4])] : []),
        ],
      },
      accuracy: {
        ...common,
        series: [
          line('accuracy', words.train.training, 'accent'),
          ...(held
            ? [
                line('valAccuracy', words.train.validation, 'second', [6, 4]),
                line('balancedAccuracy', words.train.balanced, 'good', [2, 3]),
              ]
            : []),
        ],
      },
    };
  }, [epochs, training.phase, project?.runs]);
  // A head on a base is solved in one step: there is nothing to draw.
  if (charts === null && model !== null && !isBusy(training)) return null;
  if (charts === null)
    return (
      <section class="card fill">
        <Empty icon="train" title={isBusy(training) ? words.train.phases[training.phase] : words.train.emptyTitle}>
          <p class="quiet">{words.train.emptyWords}</p>
        </Empty>
      </section>
    );
  return (
    <div class="pair">
      <section class="card" aria-label={words.train.loss}>
        <h2>{words.train.loss}</h2>
        <Chart options={charts.loss} label={words.train.lossWords} />
      </section>
      <section class="card" aria-label={words.train.accuracy}>
        <h2>{words.train.accuracy}</h2>
        <Chart options={charts.accuracy} label={words.train.accuracyWords} />
      </section>
    </div>
  );
}

export function Log(): JSX.Element {
  const epochs = useView((state) => state.epochs);
  const training = useView((state) => state.training);
  const store = useStore();
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    const { current } = box;
    if (current && current.scrollHeight - current.scrollTop - current.clientHeight < 80)
      current.scrollTop = current.scrollHeight;
  }, [epochs]);
  const isDone = training.phase === 'finished' || training.phase === 'stopped';
  return (
    <section class="card fill" aria-labelledby="log-title">
      <div class="toolbar">
        <h2 id="log-title">{words.train.log}</h2>
        {isDone && <span class="good">{words.train.phases[training.phase]}</span>}
        {training.phase === 'failed' && <span class="bad">{training.message}</span>}
        <span class="spacer" />
        {!isBusy(training) && (
          <Button kind="primary" icon="try" onClick={() => store.go('try')}>
            {words.train.toTry}
          </Button>
        )}
      </div>
      <pre ref={box} class="log" role="log" tabIndex={0} aria-label={words.train.log}>
        {epochs.length === 0 && !isBusy(training)
          ? words.train.baseNote
          : epochs
              .map(({ record, line }) => `${words.train.epochLine(record.epoch, training.epochs)}${line}`)
              .join('\n')}
      </pre>
      {training.command && <CommandLine line={training.command} title={words.train.command} />}
    </section>
  );
}
