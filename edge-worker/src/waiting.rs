//! Lines on their way to the raw archive: behind the frame of a request, and in rows of a shard.
//!
//! Behind a frame stands one line for every record of it, in its order. A row holds lines with
//! their site and UTC hour of receipt, by which the archive is laid out.

use std::collections::BTreeMap;

use edgetally_proto::archive::names::hour_of;
use edgetally_proto::batch::Batch;
use edgetally_proto::columns::{Reader, Writer};
use edgetally_proto::error::DecodeError;
use edgetally_proto::frame;
use edgetally_proto::ids::SiteId;
use edgetally_proto::limits::RAW_ROW_BYTES_MAX;

/// A batch as it travels to its shard.
#[derive(Debug)]
pub struct Admission<'a> {
    /// The batch.
    pub batch: Batch,
    /// Its bytes as a frame.
    pub bytes: usize,
    /// A line for every record; none where there is no archive.
    pub lines: Vec<&'a str>,
}

/// Writes a batch and the lines of its records.
#[must_use]
pub fn encode_admission(batch: &Batch, lines: &[String]) -> Vec<u8> {
    let mut bytes = frame::encode(batch);
    let mut writer = Writer::default();
    lines.iter().for_each(|line| writer.text(line));
    bytes.extend_from_slice(&writer.into_bytes());
    bytes
}

/// Reads what [`encode_admission`] wrote.
///
/// # Errors
/// If it is no frame, or there are lines but not as many as records.
pub fn decode_admission(bytes: &[u8]) -> Result<Admission<'_>, DecodeError> {
    let head = frame::peek(bytes)?;
    let batch = frame::decode(bytes)?;
    let mut reader = Reader::new(bytes.get(head.bytes..).unwrap_or_default());
    let mut lines = Vec::new();
    while !reader.is_at_end() {
        lines.push(reader.text()?);
    }
    let records: usize = batch.sites.iter().map(|site| site.records.len()).sum();
    if !lines.is_empty() && lines.len() != records {
        return Err(DecodeError::Malformed("there is not one line for each record"));
    }
    Ok(Admission { batch, bytes: head.bytes, lines })
}

/// The lines of the open window.
#[derive(Debug, Default)]
pub struct Lines {
    rows: Vec<Vec<u8>>,
    open: Writer,
    bytes: usize,
}

impl Lines {
    /// Takes a line.
    pub fn push(&mut self, site: &SiteId, received_at_ms: i64, line: &str) {
        if self.open.len() + line.len() > RAW_ROW_BYTES_MAX && !self.open.is_empty() {
            self.rows.push(std::mem::take(&mut self.open).into_bytes());
        }
        let before = self.open.len();
        self.open.text(site.as_str());
        self.open.signed(hour_of(received_at_ms));
        self.open.text(line);
        self.bytes += self.open.len() - before;
    }

    /// Bytes of all of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the rows of the window hold; none are left.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        let Self { mut rows, open, .. } = std::mem::take(self);
        if !open.is_empty() {
            rows.push(open.into_bytes());
        }
        rows
    }
}

/// The lines of one site and hour, as they stand in a part.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub lines: u64,
    /// NDJSON.
    pub text: Vec<u8>,
}

/// Adds the lines of a row to the shares of their sites and hours.
///
/// # Errors
/// If the row was not written by [`Lines`].
pub fn share_out(
    row: &[u8],
    shares: &mut BTreeMap<(SiteId, i64), Share>,
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(row);
    while !reader.is_at_end() {
        let site =
            SiteId::parse(reader.text()?).map_err(|_| DecodeError::Malformed("no site id"))?;
        let hour = reader.signed()?;
        let share = shares.entry((site, hour)).or_default();
        share.text.extend_from_slice(reader.text()?.as_bytes());
        share.text.push(b'\n');
        share.lines += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use edgetally_proto::batch::SiteBatch;

    use super::*;

    #[test]
    fn lines_are_laid_out_by_site_and_hour() {
        let (a, b) = (SiteId::parse("a").unwrap(), SiteId::parse("b").unwrap());
        let mut lines = Lines::default();
        for (site, at, line) in [(&a, 0, "1"), (&b, 1, "2"), (&a, 3_600_000, "3"), (&a, 9, "4")] {
            lines.push(site, at, line);
        }
        let rows = lines.take();
        assert_eq!((rows.len(), lines.bytes()), (1, 0));
        let mut shares = BTreeMap::new();
        share_out(&rows[0], &mut shares).unwrap();
        let told: Vec<(&str, i64, u64, &[u8])> = shares
            .iter()
            .map(|((site, hour), share)| (site.as_str(), *hour, share.lines, &share.text[..]))
            .collect();
        assert_eq!(told, [("a", 0, 2, &b"1\n4\n"[..]), ("a", 1, 1, b"3\n"), ("b", 0, 1, b"2\n")]);
    }

    #[test]
    fn a_row_never_outgrows_its_limit() {
        let site = SiteId::parse("a").unwrap();
        let mut lines = Lines::default();
        let line = "x".repeat(300_000);
        (0..5).for_each(|_| lines.push(&site, 0, &line));
        lines.push(&site, 0, &"x".repeat(1_050_000));
        let rows = lines.take();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row.len() < 1_900_000));
    }

    #[test]
    fn lines_belong_to_records() {
        let batch =
            Batch { committed_at_ms: 1, sites: vec![SiteBatch::new(SiteId::parse("a").unwrap())] };
        let read = |lines: &[String]| {
            let bytes = encode_admission(&batch, lines);
            decode_admission(&bytes).map(|admission| admission.lines.len())
        };
        assert_eq!(read(&[]), Ok(0));
        assert!(read(&["one too many".to_owned()]).is_err());
    }
}
