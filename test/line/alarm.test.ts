/** The alarm against the plainest reading of its rule: all frames kept, counted anew each time. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RegionAlarm, type AlarmChange } from '../../src/line/alarm.js';

const rule = { of: 5, raise: 3, clear: 0, holdSeconds: 10, latch: true };
const make = (change: Partial<typeof rule> = {}) => {
  let ids = 0;
  return new RegionAlarm({ ...rule, ...change }, () => `alarm-${++ids}`);
};

test('is raised by k of the last n, and by no less', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 80 }), fc.integer({ min: 1, max: 8 }), (frames, of) => {
      for (let raise = 1; raise <= of; raise++) {
        const alarm = make({ of, raise });
        const raisedAt = frames.findIndex((frame, n) => alarm.verdict(frame, 'gap', n)?.state === 'alarm');
        const expected = frames.findIndex(
          (_, n) => frames.slice(Math.max(0, n + 1 - of), n + 1).filter(Boolean).length >= raise,
        );
        expect(raisedAt).toBe(expected);
      }
    }),
  );
});

test('goes on and off as often as its hysteresis lets it', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), fc.integer({ min: 0, max: 2 }), (frames, clear) => {
      const alarm = make({ clear, latch: false, holdSeconds: 0 });
      let stands = false;
      for (const [n, frame] of frames.entries()) {
        const change = alarm.verdict(frame, 'gap', n);
        const alerts = frames.slice(Math.max(0, n - 4), n + 1).filter(Boolean).length;
        const before = stands;
        stands = stands ? alerts > clear : alerts >= 3;
        expect(change?.state ?? null).toBe(before === stands ? null : stands ? 'alarm' : 'clear');
      }
    }),
  );
});

test('stands until somebody acknowledges it, and at least for its time', () => {
  const alarm = make();
  const states: (string | null)[] = [];
  const note = (change: AlarmChange | null): void => void states.push(change && `${change.state} ${change.alarmId}`);
  for (let n = 0; n < 3; n++) alarm.verdict(true, 'gap', 1000);
  expect(alarm.state).toBe('alarm');
  for (let n = 0; n < 5; n++) note(alarm.verdict(false, 'gap', 2000));
  expect(states.filter(Boolean)).toEqual(['held alarm-1']);
  expect(alarm.tick(1e9)).toBeNull(); // for as long as it takes
  expect(alarm.acknowledge('Kim', 1e9)).toMatchObject({
    state: 'clear',
    alarmId: 'alarm-1',
    reason: 'acknowledged by Kim',
  });

  for (let n = 0; n < 3; n++) alarm.verdict(true, 'gap', 1e9 + 1);
  expect(alarm.acknowledge('Kim', 1e9 + 2)).toMatchObject({ state: 'acknowledged', alarmId: 'alarm-2' });
  expect(alarm.acknowledge('Lee', 1e9 + 3)).toBeNull();
  let last: AlarmChange | null = null;
  for (let n = 0; n < 5; n++) last = alarm.verdict(false, 'gap', 1e9 + 4) ?? last;
  expect(last).toMatchObject({ state: 'held' });
  expect(alarm.tick(1e9 + 9_000)).toBeNull();
  expect(alarm.tick(1e9 + 10_001)).toMatchObject({ state: 'clear' });
});

test('rings anew for what comes while an acknowledged one is held, under the same name', () => {
  const alarm = make();
  for (let n = 0; n < 3; n++) alarm.verdict(true, 'gap', 0);
  alarm.acknowledge('Kim', 1);
  for (let n = 0; n < 5; n++) alarm.verdict(false, 'gap', 2);
  alarm.verdict(true, 'gap', 3);
  alarm.verdict(true, 'gap', 3);
  expect(alarm.verdict(true, 'gap', 3)).toMatchObject({ state: 'alarm', alarmId: 'alarm-1' });
});

test('no verdict is an alarm of its own, that good frames do not end before verdicts come', () => {
  const alarm = make({ latch: false, holdSeconds: 0 });
  expect(alarm.blind(true, 10, 0)).toMatchObject({ state: 'alarm', reason: 'no verdict for 10 s' });
  expect(alarm.blind(true, 10, 100)).toBeNull();
  expect(alarm.tick(1e6)).toBeNull();
  expect(alarm.blind(false, 0, 1e6)).toMatchObject({ state: 'clear' });
});

test('one that stood when the line ended stands on', () => {
  const alarm = make();
  expect(alarm.restore('old', false, 5)).toMatchObject({ state: 'held', alarmId: 'old' });
  expect(alarm.tick(1e9)).toBeNull();
  expect(alarm.acknowledge('Kim', 1e9)).toMatchObject({ state: 'clear', alarmId: 'old' });
});
