/** Train: what is trained and how, its curves, and the line of each epoch. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Augmentation, TrainingOptions } from '../engine/protocol.js';
import { words } from '../strings.js';
import { Ask } from './app.js';
import { Bitmap, Button, Chart, Choice, CommandLine, Empty, Icon, NumberField, Slider, Toggle } from './parts.js';
import { isBusy, useStore, useView } from './state.js';

type Options = Required<TrainingOptions>;

export function TrainScreen(): JSX.Element {
  const store = useStore();
  const project = useView((state) => state.project);
  const training = useView((state) => state.training);
  const epochs = useView((state) => state.epochs);
  const model = useView((state) => state.model);
  const trainable = (project?.classes.filter(({ pictures }) => pictures > 0).length ?? 0) >= 2;
  const [options, setOptions] = useState<Options | null>(null);
  useEffect(() => {
    void store.attempt(() => store.engine.training.defaults()).then(setOptions);
  }, [store, project?.id]);
  if (!trainable && !project?.run)
    return (
      <Empty icon="train" title={words.train.emptyTitle}>
        <p>{words.train.noPictures}</p>
        <Button kind="primary" icon="pictures" onClick={() => store.go('pictures')}>
          {words.train.toPictures}
        </Button>
      </Empty>
    );
  return (
    <div class="split train">
      <aside>
        {isBusy(training) ? (
          <Running />
        ) : (
          options && <Settings options={options} onChange={setOptions} disabled={!trainable} />
        )}
        <Runs />
      </aside>
      <div class="column">
        <Curves />
        {epochs.length > 0 || model !== null || isBusy(training) ? <Log /> : null}
        {options && !isBusy(training) && options.network !== 'darknet-tiny' && trainable && (
          <Preview options={options} />
        )}
      </div>
    </div>
  );
}

function Settings({
  options,
  onChange,
  disabled,
}: {
  options: Options;
  onChange: (options: Options) => void;
  disabled: boolean;
}): JSX.Element {
  const store = useStore();
  const device = useView((state) => state.device);
  const [starting, setStarting] = useState(false);
  const set = (change: Partial<Options>): void => onChange({ ...options, ...change });
  const isBase = options.network === 'darknet-tiny';
  const { width } = options.size;
  const start = async (): Promise<void> => {
    setStarting(true);
    const { name: _, ...given } = options; // a free one each time
    const training = await store.attempt(() => store.engine.training.start(given));
    if (training) store.set({ training, epochs: training.run === store.state.training.run ? store.state.epochs : [] });
    setStarting(false);
  };
  const network = (base: boolean, title: string, text: string): JSX.Element => (
    <label class={`pick ${base === isBase ? 'chosen' : ''}`}>
      <input
        type="radio"
        name="network"
        checked={base === isBase}
        onChange={() => set({ network: base ? 'darknet-tiny' : 'mission' })}
      />
      <strong>{title}</strong>
      <span class="quiet">{text}</span>
    </label>
  );
  return (
    <section class="card settings" aria-labelledby="settings-title">
      <h2 id="settings-title" class="hidden">
        {words.train.network}
      </h2>
      <fieldset class="picks">
        <legend class="hidden">{words.train.network}</legend>
        {network(true, words.train.base, words.train.baseWords)}
        {network(false, words.train.scratch, words.train.scratchWords)}
      </fieldset>
      {!isBase && (
        <>
          <NumberField
            label={words.train.epochs}
            value={options.epochs}
            min={1}
            max={10_000}
            onChange={(epochs) => set({ epochs })}
          />
          <div class="field">
            <span>{words.train.size}</span>
            <Choice
              label={words.train.size}
              value={String(width)}
              choices={['32', '64', '96', '128'].map((side) => [side, side] as const)}
              onChange={(side) => set({ size: { width: Number(side), height: Number(side) } })}
            />
          </div>
          <AugmentationFields augmentation={options.augmentation} onChange={(augmentation) => set({ augmentation })} />
        </>
      )}
      <details>
        <summary>{words.train.more}</summary>
        {!isBase && (
          <>
            <NumberField
              label={words.train.batch}
              value={options.batchSize}
              min={1}
              max={1024}
              onChange={(batchSize) => set({ batchSize })}
            />
            <NumberField
              label={words.train.rate}
              value={options.learningRate}
              min={1e-6}
              max={1}
              step="any"
              onChange={(learningRate) => set({ learningRate })}
            />
            <NumberField
              label={words.train.early}
              value={options.earlyStopping ?? 0}
              min={0}
              max={1000}
              onChange={(epochs) => set({ earlyStopping: epochs === 0 ? null : epochs })}
            />
            <Toggle
              label={words.train.balance}
              checked={options.balanceClasses}
              onChange={(balanceClasses) => set({ balanceClasses })}
            />
          </>
        )}
        <NumberField
          label={words.train.seed}
          value={options.seed}
          min={0}
          max={2 ** 31 - 1}
          onChange={(seed) => set({ seed })}
        />
        <Toggle
          label={words.train.reproducible}
          checked={options.reproducible}
          onChange={(reproducible) => set({ reproducible })}
        />
      </details>
      <div class="start">
        {device?.kind === 'cpu' && device.threads === 1 && !device.crossOriginIsolated && (
          <p class="quiet">{words.train.oneThread}</p>
        )}
        <Button kind="primary" icon="play" disabled={disabled || starting} onClick={() => void start()}>
          {words.train.start}
        </Button>
        {disabled && <p class="quiet">{words.train.noPictures}</p>}
      </div>
    </section>
  );
}

function AugmentationFields({
  augmentation,
  onChange,
}: {
  augmentation: Augmentation;
  onChange: (augmentation: Augmentation) => void;
}): JSX.Element {
  const set = (change: Augmentation): void => onChange({ ...augmentation, ...change });
  const part = (value: number): string => `${Math.round(100 * value)} %`;
  return (
    <details>
      <summary>{words.train.augmentation}</summary>
      <p class="quiet">{words.train.augmentationHelp}</p>
      <Toggle
        label={words.train.flip}
        checked={augmentation.horizontalFlip ?? false}
        onChange={(horizontalFlip) => set({ horizontalFlip })}
      />
      <Toggle
        label={words.train.flipVertical}
        checked={augmentation.verticalFlip ?? false}
        onChange={(verticalFlip) => set({ verticalFlip })}
      />
      <Slider
        label={words.train.rotation}
        value={augmentation.rotation ?? 0}
        min={0}
        max={45}
        shown={`${augmentation.rotation ?? 0}${words.train.degrees}`}
        onInput={(rotation) => set({ rotation })}
      />
      <Slider
        label={words.train.shift}
        value={augmentation.widthShift ?? 0}
        min={0}
        max={0.4}
        step={0.01}
        shown={part(augmentation.widthShift ?? 0)}
        onInput={(shift) => set({ widthShift: shift, heightShift: shift })}
      />
      <Slider
        label={words.train.zoom}
        value={augmentation.zoom ?? 0}
        min={0}
        max={0.5}
        step={0.01}
        shown={part(augmentation.zoom ?? 0)}
        onInput={(zoom) => set({ zoom })}
      />
      <Slider
        label={words.train.brightness}
        value={augmentation.brightness ? augmentation.brightness[1] - 1 : 0}
        min={0}
        max={0.8}
        step={0.01}
        shown={part(augmentation.brightness ? augmentation.brightness[1] - 1 : 0)}
        onInput={(by) => set({ brightness: by === 0 ? null : [1 - by, 1 + by] })}
      />
    </details>
  );
}

function Running(): JSX.Element {
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

function Curves(): JSX.Element | null {
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

function Log(): JSX.Element {
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

function Preview({ options }: { options: Options }): JSX.Element {
  const store = useStore();
  const [bitmap, setBitmap] = useState<ImageBitmap | null>(null);
  useEffect(() => {
    let isLatest = true;
    const timer = setTimeout(() => {
      void store.attempt(() => store.engine.pictures.preview(options)).then((next) => isLatest && setBitmap(next));
    }, 250);
    return () => {
      isLatest = false;
      clearTimeout(timer);
    };
  }, [store, options]);
  return (
    <section class="card preview" aria-labelledby="preview-title">
      <h2 id="preview-title">{words.train.preview}</h2>
      <Bitmap bitmap={bitmap} label={words.train.previewWords} />
    </section>
  );
}

/** The trainings of the project; the one that is looked at is what Try, Prove and In and out speak of. */
export function Runs(): JSX.Element | null {
  const store = useStore();
  const project = useView((state) => state.project);
  const training = useView((state) => state.training);
  const [asked, setAsked] = useState<string | null>(null);
  if (!project || project.runs.length === 0) return null;
  return (
    <section class="card runs" aria-labelledby="runs-title">
      <h2 id="runs-title">{words.train.runs}</h2>
      <ul class="plain-list">
        {project.runs.map(({ name, what, best, imported }) => (
          <li key={name} class={name === project.run ? 'chosen' : ''}>
            <button
              type="button"
              class="item"
              aria-pressed={name === project.run}
              disabled={isBusy(training)}
              onClick={() => void store.switchTo(() => store.engine.projects.selectRun(name))}
            >
              <span class="class-name">{name}</span>
              <span class="amount">{best?.balancedAccuracy === undefined ? '' : best.balancedAccuracy.toFixed(3)}</span>
              <span class="quiet">{imported ? `${what}, ${words.train.imported}` : what}</span>
            </button>
            <Button
              icon="bin"
              kind="quiet"
              label={`${words.train.removeRun}: ${name}`}
              disabled={isBusy(training)}
              onClick={() => setAsked(name)}
            />
          </li>
        ))}
      </ul>
      {asked !== null && (
        <Ask
          question={words.train.removeRunAsk(asked)}
          onClose={() => setAsked(null)}
          act={() => void store.switchTo(() => store.engine.projects.removeRun(asked))}
        />
      )}
    </section>
  );
}

/** Which run is looked at, where there is no list of them. */
export function RunChooser(): JSX.Element | null {
  const store = useStore();
  const project = useView((state) => state.project);
  const training = useView((state) => state.training);
  if (!project || project.runs.length < 2) return null;
  return (
    <label class="inline">
      <Icon name="train" />
      <select
        aria-label={words.train.run}
        value={project.run ?? ''}
        disabled={isBusy(training)}
        onChange={(event) => void store.switchTo(() => store.engine.projects.selectRun(event.currentTarget.value))}
      >
        {project.runs.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
