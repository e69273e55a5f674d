// One write for every event, as Counterscale writes one data point for every hit: reads the JSON,
// inserts a row for each event, answers when they are written. It has no use for a bucket.
import { DurableObject } from "cloudflare:workers";

export class Store extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec(
      "CREATE TABLE IF NOT EXISTS events(n INTEGER PRIMARY KEY, site TEXT, client TEXT, id TEXT," +
        " name TEXT, ts INTEGER, page TEXT, value TEXT)",
    );
  }

  add(site, client, events) {
    for (const { id, name, ts, context, params } of events) {
      this.sql.exec(
        "INSERT INTO events(site, client, id, name, ts, page, value) VALUES (?, ?, ?, ?, ?, ?, ?)",
        site, client, id, name, ts, context?.page_url ?? null, String(params?.value ?? ""),
      );
    }
  }
}

// As many objects for a site as our own worker spreads its clients over.
const SPREAD = 2;

function bucket(text) {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) | 0;
  return (hash >>> 0) % SPREAD;
}

export default {
  async fetch(request, env) {
    if (request.method !== "POST") return new Response("ok");
    const { site, client_id, events } = await request.json();
    if (!Array.isArray(events)) return new Response("no batch", { status: 400 });
    await env.STORE.getByName(`${site}|${bucket(client_id)}`).add(site, client_id, events);
    return Response.json({ accepted: events.length }, { status: 202 });
  },
};
