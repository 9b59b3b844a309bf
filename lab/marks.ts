/** Where a program writes into a page: between two comments, the first of which says which program. */
export function between(page: string, { from, to }: { from: string; to: string }, text: string): string {
  const [first, last] = [`<!-- ${from} -->\n`, `<!-- ${to} -->`];
  const [start, end] = [page.indexOf(first), page.indexOf(last)];
  if (start < 0 || end < start) throw new Error(`the page has no place for it: ${first.trim()} … ${last}`);
  return `${page.slice(0, start + first.length)}${text.trim()}\n${page.slice(end)}`;
}
