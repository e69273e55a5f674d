// Tables: aligned figures, a bar behind the first one, sorting by the API's order only.

import type { ComponentChildren } from "preact";
import { t } from "../store.ts";

/** A column; `end` aligns figures. */
export interface Column {
  name: ComponentChildren;
  end?: boolean;
}

/** A row; `share` of 1 fills the bar behind it. */
export interface TableRow {
  key: string;
  cells: ComponentChildren[];
  share?: number;
  /** Marks the row for tests and styles. */
  data?: Record<string, string>;
}

interface TableProps {
  /** What it is of, for who does not see it. */
  label: string;
  columns: Column[];
  rows: TableRow[];
  /** Whether it scrolls within a box of its own. */
  isTall?: boolean;
  /** What is said where there is no row. */
  empty?: string;
}

/** A table that scrolls sideways by itself where the screen is narrow. */
export function DataTable({ label, columns, rows, isTall, empty }: TableProps) {
  if (!rows.length) return <p class="empty">{empty ?? t("nothing")}</p>;
  return (
    // Whoever has no pointer scrolls it by keys.
    <div class={isTall ? "sheet tall" : "sheet"} tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map((column, index) => (
              <th key={index} scope="col" class={column.end ? "end" : ""}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells, share, data }) => (
            <tr key={key} {...data}>
              {cells.map((cell, index) => {
                const isFirst = index === 0;
                return (
                  <td key={index} class={columns[index]?.end ? "end" : ""}>
                    {isFirst && share !== undefined && <Bar share={share} />}
                    {cell}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Bar({ share }: { share: number }) {
  const width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return <span class="bar" aria-hidden="true" style={{ width }} />;
}
