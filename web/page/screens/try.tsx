/** Try: one picture, or what the camera sees now, and what the model says of it. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Explained, Judged, ModelState, PictureId, TriedPicture } from '../engine/protocol.js';
import { format, words } from '../strings.js';
import { Camera } from './camera.js';
import { Evaluation } from './evaluation.js';
import { Choice, Toggle } from './fields.js';
import { chooseFiles, DropZone } from './given-files.js';
import { Bitmap, Button, Empty } from './parts.js';
import { errorOf, useStore, useView } from './state.js';
import { RunChooser } from './runs.js';

export function TryScreen(): JSX.Element {
  const store = useStore();
  const model = useView((state) => state.model);
  const [source, setSource] = useState<'picture' | 'camera'>('picture');
  const [tried, setTried] = useState<TriedPicture | null>(null);
  const [judged, setJudged] = useState<Judged | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const [rate, setRate] = useState<number | null>(null);
  const last = useRef(0);
  const stage = useRef<HTMLElement>(null);
  /** A picture that cannot be judged says why where its verdict would stand. */
  const judge = async (picture: TriedPicture): Promise<boolean> => {
    try {
      setJudged(await store.engine.trial.classify(picture));
      setFailed(null);
      return true;
    } catch (error) {
      setJudged(null);
      setFailed(errorOf(error).message);
      return false;
    }
  };
  const show = async (picture: TriedPicture): Promise<void> => {
    setTried(picture);
    setRate(null);
    await judge(picture);
  };
  const watch = async (frame: ImageBitmap): Promise<void> => {
    if (!(await judge(frame))) return setSource('picture');
    const now = performance.now();
    setRate((before) =>
      last.current === 0 ? null : 0.8 * (before ?? 1000 / (now - last.current)) + 200 / (now - last.current),
    );
    last.current = now;
    return undefined;
  };
  // The same picture under another model or threshold is another verdict.
  useEffect(() => {
    if (tried && source === 'picture' && model) void judge(tried);
  }, [model]);
  if (model === null)
    return (
      <Empty icon="try" title={words.try.emptyTitle}>
        <p>{words.try.emptyWords}</p>
        <div class="row">
          <Button kind="primary" icon="train" onClick={() => store.go('train')}>
            {words.screens.train}
          </Button>
          <Button icon="files" onClick={() => store.go('files')}>
            {words.screens.files}
          </Button>
        </div>
      </Empty>
    );
  const change = (next: typeof source): void => {
    setSource(next);
    setJudged(null);
    setFailed(null);
    setTried(null);
    setRate(null);
    last.current = 0;
  };
  const open = (id: PictureId): void => {
    setSource('picture');
    void show({ picture: id });
    stage.current?.scrollIntoView({ block: 'nearest' }); // on a phone it is above
  };
  return (
    <div class="halves">
      <section ref={stage} class="card fill stage" aria-label={words.try.title}>
        <div class="toolbar">
          <Choice
            label={words.try.source}
            value={source}
            choices={[
              ['picture', words.try.fromPicture],
              ['camera', words.try.fromCamera],
            ]}
            onChange={change}
          />
          <span class="spacer" />
          <RunChooser />
        </div>
        <Verdict judged={judged} failed={failed} model={model} rate={rate} />
        {source === 'camera' ? (
          <Camera perSecond={15} onFrame={watch} />
        ) : (
          <Tried tried={tried} judged={judged} onPicture={(picture) => void show(picture)} />
        )}
      </section>
      <Evaluation model={model} onOpen={open} />
    </div>
  );
}

function Tried({
  tried,
  judged,
  onPicture,
}: {
  tried: TriedPicture | null;
  judged: Judged | null;
  onPicture: (picture: TriedPicture) => void;
}): JSX.Element {
  const store = useStore();
  const [url, setUrl] = useState<string | null>(null);
  const [heat, setHeat] = useState(true);
  const [explained, setExplained] = useState<Explained | null>(null);
  useEffect(() => {
    let made: string | null = null;
    let isLatest = true;
    const look = async (): Promise<void> => {
      if (tried === null) return;
      const blob =
        tried instanceof Blob
          ? tried
          : 'picture' in tried
            ? (await store.engine.pictures.file(tried.picture)).blob
            : null;
      if (blob === null || !isLatest) return;
      made = URL.createObjectURL(blob);
      setUrl(made);
    };
    setUrl(null);
    void store.attempt(look);
    return () => {
      isLatest = false;
      if (made) URL.revokeObjectURL(made);
    };
  }, [store, tried]);
  useEffect(() => {
    let isLatest = true;
    setExplained(null);
    if (heat && tried && judged)
      void store
        .attempt(() => store.engine.trial.heatMap(tried))
        .then((next) => {
          if (isLatest) setExplained(next);
        });
    return () => {
      isLatest = false;
    };
  }, [store, tried, judged, heat]);
  const choose = (): void =>
    void chooseFiles({ accept: '.jpg,.jpeg,.png,.bmp' }).then(([given]) => given && onPicture(given.file));
  return (
    <>
      <DropZone class={`picture ${tried ? 'has' : ''}`} onFiles={([given]) => given && onPicture(given.file)}>
        {tried === null ? (
          <>
            <strong>{words.try.drop}</strong>
            <span class="quiet">{words.try.dropWords}</span>
          </>
        ) : explained && heat ? (
          <Bitmap bitmap={explained.overlay} label={words.try.heatOf(explained.className)} />
        ) : (
          url && (
            <img
              src={url}
              alt={words.try.fromPicture}
              onLoad={({ currentTarget }) => currentTarget.classList.toggle('coarse', currentTarget.naturalWidth < 200)}
            />
          )
        )}
      </DropZone>
      <div class="row wrap">
        <Button icon="file" onClick={choose}>
          {words.try.choose}
        </Button>
        <Toggle label={words.try.heat} checked={heat} onChange={setHeat} />
        {heat && explained && <span class="quiet">{words.try.heatOf(explained.className)}</span>}
      </div>
    </>
  );
}

/** The lamp, and how sure the model is of what. */
function Verdict({
  judged,
  failed,
  model,
  rate,
}: {
  judged: Judged | null;
  failed: string | null;
  model: ModelState;
  rate: number | null;
}): JSX.Element {
  const state =
    failed !== null
      ? 'error'
      : judged === null
        ? 'idle'
        : judged.alert
          ? 'alarm'
          : judged.unknown
            ? 'unknown'
            : 'quiet';
  const { alert } = model;
  const title = {
    idle: words.try.idle,
    error: words.try.failed,
    alarm: words.try.alarm(alert.className),
    unknown: words.try.unknown,
    quiet: words.try.quiet,
  }[state];
  return (
    <div class={`verdict is-${state}`}>
      <div class="lamp" aria-hidden="true" />
      <div class="says">
        <p class="title" role="status">
          {title}
          {judged && judged.alert && judged.unknown && <span class="chip warning">{words.try.isUnknown}</span>}
        </p>
        <p class="quiet">
          {judged
            ? `${words.try.probability(judged.class, judged.probability)} · ${rate === null ? words.try.took(judged.milliseconds) : words.try.perSecond(rate)}`
            : words.try.threshold(alert.threshold)}
        </p>
        {failed !== null && <p class="remark">{failed}</p>}
        {judged?.unknown && <p class="remark">{words.try.unknownWords}</p>}
        {judged?.faults?.map((fault) => (
          <p class="remark" key={fault}>
            {words.faults[fault]}
          </p>
        ))}
      </div>
      <ul class="bars" aria-label={model.calibrated ? words.try.calibrated : words.try.probabilities}>
        {model.classNames.map((name) => {
          const part = judged?.probabilities[name] ?? 0;
          return (
            <li key={name} class={name === alert.className ? 'alert-class' : ''}>
              <span>{name}</span>
              <span class="bar">
                <span style={{ width: `${100 * part}%` }} />
                {name === alert.className && (
                  <i title={words.try.threshold(alert.threshold)} style={{ left: `${100 * alert.threshold}%` }} />
                )}
              </span>
              <span class="number">{judged ? format.percent(part) : words.none}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
