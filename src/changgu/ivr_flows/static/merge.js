// Two people's changes of one thing put together.

const isMapping = (one) => one !== null && typeof one === "object" && !Array.isArray(one);
export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** `mine`, which was made of `base`, on top of what others made of it: of each field and key what was changed, by me first. */
export function merged(base, mine, theirs) {
  if (same(base, mine)) return theirs;
  if (![base, mine, theirs].every(isMapping)) return mine;
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])];
  return Object.fromEntries(names.map((name) => [name, merged(base[name], mine[name], theirs[name])]).filter(([, value]) => value !== undefined));
}
