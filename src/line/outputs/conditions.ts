/** What can be asked of the state of a line, a camera or a region: for coils and lamps of others, each of which shows one thing. */
import { lamps, type ActiveFault, type Lamp, type LineState, type RegionState } from '../state.js';

/**
 * - `ok`: verdicts come, every camera can be trusted, no alarm stands. The only one that may let a belt run; that a webhook is away, say, does
 *   not stop it.
 * - `alarm`: an alarm stands, acknowledged or not. `unacknowledged`: one that nobody has acknowledged.
 * - `fault`: a camera cannot be trusted, or a part of the line does not work.
 * - `no verdict`: none yet, or none for too long.
 */
export const conditions = ['ok', 'alarm', 'unacknowledged', 'fault', 'no verdict'] as const;
export type Condition = (typeof conditions)[number];

/** The whole line, one camera, or one region of it. */
export interface Scope {
  readonly camera?: string | undefined;
  readonly region?: string | undefined;
}

interface Seen {
  /** Of the cameras: what is wrong with the line itself stands in `faults`. */
  readonly lamp: Lamp;
  readonly regions: readonly RegionState[];
  readonly faults: readonly ActiveFault[];
}

/** Null for what the line does not have: never ok. */
function seen(state: LineState, { camera, region }: Scope): Seen | null {
  if (camera === undefined) {
    const cameras = Object.values(state.cameras);
    const regions = cameras.flatMap((each) => Object.values(each.regions));
    const lamp = worst(cameras.map((each) => each.lamp));
    return { lamp, regions, faults: [...state.faults, ...cameras.flatMap(({ faults }) => faults)] };
  }
  const one = state.cameras[camera];
  if (!one) return null;
  if (region === undefined) return { lamp: one.lamp, regions: Object.values(one.regions), faults: one.faults };
  const part = one.regions[region];
  return part ? { lamp: part.lamp, regions: [part], faults: one.faults } : null;
}

const worst = (some: readonly Lamp[]): Lamp =>
  some.reduce((most, lamp) => (lamps.indexOf(lamp) > lamps.indexOf(most) ? lamp : most), 'ok' as Lamp);

/** The lamp of a scope, that of the line with its own faults; null for what the line does not have. */
export const lampOf = (state: LineState, scope: Scope): Lamp | null =>
  scope.camera === undefined ? state.lamp : (seen(state, scope)?.lamp ?? null);

/** @param state null while nothing may be believed: the line has just begun, or does not live any more */
export function holds(condition: Condition, state: LineState | null, scope: Scope): boolean {
  const what = state && seen(state, scope);
  if (!what) return condition === 'no verdict';
  const faults = [...what.faults, ...what.regions.flatMap((region) => region.faults)];
  switch (condition) {
    case 'ok':
      return what.lamp === 'ok';
    case 'alarm':
      return what.regions.some(({ alarm }) => alarm.state !== 'clear');
    case 'unacknowledged':
      return what.regions.some(({ alarm }) => alarm.state === 'alarm' || alarm.state === 'held');
    case 'fault':
      return faults.some(({ fault }) => fault !== 'no-verdict');
    default:
      return faults.some(({ fault }) => fault === 'no-verdict') || what.regions.some(({ lastVerdict }) => !lastVerdict);
  }
}
