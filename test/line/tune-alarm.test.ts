/** The choice of k, n and threshold: replays against the alarm that runs on the line, and what is promised against a second shift. */
import { expect, test } from 'vitest';
import { measureAlarm, tuneAlarm, type ShiftFrame } from 'beltnet';
import { RegionAlarm } from '../../src/line/alarm.js';
import { Random, RandomStream } from '../../src/tensor/random.js';

/**
 * A shift of 20,000 frames at one a second: gaps of 6 to 30 s, about one in 20 minutes; single frames that look like one (1 in 200), and
 * dirt that does for 2 s now and then; gaps that some frames do not show.
 */
function shift(seed: number): ShiftFrame[] {
  const random = new Random(seed, RandomStream.synthetic, 0);
  const frames: ShiftFrame[] = [];
  const probability = (high: boolean): number => {
    const logOdds = (high ? 2.5 : -3) + 1.2 * (random.uniform() + random.uniform() + random.uniform() - 1.5) * 2;
    return 1 / (1 + Math.exp(-logOdds));
  };
  while (frames.length < 20_000) {
    const drawn = random.uniform();
    if (drawn < 1 / 1200) {
      const length = 6 + random.integer(25);
      for (let n = 0; n < length; n++) frames.push({ isAlert: true, probability: probability(random.uniform() > 0.1) });
    } else if (drawn < 1 / 1200 + 1 / 2000) {
      for (let n = 0; n < 2; n++) frames.push({ isAlert: false, probability: probability(true) });
    } else {
      frames.push({ isAlert: false, probability: probability(random.uniform() < 1 / 200) });
    }
  }
  return frames.slice(0, 20_000);
}

const options = { framesPerSecond: 1, shiftHours: 8, falsePerShift: 1 };

test('counts the alarms that the line would raise', () => {
  const frames = shift(1).slice(0, 6000);
  for (const rule of [
    { of: 1, raise: 1, clear: 0, threshold: 0.5 },
    { of: 5, raise: 3, clear: 0, threshold: 0.4 },
    { of: 8, raise: 3, clear: 1, threshold: 0.3 },
  ]) {
    const alarm = new RegionAlarm({ ...rule, latch: false, holdSeconds: 0 }, () => 'id');
    let [falseAlarms, raised] = [0, false];
    const delays: number[] = [];
    for (const [n, frame] of frames.entries()) {
      const change = alarm.verdict(frame.probability >= rule.threshold, 'gap', n);
      const recent = frames.slice(Math.max(0, n - rule.of + 1), n + 1);
      if (change?.state === 'alarm' && recent.every(({ isAlert }) => !isAlert)) falseAlarms++;
      if (frame.isAlert && !frames[n - 1]?.isAlert) raised = false;
      if (alarm.state === 'alarm' && !raised && recent.some(({ isAlert }) => isAlert)) {
        let first = n;
        while (!frames[first].isAlert) first--;
        while (frames[first - 1]?.isAlert) first--;
        delays.push(n - first);
        raised = true;
      }
    }
    const measured = measureAlarm(frames, rule, options);
    expect(measured.falseAlarms).toBe(falseAlarms);
    expect(measured.events - measured.missed).toBe(delays.length);
    expect(measured.delaySeconds?.mean).toBeCloseTo(delays.reduce((a, b) => a + b, 0) / delays.length, 9);
  }
});

test('what it promises of one shift holds on ten others, where every frame alarms a hundred times', () => {
  const { chosen, everyFrame, cannotKnow } = tuneAlarm(shift(1), 0.5, options);
  expect(chosen.rule.raise).toBeGreaterThan(2); // dirt of two frames must not raise it
  expect(chosen.falsePerShift.estimate).toBeLessThanOrEqual(1);
  expect(chosen.missed).toBe(0);
  expect(everyFrame.falseAlarms).toBeGreaterThan(80);
  expect(cannotKnow.join('\n')).toContain('too few to promise 1 a shift'); // 20,000 s are less than a shift
  const others = Array.from({ length: 10 }, (_, n) => measureAlarm(shift(n + 2), chosen.rule, options));
  // The true rate, of 55 hours, lies in the interval that 5.5 hours gave, and so does the true delay.
  const total = others.reduce((sum, one) => sum + one.falseAlarms, 0);
  const hours = others.reduce((sum, one) => sum + one.quietHours, 0);
  expect((total / hours) * 8).toBeLessThanOrEqual(chosen.falsePerShift.high);
  expect((total / hours) * 8).toBeGreaterThanOrEqual(chosen.falsePerShift.low);
  const delays = others.map(({ delaySeconds }) => delaySeconds?.mean ?? Infinity);
  const delay = delays.reduce((a, b) => a + b, 0) / delays.length;
  const { low = 0, high = 0 } = chosen.delaySeconds ?? {};
  expect(delay).toBeGreaterThanOrEqual(low);
  expect(delay).toBeLessThanOrEqual(high);
});

test('an alarm that always stands is no rule: it counts again and again, and nobody believes it', () => {
  // A model that is unsure of a quiet belt: three frames in ten look a little like a gap, on and on.
  const random = new Random(5, RandomStream.synthetic, 1);
  const frames = Array.from({ length: 20_000 }, (_, n): ShiftFrame => {
    const isAlert = n % 500 >= 480;
    const unsure = random.uniform() < 0.3 ? 0.2 : 0.01;
    return { isAlert, probability: isAlert && random.uniform() < 0.8 ? 0.9 : unsure };
  });
  const always = { of: 20, raise: 4, clear: 0, threshold: 0.1 };
  const standing = measureAlarm(frames, always, options);
  // Between 40 events lie 480 frames, 19 of them with one in the window: seven whole minutes.
  expect(standing.falseAlarms).toBeGreaterThanOrEqual(40 * 7);
  expect(standing.missed).toBeGreaterThan(0.9 * standing.events);

  const { chosen } = tuneAlarm(frames, 0.5, options);
  expect(chosen).toMatchObject({ falseAlarms: 0, missed: 0 });
  // The line's own alarm hardly stands where nothing is: after a gap, until it is out of the window.
  const alarm = new RegionAlarm({ ...chosen.rule, latch: false, holdSeconds: 0 }, () => 'id');
  let idle = 0;
  for (const [n, { isAlert, probability }] of frames.entries()) {
    alarm.verdict(probability >= chosen.rule.threshold, 'gap', n);
    idle += Number(alarm.state === 'alarm' && !isAlert);
  }
  expect(idle).toBeLessThanOrEqual(chosen.events * chosen.rule.of);
});

test('refuses what cannot be tuned on', () => {
  const frames = [{ isAlert: false, probability: 0.1 }];
  expect(() => tuneAlarm(frames, 0.5, options)).toThrow('got 1 frames, 0 with');
  expect(() => tuneAlarm(shift(1).slice(0, 3000), 0.5, { ...options, falsePerShift: 0 })).toThrow('falsePerShift');
});
