//! `edgetally load`: orders and sessions of a running aggregator into a PostgreSQL warehouse.
//!
//! Every page is one transaction: its rows by COPY into a table of their own, from there as
//! upserts, and with them how far the load has come. So a load that is killed goes on where it
//! was, and a page that is loaded twice changes nothing.

use std::io;
use std::process::ExitCode;

use bytes::Bytes;
use clap::ValueEnum;
use futures_util::SinkExt;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::client::Target;
use super::end;
use crate::http::postgres::connect;

/// Rows of a page, and of a transaction.
const PAGE: usize = 1_000;

/// Which list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Orders,
    Sessions,
}

/// What to load, and to where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which list.
    what: What,
    /// The site.
    #[arg(long)]
    site: String,
    /// The warehouse, `postgres://...`. Better in the environment than on the line.
    #[arg(long, env = "EDGETALLY_WAREHOUSE", hide_env_values = true)]
    postgres: String,
    #[command(flatten)]
    target: Target,
}

/// Loads everything that is there: 0 if it is whole, 1 if not.
pub fn run(args: &Args) -> ExitCode {
    end(load(args))
}

/// A page of a list, and what leads on after it.
struct Page {
    rows: Vec<Value>,
    next: Option<String>,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Sessions => "sessions",
        }
    }

    /// Number of the row within its site.
    fn key(self, row: &Value) -> String {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        match self {
            Self::Orders => format!("{}/{}", text("platform"), text("transaction_id")),
            Self::Sessions => text("session_id"),
        }
    }

    /// Typed columns of the view that readers use.
    fn view(self) -> &'static str {
        match self {
            Self::Orders => {
                "row->>'platform' as platform, row->>'transaction_id' as transaction_id,
                 row->>'person' as person, row->>'session_id' as session_id,
                 row->>'status' as status, (row->>'booked')::boolean as booked,
                 (row->>'created_at')::timestamptz as created_at,
                 (row->>'completed_at')::timestamptz as completed_at,
                 (row->>'cancelled_at')::timestamptz as cancelled_at,
                 row->'value'->>'currency' as currency, (row->'value'->>'amount')::numeric as value,
                 (row->'gmv'->>'amount')::numeric as gmv, (row->'nmv'->>'amount')::numeric as nmv,
                 (row->'refunded'->>'amount')::numeric as refunded,
                 (row->>'units')::bigint as units, row->>'channel' as channel"
            }
            Self::Sessions => {
                "row->>'session_id' as session_id, row->>'person' as person,
                 (row->>'start')::timestamptz as started_at,
                 (row->>'end')::timestamptz as ended_at,
                 (row->>'local_date')::date as local_date, row->>'channel' as channel,
                 (row->>'events')::bigint as events, (row->>'pageviews')::bigint as pageviews,
                 row->>'entry_page' as entry_page, row->>'exit_page' as exit_page,
                 row->>'country' as country, row->>'city' as city, row->>'device' as device,
                 row->>'state' as state"
            }
        }
    }
}

fn load(args: &Args) -> io::Result<Value> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut client = connect(&args.postgres).await.map_err(io::Error::other)?;
        prepare(&client, args.what).await.map_err(io::Error::other)?;
        let (round, mut after) = position(&client, args).await.map_err(io::Error::other)?;
        let progress = ProgressBar::new_spinner();
        let (mut rows, mut changed) = (0, 0);
        loop {
            let page = page(args, after.as_deref())?;
            let count = page.rows.len();
            let stored = store(&mut client, args, round, &page).await.map_err(io::Error::other)?;
            (rows, changed) = (rows + count, changed + stored);
            progress.inc(count as u64);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        progress.finish_and_clear();
        let what = args.what.name();
        Ok(json!({"site": args.site, "list": what, "rows": rows, "changed": changed}))
    })
}

/// Tables and view, made once.
async fn prepare(client: &Client, what: What) -> Result<(), tokio_postgres::Error> {
    let (name, columns) = (what.name(), what.view());
    let sql = format!(
        "create table if not exists edgetally_loads (site text, list text, round bigint not null,
           after text, primary key (site, list));
         create table if not exists edgetally_{name}_rows (site text, key text,
           row jsonb not null, round bigint not null, primary key (site, key));
         create or replace view edgetally_{name} as select site, {columns}, row
           from edgetally_{name}_rows;"
    );
    client.batch_execute(&sql).await
}

/// The number of the load, and after what it goes on if one was broken off.
async fn position(
    client: &Client,
    args: &Args,
) -> Result<(i64, Option<String>), tokio_postgres::Error> {
    let list = args.what.name();
    client
        .execute(
            "insert into edgetally_loads values ($1, $2, 1, null) on conflict do nothing",
            &[&args.site, &list],
        )
        .await?;
    let sql = "select round, after from edgetally_loads where site = $1 and list = $2";
    let row = client.query_one(sql, &[&args.site, &list]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn page(args: &Args, after: Option<&str>) -> io::Result<Page> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("site", &args.site).append_pair("limit", &PAGE.to_string());
    after.map(|after| query.append_pair("after", after));
    let path = format!("/v1/{}?{}", args.what.name(), query.finish());
    let mut answer = args.target.json("GET", &path, None).map_err(io::Error::other)?;
    let next = answer["next"].as_str().map(str::to_owned);
    match answer["results"].take() {
        Value::Array(rows) => Ok(Page { rows, next }),
        _ => Err(io::Error::other("the answer has no results")),
    }
}

/// One cell of the text format of COPY.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

/// Loads a page in one transaction; gives how many rows it changed.
async fn store(
    client: &mut Client,
    args: &Args,
    round: i64,
    page: &Page,
) -> Result<u64, tokio_postgres::Error> {
    let (list, what) = (args.what.name(), args.what);
    let step = client.transaction().await?;
    step.batch_execute("create temporary table page (key text, row jsonb) on commit drop").await?;
    let mut text = String::new();
    for row in &page.rows {
        // PostgreSQL's texts have no such character.
        let row_text = row.to_string().replace("\\u0000", "");
        text.push_str(&format!("{}\t{}\n", cell(&what.key(row)), cell(&row_text)));
    }
    {
        let sink = step.copy_in("copy page (key, row) from stdin").await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(Bytes::from(text)).await?;
        sink.finish().await?;
    }
    let sql = format!(
        "insert into edgetally_{list}_rows as held select $1, key, row, $2 from page
           on conflict (site, key) do update set row = excluded.row
           where held.row is distinct from excluded.row"
    );
    let changed = step.execute(&sql, &[&args.site, &round]).await?;
    let sql = format!(
        "update edgetally_{list}_rows set round = $2
           where site = $1 and round <> $2 and key in (select key from page)"
    );
    step.execute(&sql, &[&args.site, &round]).await?;
    let mut gone = 0;
    if page.next.is_none() {
        // What the whole round did not bring is told no more: it was merged or erased.
        let sql = format!("delete from edgetally_{list}_rows where site = $1 and round <> $2");
        gone = step.execute(&sql, &[&args.site, &round]).await?;
    }
    let sql = "update edgetally_loads set after = $3,
        round = case when $3::text is null then round + 1 else round end
        where site = $1 and list = $2";
    step.execute(sql, &[&args.site, &list, &page.next]).await?;
    step.commit().await?;
    Ok(changed + gone)
}
