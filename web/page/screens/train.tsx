/** Train: what is trained and how. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Augmentation, TrainingOptions } from '../engine/protocol.js';
import { words } from '../strings.js';
import { Choice, NumberField, Slider, Toggle } from './fields.js';
import { Bitmap, Button, Empty } from './parts.js';
import { Curves, Log, Running } from './running.js';
import { Runs } from './runs.js';
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
