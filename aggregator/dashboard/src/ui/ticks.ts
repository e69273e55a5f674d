// Which buckets of a chart have a label: round ones, as many as there is room for.

import { dateOf, isDate, type Grain } from "../zone.ts";

const STRIDES: Record<Grain, number[]> = {
  second: [1, 5, 10, 15, 30, 60, 120, 300, 600, 900],
  minute: [1, 5, 10, 15, 30, 60, 120, 240],
  hour: [1, 2, 3, 4, 6, 12, 24],
  day: [1, 2, 7, 14],
  week: [1, 2, 4, 8],
  month: [1, 2, 3, 6, 12],
};

/** Where a bucket stands within its day, or in the row where it is a day or longer. */
function position(text: string, grain: Grain, index: number): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.slice(11, 19).split(":").map(Number);
  if (isDate(text)) return index;
  if (grain === "hour") return hours;
  return grain === "minute" ? hours * 60 + minutes : hours * 3600 + minutes * 60 + seconds;
}

/** Indexes of the buckets with a label, at most `most` or a few more around a change of clocks. */
export function tickIndexes(texts: string[], grain: Grain, most: number): number[] {
  const strides = STRIDES[grain];
  const wanted = texts.length / Math.max(1, most);
  const stride = strides.find((one) => one >= wanted) ?? strides.at(-1) ?? 1;
  const round = texts.flatMap((text, index) =>
    position(text, grain, index) % stride === 0 ? [index] : [],
  );
  // Longer rows than the strides are made for: every n-th of those.
  const every = Math.ceil(round.length / Math.max(1, most));
  return round.filter((_, index) => index % every === 0);
}

/** Whether a bucket is the first of its day, so that its label is the date. */
export const startsDay = (texts: string[], index: number): boolean => {
  const [text = "", before] = [texts[index], texts[index - 1]];
  return !isDate(text) && before !== undefined && dateOf(text) !== dateOf(before);
};
