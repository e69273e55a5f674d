/**
 * Core Web Vitals as `web_vital` events: TTFB, FCP, LCP, CLS and INP, each once a document load,
 * when the page is first hidden. A separate file: load it beside e.js or e.full.js.
 * Definitions: https://web.dev/articles/vitals; times in ms, CLS without a unit.
 */

type Edgetally = (name: string, ...args: unknown[]) => unknown;
interface Shift extends PerformanceEntry {
  value: number;
  hadRecentInput: boolean;
}
interface Interaction extends PerformanceEntry {
  interactionId?: number;
}

/** A session window of CLS ends after a second without a shift, and after five in all. */
const SHIFT_GAP_MS = 1000;
const SHIFT_WINDOW_MS = 5000;
/** INP leaves out one interaction of every fifty. */
const INTERACTIONS_PER_OUTLIER = 50;
const INTERACTIONS_KEPT = 10;

const values: Record<string, number> = {};
const slowest = new Map<number, number>();
let interactionCount = 0;
let windowValue = 0;
let windowStart = 0;
let lastShift = 0;
let isSent = false;

const load = performance.getEntriesByType("navigation")[0] as
  (PerformanceNavigationTiming & { activationStart?: number }) | undefined;
/** A prerendered page is measured from the moment it showed. */
const sinceShown = (time: number): number => Math.max(0, time - (load?.activationStart || 0));

const onPaint = (entry: PerformanceEntry): void => {
  if (entry.name == "first-contentful-paint") values["FCP"] = sinceShown(entry.startTime);
};

const onLargest = (entry: PerformanceEntry): void => {
  values["LCP"] = sinceShown(entry.startTime);
};

const onShift = (entry: PerformanceEntry): void => {
  const { value, hadRecentInput, startTime } = entry as Shift;
  if (hadRecentInput) return;
  if (startTime - lastShift > SHIFT_GAP_MS || startTime - windowStart > SHIFT_WINDOW_MS) {
    windowStart = startTime;
    windowValue = 0;
  }
  lastShift = startTime;
  windowValue += value;
  values["CLS"] = Math.max(values["CLS"] || 0, windowValue);
};

const onInteraction = (entry: PerformanceEntry): void => {
  const id = (entry as Interaction).interactionId;
  if (!id) return;
  if (!slowest.has(id)) interactionCount++;
  slowest.set(id, Math.max(slowest.get(id) || 0, entry.duration));
  if (slowest.size <= INTERACTIONS_KEPT) return;
  const [fastest] = [...slowest].reduce((low, next) => (next[1] < low[1] ? next : low));
  slowest.delete(fastest);
};

const observe = (type: string, take: (entry: PerformanceEntry) => void): void => {
  try {
    const options = { type, buffered: true, durationThreshold: 16 };
    const observer = new PerformanceObserver((list) => list.getEntries().forEach(take));
    observer.observe(options);
    drains.push(() => observer.takeRecords().forEach(take));
  } catch {
    // A browser without this kind of entry has no such metric.
  }
};
const drains: (() => void)[] = [];

const send = (): void => {
  if (isSent || document.visibilityState != "hidden") return;
  isSent = true;
  for (const drain of drains) drain();
  const durations = [...slowest.values()].sort((a, b) => b - a);
  const outliers = Math.floor(interactionCount / INTERACTIONS_PER_OUTLIER);
  const inp = durations[Math.min(outliers, durations.length - 1)];
  if (inp) values["INP"] = inp;
  if (load?.responseStart) values["TTFB"] = sinceShown(load.responseStart);
  // No shift at all is a CLS of zero wherever shifts are observed.
  if (PerformanceObserver.supportedEntryTypes?.includes("layout-shift")) values["CLS"] ||= 0;
  const edgetally = (window as { edgetally?: Edgetally }).edgetally;
  for (const [metric, value] of Object.entries(values)) {
    edgetally?.("track", "web_vital", { metric, value: +value.toFixed(metric == "CLS" ? 4 : 0) });
  }
  edgetally?.("flush");
};

observe("paint", onPaint);
observe("largest-contentful-paint", onLargest);
observe("layout-shift", onShift);
observe("event", onInteraction);
observe("first-input", onInteraction);
document.addEventListener("visibilitychange", send);

export {};
