/** Hands the collector's answers to e.debug.js, which says in the console what they mean. */

import { isOn, options } from "./config";

/** The events of a batch as JSON, the status of its answer (none: no answer), and its body. */
export type Answer = [events: string[], status: number | undefined, body: string];

/** Tells an answer, when the page asked for it. */
export const tell = async (events: string[], answer?: Response | void): Promise<void> => {
  if (!isOn(options.debug)) return;
  const body = answer ? await answer.text() : "";
  ((window as { edgetallyAnswers?: Answer[] }).edgetallyAnswers ||= []).push([
    events,
    answer?.status,
    body,
  ]);
};
