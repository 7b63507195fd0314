/**
 * From alerts of single frames to an alarm that operators believe: raised by k of the last n frames, or when no verdict comes; it
 * stands for its time, and until somebody has acknowledged it. Times are milliseconds of a clock that nobody can set.
 */
import type { AlarmConfig } from './config.js';
import type { AlarmState } from './events.js';

export interface AlarmChange {
  readonly state: AlarmState;
  readonly reason: string;
  readonly alarmId: string;
}

export class RegionAlarm {
  readonly #rule: AlarmConfig;
  readonly #newId: () => string;
  /** Of the last `of` frames, whether each was an alert: a ring. */
  readonly #window: boolean[] = [];
  #next = 0;
  #alerts = 0;
  #isBlind = false;
  #state: AlarmState = 'clear';
  #alarmId = '';
  #isAcknowledged = false;
  #raisedAt = 0;
  #reason = '';

  constructor(rule: AlarmConfig, newId: () => string) {
    this.#rule = rule;
    this.#newId = newId;
  }

  get state(): AlarmState {
    return this.#state;
  }

  /** @param of what the alert is of, for people: the class */
  verdict(isAlert: boolean, of: string, now: number): AlarmChange | null {
    this.#alerts += Number(isAlert) - Number(this.#window[this.#next] ?? false);
    this.#window[this.#next] = isAlert;
    this.#next = (this.#next + 1) % this.#rule.of;
    if (isAlert) this.#reason = `${this.#alerts} of the last ${this.#window.length} frames: ${of}`;
    return this.tick(now);
  }

  /** Whether no verdict has come for too long, and for how long. */
  blind(isBlind: boolean, seconds: number, now: number): AlarmChange | null {
    this.#isBlind = isBlind;
    if (isBlind) this.#reason = `no verdict for ${seconds} s`;
    return this.tick(now);
  }

  /** Raised whatever the last frames were. */
  raise(reason: string, now: number): AlarmChange | null {
    if (this.#state === 'alarm') return null;
    if (this.#state === 'clear') this.#alarmId = this.#newId();
    this.#raisedAt = now;
    return this.#become('alarm', false, reason);
  }

  /** An alarm that stood when the line ended, and stands on. */
  restore(alarmId: string, isAcknowledged: boolean, now: number): AlarmChange {
    this.#alarmId = alarmId;
    this.#raisedAt = now;
    return this.#become('held', isAcknowledged, 'stood when the line ended');
  }

  /** @returns null when there is nothing to acknowledge */
  acknowledge(who: string, now: number): AlarmChange | null {
    if (this.#state === 'clear' || this.#isAcknowledged) return null;
    const reason = `acknowledged by ${who}`;
    if (this.#state === 'alarm') return this.#become('acknowledged', true, reason);
    this.#isAcknowledged = true;
    return this.#isHoldOver(now) ? this.#become('clear', false, reason) : this.#become('held', true, reason);
  }

  /** What time alone changes. */
  tick(now: number): AlarmChange | null {
    const { raise, clear, latch } = this.#rule;
    const stands = this.#state === 'alarm' || this.#state === 'acknowledged';
    if (!stands && (this.#isBlind || this.#alerts >= raise)) {
      if (this.#state === 'clear') this.#alarmId = this.#newId();
      this.#raisedAt = now;
      return this.#become('alarm', false, this.#reason);
    }
    if (this.#state === 'clear' || this.#isBlind || this.#alerts > clear) return null;
    const mayGo = this.#isAcknowledged || !latch;
    if (mayGo && this.#isHoldOver(now)) return this.#become('clear', false, 'over');
    if (this.#state === 'held') return null;
    return this.#become('held', this.#isAcknowledged, mayGo ? 'over, held for its time' : 'over, not acknowledged yet');
  }

  #isHoldOver(now: number): boolean {
    return now - this.#raisedAt >= this.#rule.holdSeconds * 1000;
  }

  #become(state: AlarmState, isAcknowledged: boolean, reason: string): AlarmChange {
    this.#state = state;
    this.#isAcknowledged = isAcknowledged;
    return { state, reason, alarmId: this.#alarmId };
  }
}
