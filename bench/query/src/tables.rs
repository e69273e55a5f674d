//! The rows of the engine's snapshot as tables for databases: sessions, orders, their lines, events
//! and payments, with everything joined that questions ask for.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use aggregator::presence::Days;
use aggregator::query::dimension::{Dimension, Visit};
use aggregator::query::shop::Shop;
use aggregator::query::visit::Reader;
use aggregator::sessionize::Why;
use aggregator::texts::text_of;
use aggregator::view::SiteView;
use anyhow::{Context, Result};
use edgetally_proto::time::{MINUTE_MS, SECOND_MS};

use crate::shop::START_MS;

/// Writes all of them.
pub fn write(site: &SiteView, folder: &Path) -> Result<()> {
    sessions(site, folder)?;
    orders(site, folder)?;
    events(site, folder)
}

fn table(folder: &Path, name: &str, head: &str) -> Result<BufWriter<File>> {
    let mut file = BufWriter::new(File::create(folder.join(name))?);
    writeln!(file, "{head}")?;
    Ok(file)
}

fn day_of(site: &SiteView, ms: i64) -> i64 {
    site.zone.day_of(ms) - site.zone.day_of(START_MS)
}

fn sessions(site: &SiteView, folder: &Path) -> Result<()> {
    let reader = Reader::new(site, &Shop::default());
    let head = "id,day,person,channel,source,medium,campaign,country,device,browser,os,\
                entry_page,exit_page,bounce,duration,converted,is_new";
    let mut file = table(folder, "sessions.csv", head)?;
    for (_, row) in &site.sessions {
        let text = |by: Visit| -> Arc<str> {
            reader.symbols.text(reader.of_session(row, Dimension::Visit(by)))
        };
        let texts = [
            Visit::Channel,
            Visit::Source,
            Visit::Medium,
            Visit::Campaign,
            Visit::Country,
            Visit::Device,
            Visit::Browser,
            Visit::Os,
            Visit::EntryPage,
            Visit::ExitPage,
        ]
        .map(text);
        writeln!(
            file,
            "{},{},{},{},{},{},{},{}",
            row.record,
            day_of(site, row.start_ms),
            row.person,
            texts.join(","),
            u8::from(row.events == 1),
            row.end_ms - row.start_ms,
            u8::from(site.orders_of(row.record).next().is_some()),
            u8::from(row.why == Why::FIRST),
        )?;
    }
    Ok(file.flush()?)
}

fn orders(site: &SiteView, folder: &Path) -> Result<()> {
    let reader = Reader::new(site, &Shop::default());
    let mut file = table(folder, "orders.csv", "day,value,channel,city")?;
    let mut lines = table(folder, "lines.csv", "day,item,quantity,worth")?;
    for (_, row) in &site.orders {
        let text = |by: Visit| reader.symbols.text(reader.of_order(row, Dimension::Visit(by)));
        let (day, value) = (day_of(site, row.order.at_ms), row.order.value.context("no value")?);
        let (channel, city) = (text(Visit::Channel), text(Visit::City));
        writeln!(file, "{day},{},{channel},{city}", value.minor)?;
        let record = site.record(row.order.money_record).context("no record")?;
        for line in record.fact.iter().flat_map(|fact| &fact.items) {
            let worth = line.price.unwrap_or(0) * i64::from(line.quantity);
            let item = line.id.as_deref().unwrap_or_default();
            writeln!(lines, "{day},{item},{},{worth}", line.quantity)?;
        }
    }
    lines.flush()?;
    Ok(file.flush()?)
}

fn events(site: &SiteView, folder: &Path) -> Result<()> {
    let head = "ms,second,minute,hour,day,name,page,person,session,session_day,place,term,category";
    let mut file = table(folder, "events.csv", head)?;
    let mut payments = table(folder, "payments.csv", "day,latency")?;
    let text = |id| text_of(&site.texts, id);
    for (_, row) in &site.sessions {
        let session_day = day_of(site, row.start_ms);
        for (place, entry) in site.entries_of(row).iter().enumerate() {
            let record = site.record(entry.record).context("no record")?;
            let (at, fact) = (record.occurred_at_ms, record.fact.as_deref());
            let day = day_of(site, at);
            let term = fact.and_then(|fact| fact.search_term.as_deref()).unwrap_or_default();
            let item = fact.and_then(|fact| fact.items.first());
            let category = item.and_then(|item| item.category.as_deref()).unwrap_or_default();
            writeln!(
                file,
                "{at},{},{},{},{day},{},{},{},{},{session_day},{place},{term},{category}",
                at / SECOND_MS,
                at / MINUTE_MS,
                at / MINUTE_MS / 60,
                text(record.name),
                record.page.map(text).unwrap_or_default(),
                row.person,
                row.record,
            )?;
            if let Some(latency) = fact.and_then(|fact| fact.latency_ms) {
                writeln!(payments, "{day},{latency}")?;
            }
        }
    }
    payments.flush()?;
    Ok(file.flush()?)
}
