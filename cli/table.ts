import { stripVTControlCharacters } from 'node:util';

/** Rows in columns, two blanks apart; those at `right` are flush right. The first row is the head, the last column is free. */
export const table = (
  rows: readonly (readonly string[])[],
  { right = [] }: { right?: readonly number[] } = {},
): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? ''))));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const pad = ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)));
          return right.includes(column) ? pad + cell : cell + pad;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

const widthOf = (cell: string): number => stripVTControlCharacters(cell).length;
