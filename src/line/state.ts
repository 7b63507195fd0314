/** The present state of a line: what lamps, coils and pages show. A pure function of what was configured and of the events since. */
import type { AlarmState, FaultEvent, FaultName, LineEvent, VerdictEvent } from './events.js';

/**
 * The worst that holds, in this order: `alarm` (raised, held or acknowledged), `no verdict` (none yet, or none for too long),
 * `fault` (a camera that cannot be trusted), `ok`.
 */
export const lamps = ['ok', 'fault', 'no verdict', 'alarm'] as const;
export type Lamp = (typeof lamps)[number];

export interface ActiveFault {
  readonly fault: FaultName;
  readonly since: string;
  readonly detail: string;
}

export interface RegionState {
  readonly lamp: Lamp;
  readonly alarm: {
    readonly state: AlarmState;
    readonly reason: string;
    /** Of the alarm that stands, or of the last one; empty before the first. */
    readonly alarmId: string;
    readonly since: string;
  };
  /** Of this region alone; those of its camera stand there. */
  readonly faults: readonly ActiveFault[];
  readonly lastVerdict: VerdictEvent | null;
  readonly verdicts: number;
  /** Verdicts that were alerts. */
  readonly alerts: number;
  /** Alarms raised. */
  readonly alarms: number;
}

export interface CameraState {
  /** The worst of its regions and its own. */
  readonly lamp: Lamp;
  readonly faults: readonly ActiveFault[];
  /** By name, in the order of the configuration. */
  readonly regions: Readonly<Record<string, RegionState>>;
  /** Frames that were never looked at. */
  readonly dropped: number;
}

export interface LineState {
  /** Of the whole line: the worst of its cameras and its own. */
  readonly lamp: Lamp;
  /** Whether outputs are kept quiet. */
  readonly shadow: boolean;
  /** Of the line itself: its record, an output. */
  readonly faults: readonly ActiveFault[];
  readonly startedAt: string;
  /** Of the last event. */
  readonly at: string;
  /** By name, in the order of the configuration. */
  readonly cameras: Readonly<Record<string, CameraState>>;
  /** Of the record, as of the last heartbeat. */
  readonly head: { readonly count: number; readonly hash: string } | null;
  readonly uptimeSeconds: number;
  /** How many faults began, by name, since the start. */
  readonly faultCounts: Readonly<Partial<Record<FaultName, number>>>;
}

const NEW_REGION: RegionState = {
  lamp: 'no verdict',
  alarm: { state: 'clear', reason: 'nothing yet', alarmId: '', since: '' },
  faults: [],
  lastVerdict: null,
  verdicts: 0,
  alerts: 0,
  alarms: 0,
};

/**
 * Before anything has happened: no region has a verdict.
 * @param cameras the names of each camera's regions
 */
export function initialState(
  cameras: Readonly<Record<string, readonly string[]>>,
  { at, shadow }: { readonly at: string; readonly shadow: boolean },
): LineState {
  const stateOf = (regions: readonly string[]): CameraState => ({
    lamp: 'no verdict',
    faults: [],
    regions: Object.fromEntries(regions.map((name) => [name, NEW_REGION])),
    dropped: 0,
  });
  return {
    lamp: 'no verdict',
    shadow,
    faults: [],
    startedAt: at,
    at,
    cameras: Object.fromEntries(Object.entries(cameras).map(([name, regions]) => [name, stateOf(regions)])),
    head: null,
    uptimeSeconds: 0,
    faultCounts: {},
  };
}

/** The state after an event. Events of cameras or regions that are no longer configured change nothing. */
export function nextState(state: LineState, event: LineEvent): LineState {
  const next = { ...state, at: event.at };
  switch (event.kind) {
    case 'heartbeat':
      return { ...next, head: event.head, uptimeSeconds: event.uptimeSeconds };
    case 'dropped':
      return withCamera(next, event.camera, (camera) => ({ ...camera, dropped: camera.dropped + event.count }));
    case 'fault':
      return withFault(next, event);
    case 'verdict':
      return withRegion(next, event.camera, event.region, (region) => ({
        ...region,
        lastVerdict: event,
        verdicts: region.verdicts + 1,
        alerts: region.alerts + Number(event.alert),
      }));
    case 'alarm': {
      const { at: since, state: alarmState, reason, alarmId } = event;
      return withRegion(next, event.camera, event.region, (region) => ({
        ...region,
        alarm: { state: alarmState, reason, alarmId, since },
        alarms: region.alarms + Number(alarmId !== region.alarm.alarmId),
      }));
    }
    default:
      return next;
  }
}

function withFault(state: LineState, event: FaultEvent): LineState {
  const { camera, region, fault, active } = event;
  const change = (faults: readonly ActiveFault[]): readonly ActiveFault[] => {
    const others = faults.filter((one) => one.fault !== fault);
    return active ? [...others, { fault, since: event.at, detail: event.detail }] : others;
  };
  const next =
    camera === undefined
      ? withLamp({ ...state, faults: change(state.faults) })
      : region === undefined
        ? withCamera(state, camera, (one) => ({ ...one, faults: change(one.faults) }))
        : withRegion(state, camera, region, (one) => ({ ...one, faults: change(one.faults) }));
  if (!active) return next;
  return { ...next, faultCounts: { ...next.faultCounts, [fault]: (next.faultCounts[fault] ?? 0) + 1 } };
}

function withRegion(
  state: LineState,
  camera: string,
  name: string,
  change: (region: RegionState) => RegionState,
): LineState {
  return withCamera(state, camera, (one) => {
    const region = one.regions[name];
    return region ? { ...one, regions: { ...one.regions, [name]: change(region) } } : one;
  });
}

function withCamera(state: LineState, name: string, change: (camera: CameraState) => CameraState): LineState {
  const before = state.cameras[name];
  if (!before) return state;
  const camera = withLamps(change(before));
  return withLamp({ ...state, cameras: { ...state.cameras, [name]: camera } });
}

const withLamp = (state: LineState): LineState => ({
  ...state,
  lamp: worst([lampOfFaults(state.faults), ...Object.values(state.cameras).map((one) => one.lamp)]),
});

const worst = (some: readonly Lamp[]): Lamp =>
  some.reduce((most, lamp) => (lamps.indexOf(lamp) > lamps.indexOf(most) ? lamp : most), 'ok' as Lamp);

function withLamps(camera: CameraState): CameraState {
  const own = lampOfFaults(camera.faults);
  const regions = Object.fromEntries(
    Object.entries(camera.regions).map(([name, region]) => {
      const alarm: Lamp = region.alarm.state === 'clear' ? 'ok' : 'alarm';
      const verdict: Lamp = region.lastVerdict ? 'ok' : 'no verdict';
      return [name, { ...region, lamp: worst([own, lampOfFaults(region.faults), verdict, alarm]) }];
    }),
  );
  return { ...camera, regions, lamp: worst([own, ...Object.values(regions).map((region) => region.lamp)]) };
}

const lampOfFaults = (faults: readonly ActiveFault[]): Lamp =>
  worst(faults.map(({ fault }) => (fault === 'no-verdict' ? 'no verdict' : 'fault')));
