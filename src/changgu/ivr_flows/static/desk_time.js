// Times as the desk's clock shows them, wherever the reader's computer thinks it is.

const written = (moment, zone) =>
  new Intl.DateTimeFormat("sv-SE", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }).format(moment).replace(" ", "T");

/** Milliseconds → what stands in a `datetime-local` field of the desk: `2026-03-02T09:00`. */
export const deskTime = (moment, zone) => written(new Date(moment), zone);

/** What stands in such a field → milliseconds. Of an hour that the clock shows twice it is the first; of one that it skips, the hour after. */
export function momentOf(text, zone) {
  const shown = Date.parse(`${text}Z`);
  const ahead = (moment) => Date.parse(`${written(new Date(moment), zone)}Z`) - moment;
  const [before, after] = [ahead(shown - 86_400_000), ahead(shown + 86_400_000)];
  const fits = [shown - Math.max(before, after), shown - Math.min(before, after)].find((moment) => written(new Date(moment), zone) === text);
  return fits ?? shown - before;
}
