/** Which faults stand. Each is told when it begins and when it ends, not with every frame. */
import type { FaultName } from './events.js';

/** A fault that frames show ends when so many in a row are without it. */
const GOOD_FRAMES = 3;

interface Standing {
  goodFrames: number;
}

export class FaultBoard {
  /** By region (empty for the camera) and fault. */
  readonly #standing = new Map<string, Map<FaultName, Standing>>();
  readonly #tell: (region: string | undefined, fault: FaultName, active: boolean, detail: string) => void;

  constructor(tell: (region: string | undefined, fault: FaultName, active: boolean, detail: string) => void) {
    this.#tell = tell;
  }

  /** @param detail null: it does not hold (any more) */
  set(region: string | undefined, fault: FaultName, detail: string | null, over = 'over'): void {
    const standing = this.#of(region);
    if ((detail !== null) === standing.has(fault)) return;
    if (detail === null) standing.delete(fault);
    else standing.set(fault, { goodFrames: 0 });
    this.#tell(region, fault, detail !== null, detail ?? over);
  }

  /** What a frame shows: the faults of this list begin, others that frames show end after some frames without them. */
  see(region: string, seen: ReadonlyMap<FaultName, string>): void {
    for (const [fault, detail] of seen) this.set(region, fault, detail);
    for (const [fault, one] of this.#of(region)) {
      if (fault === 'no-verdict') continue; // its end is a verdict
      one.goodFrames = seen.has(fault) ? 0 : one.goodFrames + 1;
      if (one.goodFrames >= GOOD_FRAMES) this.set(region, fault, null, `over for ${GOOD_FRAMES} frames`);
    }
  }

  #of(region: string | undefined): Map<FaultName, Standing> {
    const key = region ?? '';
    const standing = this.#standing.get(key) ?? new Map<FaultName, Standing>();
    this.#standing.set(key, standing);
    return standing;
  }
}
