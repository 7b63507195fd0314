/** Findings about pictures that come more than once: in two sets, under two labels, in two parts of a group, or again and again. */
import { count, type Context, type Finding } from './report.js';

/** The few files of a group that are shown should say why it is one: one of each kind, then the others. */
function oneOfEachFirst<Member>(members: readonly Member[], kindOf: (member: Member) => unknown): Member[] {
  const first = new Map<unknown, Member>();
  for (const member of members) if (!first.has(kindOf(member))) first.set(kindOf(member), member);
  const shown = new Set(first.values());
  return [...shown, ...members.filter((member) => !shown.has(member))];
}

export function leaks({ sets, all, equal, alike }: Context): Finding[] {
  const findings: Finding[] = [];
  for (let first = 0; first < sets.length; first++) {
    for (let second = first + 1; second < sets.length; second++) {
      const shared = (clusters: readonly number[][]): number[][] =>
        clusters.filter((cluster) => [first, second].every((set) => cluster.some((member) => all[member].set === set)));
      const groups = shared(alike).map((cluster) =>
        cluster.filter((member) => [first, second].includes(all[member].set)),
      );
      if (groups.length === 0) continue;
      const exact = shared(equal).length;
      const [a, b] = [sets[first], sets[second]];
      const inSecond = groups.flat().filter((member) => all[member].set === second).length;
      const learned = [a, b].some(({ role }) => role === 'training');
      findings.push({
        kind: 'leak',
        severity: 'problem',
        message:
          `${a.name} and ${b.name} share ${count(groups.length)}` +
          `${exact === groups.length ? '' : `, ${exact} of them equal and ${groups.length - exact} nearly`}: ` +
          `${count(inSecond, 'file')} of ${b.name} ${inSecond === 1 ? 'is' : 'are'} in ${a.name} too`,
        advice: learned
          ? `figures on ${b.name} say how well pictures were learned by heart; keep each picture in one of the two`
          : 'results on one of them say nothing new about the other; keep each picture in one of the two',
        groups: groups.map((members) =>
          oneOfEachFirst(members, (member) => all[member].set).map((member) => all[member].file),
        ),
      });
    }
  }
  return findings;
}

export function labelConflicts({ sets, all, alike, equal }: Context): Finding[] {
  const classOf = (index: number): string | undefined => sets[all[index].set].classNames[all[index].label];
  const conflicts = (clusters: readonly number[][]): number[][] =>
    clusters.filter((cluster) => new Set(cluster.map(classOf).filter((name) => name !== undefined)).size > 1);
  const groups = conflicts(alike);
  if (groups.length === 0) return [];
  const exact = conflicts(equal).length;
  const nearly = exact === groups.length ? '' : ` (${exact} equal, ${groups.length - exact} nearly)`;
  return [
    {
      kind: 'label conflict',
      severity: 'problem',
      message: `${count(groups.length)}${nearly} ${groups.length === 1 ? 'stands' : 'stand'} under two labels`,
      advice: 'one of the labels is wrong, or the picture cannot be told; move or remove it',
      groups: groups.map((members) => oneOfEachFirst(members, classOf).map((member) => all[member].file)),
    },
  ];
}

export function groupLeaks({ sets, all }: Context): Finding[] {
  const setsOf = new Map<string, Set<number>>();
  for (const { group, set } of all) {
    if (group === undefined || sets[set].role === 'pictures') continue;
    setsOf.set(group, (setsOf.get(group) ?? new Set()).add(set));
  }
  const parted = [...setsOf].filter(([, inSets]) => inSets.size > 1).map(([group]) => group);
  if (parted.length === 0) return [];
  const membersOf = new Map(parted.map((name): [string, (typeof all)[number][]] => [name, []]));
  for (const picture of all) if (picture.group !== undefined) membersOf.get(picture.group)?.push(picture);
  return [
    {
      kind: 'group leak',
      severity: 'problem',
      message: `${count(parted.length, 'group')} (${parted.slice(0, 5).join(', ')}${parted.length > 5 ? ', …' : ''}) ${parted.length === 1 ? 'is' : 'are'} in training and validation`,
      advice: 'what belongs together is alike; keep each group on one side',
      groups: parted.map((name) => {
        const pictures = membersOf.get(name) ?? [];
        return oneOfEachFirst(pictures, ({ set }) => set).map(({ file }) => file);
      }),
    },
  ];
}

export function duplicates({ sets, all, equal, alike, near }: Context): Finding[] {
  return sets.flatMap((set, index) => {
    const within = (clusters: readonly number[][]): number[][] =>
      clusters
        .map((cluster) => cluster.filter((member) => all[member].set === index))
        .filter(({ length }) => length > 1);
    const name = (members: readonly number[]): string[] => members.map((member) => all[member].file);
    const exact = within(equal);
    const copies = exact.reduce((sum, { length }) => sum + length - 1, 0);
    const nearly = within(alike).filter((cluster) => new Set(cluster.map((member) => all[member].digest)).size > 1);
    const findings: Finding[] = [];
    if (copies > 0) {
      findings.push({
        kind: 'duplicates',
        severity: 'warning',
        message: `${set.name}: ${copies} of ${count(set.pictures.length, 'file')} ${copies === 1 ? 'is a copy' : 'are copies'} of another; ${count(set.pictures.length - copies)} ${set.pictures.length - copies === 1 ? 'is' : 'are'} distinct`,
        advice: 'copies only repeat what one says; keep one of each',
        groups: exact.map(name),
      });
    }
    if (nearly.length > 0) {
      const distinct = nearly.reduce(
        (sum, cluster) => sum + new Set(cluster.map((member) => all[member].digest)).size,
        0,
      );
      findings.push({
        kind: 'near duplicates',
        severity: 'warning',
        message: `${set.name}: ${distinct} distinct pictures look like ${nearly.length} (within ${near} of 255 levels of brightness)`,
        advice: 'pictures this alike count as one; keep one of each, or take them together on one side of a split',
        groups: nearly.map((members) => name(oneOfEachFirst(members, (member) => all[member].digest))),
      });
    }
    return findings;
  });
}
