/**
 * When each target of a firing has its turn. CreateSnapshots is throttled by one bucket for the whole account and Region
 * (100 tokens, 5 more a second, "Request throttling for the Amazon EC2 API"), and a throttle inside a frozen window is
 * a window for nothing: so nobody starts before there is a token for him. That is arithmetic, not a service.
 */

export interface Pacing {
  /** Turns a second, after the first `burst` ones, which start at once. */
  perSecond: number;
  burst: number;
  /** A member of a group has the group to himself for so long: he may freeze and has thawed within it. */
  slotSeconds: number;
}

export interface Paced {
  id: string;
  /** Members of one group are never frozen at the same time. */
  group?: string | undefined;
}

export interface Turn {
  id: string;
  /** From the start of the firing. */
  atSeconds: number;
}

/**
 * Hands the tokens out one by one: each goes to the first target in line whose group is free by then. Large groups stand
 * in front, since their members have to wait for one another; apart from that the order is the given one. Turns come in
 * the order of their time.
 */
export const pace = (targets: readonly Paced[], { perSecond, burst, slotSeconds }: Pacing): Turn[] => {
  const fresh = linesOf(targets).sort((a, b) => b.length - a.length);
  // Groups whose last member had a turn, by the time that they are free: slots are equally long, so in order of entry.
  const busy: { freeAt: number; members: string[] }[] = [];
  const turns: Turn[] = [];
  let started = 0;
  let next = 0;
  for (let given = 0; given < targets.length; given += 1) {
    const token = Math.max(next, (given + 1 - burst) / perSecond);
    const free = busy[0] && (busy[0].freeAt <= token || started === fresh.length) ? busy.shift() : undefined;
    const members = free?.members ?? (fresh[started++] as string[]);
    const at = Math.max(token, free?.freeAt ?? 0);
    // Tokens that nobody could use are not made up for later: that would be a burst in the middle.
    if (given >= burst || at > 0) next = at + 1 / perSecond;
    turns.push({ id: members.shift() as string, atSeconds: at });
    if (members.length > 0) busy.push({ freeAt: at + slotSeconds, members });
  }
  return turns;
};

/** Every group is a line of its own, and so is everybody without one. */
const linesOf = (targets: readonly Paced[]): string[][] => {
  const groups = new Map<string, string[]>();
  const lines: string[][] = [];
  for (const { id, group } of targets) {
    const known = group === undefined ? undefined : groups.get(group);
    if (known) {
      known.push(id);
      continue;
    }
    const line = [id];
    lines.push(line);
    if (group !== undefined) groups.set(group, line);
  }
  return lines;
};
