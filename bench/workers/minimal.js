// The least that keeps events: reads the JSON, writes the batch into the SQLite of a Durable
// Object, answers when it is written. No keys, no limits, no validation, no repeats, no reports.
import { DurableObject } from "cloudflare:workers";

export class Store extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS batches(n INTEGER PRIMARY KEY, body TEXT)");
  }

  append(body) {
    this.sql.exec("INSERT INTO batches(body) VALUES (?)", body);
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
    const text = await request.text();
    const batch = JSON.parse(text);
    if (!Array.isArray(batch.events)) return new Response("no batch", { status: 400 });
    await env.STORE.getByName(`${batch.site}|${bucket(batch.client_id)}`).append(text);
    return Response.json({ accepted: batch.events.length }, { status: 202 });
  },
};
