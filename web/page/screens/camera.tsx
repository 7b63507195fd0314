/** The live picture of a camera: which one, what is looked at, and whether it lives. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ProjectSettings } from '../engine/protocol.js';
import { words } from '../strings.js';
import { Button, Empty } from './parts.js';
import { useStore, useView } from './state.js';

type Region = NonNullable<ProjectSettings['region']>;

/** Limits of no training's: what no camera on a belt should show. */
const limits = { darkest: 25, brightest: 240, saturated: 0.5, sharpness: -1e9, flatCell: 0, flat: 1 };
/** Side of the small picture by which the camera is watched. */
const SIDE = 64;
const WATCH_EVERY = 500;
/** ms without any change of any pixel; sensors have noise. */
const FROZEN_AFTER = 2000;

const whatWentWrong = (error: unknown): string => {
  const { name } = error as DOMException;
  if (name === 'NotAllowedError' || name === 'SecurityError') return words.camera.denied;
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return words.camera.missing;
  return words.camera.busy;
};

type State = { readonly kind: 'off' | 'asking' | 'on' } | { readonly kind: 'failed'; readonly why: string };

export function Camera(props: {
  /** 0: none. */
  readonly perSecond: number;
  /** Gets frames one at a time: the next one comes when this has resolved. It closes them. */
  readonly onFrame: (frame: ImageBitmap) => Promise<void>;
  readonly recording?: boolean;
  readonly withRegion?: boolean;
}): JSX.Element {
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<State>({ kind: 'off' });
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  const [device, setDevice] = useState('');
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const stream = useRef<MediaStream | null>(null);
  const stop = (): void => {
    for (const track of stream.current?.getTracks() ?? []) track.stop();
    stream.current = null;
    setState({ kind: 'off' });
  };
  const start = async (deviceId: string): Promise<void> => {
    stop();
    if (!('mediaDevices' in navigator)) return setState({ kind: 'failed', why: words.camera.insecure });
    setState({ kind: 'asking' });
    try {
      stream.current = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {
          width: { ideal: 1280 },
          height: { ideal: 720 },
          ...(deviceId !== '' && { deviceId: { exact: deviceId } }),
        },
      });
      const [track] = stream.current.getVideoTracks();
      track.addEventListener('ended', () => setState({ kind: 'failed', why: words.camera.ended }));
      setDevice(track.getSettings().deviceId ?? '');
      setDevices((await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput'));
      setState({ kind: 'on' });
    } catch (error) {
      setState({ kind: 'failed', why: whatWentWrong(error) });
    }
    return undefined;
  };
  useEffect(() => {
    void start('');
    return stop;
  }, []);
  useEffect(() => {
    const { current } = video;
    if (state.kind !== 'on' || !current) return;
    current.srcObject = stream.current;
    void current.play().catch(() => {}); // a page that is left meanwhile
  }, [state.kind]);
  const latest = useRef(props.onFrame);
  latest.current = props.onFrame;
  useEffect(() => {
    if (state.kind !== 'on' || props.perSecond === 0) return undefined;
    const ending = new AbortController();
    const run = async (): Promise<void> => {
      while (!ending.signal.aborted) {
        const began = performance.now();
        const { current } = video;
        if (current && current.readyState >= 2) await latest.current(await createImageBitmap(current));
        await new Promise((resolve) =>
          setTimeout(resolve, Math.max(0, 1000 / props.perSecond - (performance.now() - began))),
        );
      }
    };
    void run();
    return () => ending.abort();
  }, [state.kind, props.perSecond]);
  const trouble = useWatch(video, state.kind === 'on');

  if (state.kind === 'failed' || state.kind === 'off')
    return (
      <Empty icon="camera" title={words.camera.title}>
        {state.kind === 'failed' && (
          <p class="bad" role="alert">
            {state.why}
          </p>
        )}
        <Button icon="play" kind="primary" onClick={() => void start(device)}>
          {words.camera.start}
        </Button>
      </Empty>
    );
  if (state.kind === 'asking')
    return (
      <Empty icon="camera" title={words.camera.title}>
        <p role="status">{words.camera.asking}</p>
      </Empty>
    );
  return (
    <div class="camera">
      <div
        class={`view ${props.recording ? 'recording' : ''}`}
        style={size ? { '--ratio': String(size.width / size.height) } : {}}
      >
        <div class="frame">
          <video
            ref={video}
            muted
            playsInline
            aria-label={words.camera.live}
            onLoadedMetadata={({ currentTarget: { videoWidth, videoHeight } }) =>
              setSize({ width: videoWidth, height: videoHeight })
            }
          />
          {props.withRegion && size && <RegionOnPicture size={size} />}
        </div>
        <p class="camera-trouble" role="status">
          {trouble}
        </p>
      </div>
      <div class="row wrap">
        <label class="inline">
          <span class="hidden">{words.camera.device}</span>
          <select value={device} onChange={(event) => void start(event.currentTarget.value)}>
            {devices.map(({ deviceId, label }, at) => (
              <option key={deviceId} value={deviceId}>
                {label || words.camera.unnamed(at + 1)}
              </option>
            ))}
          </select>
        </label>
        {props.withRegion && size && <RegionFields size={size} />}
        <span class="spacer" />
        <Button icon="stop" onClick={stop}>
          {words.camera.stop}
        </Button>
      </div>
    </div>
  );
}

/** What is wrong with the camera's picture, in words; empty where nothing is. */
function useWatch(video: { readonly current: HTMLVideoElement | null }, on: boolean): string {
  const [trouble, setTrouble] = useState('');
  useEffect(() => {
    if (!on) return undefined;
    const context = new OffscreenCanvas(SIDE, SIDE).getContext('2d', { willReadFrequently: true });
    let last: Uint8Array | null = null;
    let changed = performance.now();
    // Loaded with the first camera.
    const faults = import('../../../src/classifier/picture-faults.js');
    const look = async (): Promise<void> => {
      const { faultsOf, pictureFigures } = await faults;
      if (!context || !video.current || video.current.readyState < 2) return;
      context.drawImage(video.current, 0, 0, SIDE, SIDE);
      const { data } = context.getImageData(0, 0, SIDE, SIDE);
      const rgb = new Uint8Array(SIDE * SIDE * 3);
      for (let at = 0; at < SIDE * SIDE; at++) rgb.set(data.subarray(4 * at, 4 * at + 3), 3 * at);
      if (last === null || rgb.some((value, at) => value !== last?.[at])) changed = performance.now();
      last = rgb;
      const [fault] = faultsOf(pictureFigures(rgb, SIDE, SIDE), limits);
      setTrouble(performance.now() - changed >= FROZEN_AFTER ? words.camera.frozen : fault ? words.faults[fault] : '');
    };
    const timer = setInterval(() => void look(), WATCH_EVERY);
    return () => clearInterval(timer);
  }, [on]);
  return on ? trouble : '';
}

function useRegion(): readonly [Region | null, (region: Region | null) => void] {
  const store = useStore();
  const region = useView((state) => state.project?.settings.region ?? null);
  const set = (next: Region | null): void => {
    void store.attempt(async () => {
      await store.needProject();
      store.set({ project: await store.engine.projects.configure({ region: next }) });
    });
  };
  return [region, set];
}

/** Drag to mark what is looked at, in the picture's own pixels. */
function RegionOnPicture({ size }: { size: { width: number; height: number } }): JSX.Element {
  const [region, setRegion] = useRegion();
  const [drawn, setDrawn] = useState<Region | null>(null);
  const from = useRef<{ x: number; y: number } | null>(null);
  const placeOf = (event: PointerEvent): { x: number; y: number } => {
    const bounds = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const within = (part: number, length: number): number => Math.round(Math.min(1, Math.max(0, part)) * length);
    return {
      x: within((event.clientX - bounds.left) / bounds.width, size.width),
      y: within((event.clientY - bounds.top) / bounds.height, size.height),
    };
  };
  const shown = drawn ?? region;
  return (
    <div
      class="region"
      title={words.camera.regionHelp}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = placeOf(event);
      }}
      onPointerMove={(event) => {
        if (!from.current) return;
        const to = placeOf(event);
        setDrawn({
          x: Math.min(from.current.x, to.x),
          y: Math.min(from.current.y, to.y),
          width: Math.abs(from.current.x - to.x),
          height: Math.abs(from.current.y - to.y),
        });
      }}
      onPointerUp={() => {
        from.current = null;
        if (drawn && drawn.width >= 8 && drawn.height >= 8) setRegion(drawn);
        setDrawn(null);
      }}
      onPointerCancel={() => {
        from.current = null;
        setDrawn(null);
      }}
    >
      {shown && (
        <div
          class="marked"
          style={{
            left: `${(100 * shown.x) / size.width}%`,
            top: `${(100 * shown.y) / size.height}%`,
            width: `${(100 * shown.width) / size.width}%`,
            height: `${(100 * shown.height) / size.height}%`,
          }}
        />
      )}
    </div>
  );
}

/** The same region in numbers, for the keyboard and for exactness. */
function RegionFields({ size }: { size: { width: number; height: number } }): JSX.Element {
  const [region, setRegion] = useRegion();
  if (region === null) return <span class="quiet">{words.camera.regionHelp}</span>;
  const field = (name: keyof Region, most: number): JSX.Element => (
    <label class="inline">
      {words.camera[name]}{' '}
      <input
        type="number"
        min={name === 'x' || name === 'y' ? 0 : 1}
        max={most}
        value={region[name]}
        onChange={({ currentTarget: { valueAsNumber: value } }) =>
          Number.isInteger(value) && setRegion({ ...region, [name]: Math.min(most, Math.max(0, value)) })
        }
      />
    </label>
  );
  return (
    <fieldset class="row wrap region-fields">
      <legend class="hidden">{words.camera.region}</legend>
      {field('x', size.width - 1)}
      {field('y', size.height - 1)}
      {field('width', size.width - region.x)}
      {field('height', size.height - region.y)}
      <Button kind="quiet" onClick={() => setRegion(null)}>
        {words.camera.regionAll}
      </Button>
    </fieldset>
  );
}
