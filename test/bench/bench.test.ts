/** The benchmark's promises: a peer that computes something else is an error, a missing one is named, ratios are ratios. */
import { afterAll, describe, expect, it } from 'vitest';
import { measureInTurns, referenceFigures, Slowness } from '../../bench/interleaved.mjs';
import { PeerProcess } from '../../bench/peer-process.mjs';
import { peers } from '../../bench/peers.mjs';
import { markdown } from '../../bench/report.mjs';
import { median } from '../../bench/statistics.mjs';
import { targets } from '../../bench/targets.mjs';

const beltnet = peers.find(({ id }) => id === 'beltnet-cpu')!;
const fake = (program: string) => ({ ...beltnet, id: program, program: `../../test/bench/${program}` });

interface Cell {
  peer: string;
  median?: number;
  samples?: number[];
  error?: string;
}

const open: PeerProcess[] = [];
async function start(peer: typeof beltnet): Promise<PeerProcess> {
  const child = new PeerProcess(peer, 1);
  open.push(child);
  await child.open();
  return child;
}
afterAll(() => open.forEach((child) => child.stop()));

describe('measuring in turns', () => {
  it('times the peer that agrees, and refuses the ones that differ or are missing', async () => {
    const context = {
      ...{ rounds: 3, chunk: 1, slowBudget: 1000, tooSlow: 60_000, patience: 0 },
      ...{ slowness: new Slowness(), process: start, progress() {} },
      reference: async (which: Parameters<typeof referenceFigures>[1]) => referenceFigures(await start(beltnet), which),
    };
    const candidates = [beltnet, fake('wrong-losses.mjs'), fake('no-library.mjs')];
    const one = { batch: 4, size: 32 };
    const cells = (await measureInTurns(context, 'train-step', 'step', one, candidates)) as Cell[];
    const of = (id: string): Cell => cells.find(({ peer }) => peer === id)!;

    expect(of('beltnet-cpu').samples).toHaveLength(3);
    expect(of('beltnet-cpu').median).toBeGreaterThan(0);
    expect(of('wrong-losses.mjs').error).toMatch(/^ERROR: its loss differs in step \d \(wrong\): 0\.69 where beltnet/);
    expect(of('no-library.mjs').error).toMatch(/^not installed: .*a-library-that-nobody-has/);
  });
});

describe('reporting', () => {
  it('takes medians of odd and even counts', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  const cell = (peer: string, value: number) => ({
    ...{ measure: 'train-step', device: 'cpu', one: { batch: 10 }, peer },
    ...{ median: value, samples: [value, value, value], disturbed: 0 },
  });
  const results = {
    ...{ date: '2026-01-01', revision: 'abc', versions: { keras: '3' } },
    machine: { processor: 'P', cores: 2, memoryGiB: 4, system: 'S', node: 'v20', adapter: null },
    cells: [cell('beltnet-cpu', 30), cell('pytorch-channels-last', 20), cell('keras', 40), cell('pytorch', 60)],
  };
  const tables = [{ id: 'train-step', title: 'Training step', ours: { cpu: 'beltnet-cpu' } }];
  const text = markdown(results, [{ tables }]);

  it("prints beltnet's time as a multiple of the peer's", () => {
    expect(text).toMatch(/\| PyTorch, channels_last +\| 20\.0 \(1\.50\) +\|/);
    expect(text).toMatch(/\| Keras 3 +\| 40\.0 \(0\.75\) +\|/);
  });

  it('compares with the better peer, and only where all were measured', () => {
    expect(text).toMatch(/the better of PyTorch channels_last and Keras, batch 10 +\| 1\.50 +\| ≤ 0\.76 .* MISSED/);
    expect(text).toMatch(/PyTorch in its default layout, batch 10 +\| 0\.50 +\| ≤ 0\.8 .* reached/);
    expect(text).not.toContain('batch 32');
  });

  it('looks for peers that exist', () => {
    const all = peers.map(({ id, device }) => ({ ...cell(id, 1), device }));
    const ratios = targets.filter(({ text: name }) => / \/ .*batch 10$/.test(name));
    expect(ratios).not.toHaveLength(0);
    for (const { value } of ratios) expect(value(all)).toBe(1);
  });
});
