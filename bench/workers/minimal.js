// The least that keeps events: reads the JSON, writes the batch into the SQLite of a Durable
// Object, answers when it is written. No keys, no limits, no validation, no repeats, no reports.
// With a bucket, what was appended goes there once a second, compressed.
import { DurableObject } from "cloudflare:workers";

export class Store extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS batches(n INTEGER PRIMARY KEY, body TEXT)");
  }

  append(body) {
    this.sql.exec("INSERT INTO batches(body) VALUES (?)", body);
    if (this.env.ARCHIVE && !this.isDue) {
      this.isDue = true;
      this.ctx.storage.setAlarm(Date.now() + 1_000);
    }
  }

  async alarm() {
    this.isDue = false;
    const rows = this.sql.exec("SELECT n, body FROM batches WHERE n > ?", this.put ?? 0).toArray();
    if (rows.length === 0) return;
    const last = rows.at(-1).n;
    const text = new Blob([rows.map(({ body }) => body).join("\n")]);
    const zipped = text.stream().pipeThrough(new CompressionStream("gzip"));
    const part = await new Response(zipped).arrayBuffer();
    await this.env.ARCHIVE.put(`${this.ctx.id}/${last}`, part);
    this.put = last;
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
