//! Bytes of an event on its way to the aggregator against the JSON that it came as, by how busy a
//! shard is: a frame is closed every quarter of a second, so a quiet shard's hold few events.

use std::collections::BTreeMap;

use anyhow::Result;
use edgetally_bench_path::path;
use edgetally_bench_path::traffic::{Chance, SITE, T, Template};
use edgetally_proto::frame;
use edgetally_proto::ids::SiteId;
use edgetally_proto::limits::COMMIT_INTERVAL_MS;
use edgetally_proto::settings::SiteSettings;
use edgetally_proto::window::Window;
use serde_json::{Value, json};

/// Events a second.
const RATES: [usize; 4] = [1, 10, 100, 1_000];
/// Events in a batch.
const BATCH: usize = 3;
/// Browsers that take turns.
const BROWSERS: u64 = 300;
/// Length of the traffic.
const SECONDS: usize = 60;

/// Bytes by rate.
pub fn measure() -> Result<Value> {
    let rows: Result<Vec<Value>> = RATES.into_iter().map(at_rate).collect();
    Ok(json!({"rows": rows?}))
}

fn at_rate(rate: usize) -> Result<Value> {
    let site = SiteId::parse(SITE)?;
    let settings = SiteSettings::default();
    let mut chance = Chance::new(rate as u64);
    let mut window = Window::default();
    let (mut json_bytes, mut frames, mut events) = (0, 0_u64, 0);
    let mut sizes = Sizes::default();
    let mut opened_at_ms = None;
    for batch in 0..rate * SECONDS / BATCH {
        let passed_ms = i64::try_from(batch * BATCH * 1_000 / rate)?;
        if opened_at_ms.is_some_and(|at_ms| passed_ms - at_ms >= COMMIT_INTERVAL_MS) {
            sizes.close(&mut window);
            frames += 1;
            opened_at_ms = None;
        }
        opened_at_ms.get_or_insert(passed_ms);
        let browser = usize::try_from(chance.below(BROWSERS))?;
        let body = Template::new(browser, BATCH, T + passed_ms).stamped(&mut chance);
        json_bytes += body.len();
        events += path::fold_at(&body, T + passed_ms + 40, &site, &settings, &mut window);
    }
    sizes.close(&mut window);
    frames += 1;
    anyhow::ensure!(events == rate * SECONDS / BATCH * BATCH, "events were refused");
    let each = |bytes: usize| bytes as f64 / events as f64;
    Ok(json!({"events_per_second": rate, "events": events, "frames": frames,
        "json_bytes_per_event": each(json_bytes), "frame_bytes_per_event": each(sizes.frames),
        "sections": sizes.sections.into_iter().map(|(name, bytes)| (name, each(bytes)))
            .collect::<BTreeMap<_, _>>()}))
}

/// Bytes of frames, and of their sections by name.
#[derive(Default)]
struct Sizes {
    frames: usize,
    sections: BTreeMap<&'static str, usize>,
}

impl Sizes {
    fn close(&mut self, window: &mut Window) {
        let batch = path::seal(window);
        self.frames += frame::encode(&batch).len();
        for (name, bytes) in frame::sections(&batch) {
            *self.sections.entry(name).or_default() += bytes;
        }
    }
}
