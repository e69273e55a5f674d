//! Columns that nearly follow from a reference: the place of a record is that of its client, its
//! channel that of its campaign. Such a column has one value for each entry of the other's table,
//! the first that occurs with it, and then the records that differ. So it costs bytes by client or
//! campaign and hardly any by record.

use crate::columns::{Reader, Writer};
use crate::error::DecodeError;
use crate::record::{Record, Ref, Tables};

/// The columns of this kind.
pub struct Follows {
    /// Channels.
    pub grade: Vec<u8>,
    /// Places.
    pub place: Vec<u8>,
    /// Devices.
    pub device: Vec<u8>,
}

/// A channel follows from the campaign, else from the referrer.
fn origin(record: &Record, tables: &Tables) -> Option<Ref> {
    let campaigns = Ref::try_from(tables.campaigns.len()).unwrap_or(Ref::MAX);
    record.campaign.or(record.referrer.map(|referrer| referrer.saturating_add(campaigns)))
}

impl Follows {
    /// Of the records of a site.
    pub fn of(records: &[Record], tables: &Tables) -> Self {
        let clients = tables.clients.len();
        let origins = tables.campaigns.len() + tables.referrers.len();
        Self {
            grade: encode(records.iter().map(|r| (origin(r, tables), r.grade)), origins),
            place: encode(records.iter().map(|r| (r.client, r.place)), clients),
            device: encode(records.iter().map(|r| (r.client, r.device)), clients),
        }
    }

    /// Fills in the records, whose other columns are read.
    ///
    /// # Errors
    /// If a reference leads outside its table, or the bytes are no such columns.
    pub fn fill(&self, records: &mut [Record], tables: &Tables) -> Result<(), DecodeError> {
        let clients = tables.clients.len();
        let origins = tables.campaigns.len() + tables.referrers.len();
        let by_origin = records.iter().map(|record| origin(record, tables));
        let grades = decode(&self.grade, by_origin, origins, tables.grades.len())?;
        let by_client = || records.iter().map(|record| record.client);
        let places = decode(&self.place, by_client(), clients, tables.places.len())?;
        let devices = decode(&self.device, by_client(), clients, tables.devices.len())?;
        for (record, ((grade, place), device)) in
            records.iter_mut().zip(grades.into_iter().zip(places).zip(devices))
        {
            (record.grade, record.place, record.device) = (grade, place, device);
        }
        Ok(())
    }
}

/// What a record's value should follow from, and the value.
type Row = (Option<Ref>, Option<Ref>);

fn expected(firsts: &[Option<Ref>], key: Option<Ref>) -> Option<Ref> {
    let at = usize::try_from(key?).ok()?;
    firsts.get(at).copied().flatten()
}

/// Writes the values of a column whose keys are below `keys`; nothing if none has a value.
fn encode(rows: impl Iterator<Item = Row> + Clone, keys: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    if rows.clone().all(|(_, value)| value.is_none()) {
        return writer.into_bytes();
    }
    let (mut firsts, mut seen) = (vec![None; keys], vec![false; keys]);
    for (key, value) in rows.clone() {
        let at = key.and_then(|key| usize::try_from(key).ok());
        if let Some(at) = at.filter(|at| seen.get(*at) == Some(&false))
            && let (Some(first), Some(seen)) = (firsts.get_mut(at), seen.get_mut(at))
        {
            (*first, *seen) = (value, true);
        }
    }
    firsts.iter().for_each(|first| writer.optional(*first));
    let mut skipped = 0;
    for (key, value) in rows {
        if value == expected(&firsts, key) {
            skipped += 1;
            continue;
        }
        writer.unsigned(skipped);
        writer.optional(value);
        skipped = 0;
    }
    writer.into_bytes()
}

/// Reads the values of a column; those of its records that [`encode`] was told.
///
/// # Errors
/// If a value is not below `values`, or the bytes are no such column.
fn decode(
    bytes: &[u8],
    records: impl ExactSizeIterator<Item = Option<Ref>>,
    keys: usize,
    values: usize,
) -> Result<Vec<Option<Ref>>, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.is_at_end() {
        return Ok(vec![None; records.len()]);
    }
    let firsts: Vec<_> = (0..keys).map(|_| reader.optional(values)).collect::<Result<_, _>>()?;
    let mut decoded: Vec<_> = records.map(|key| expected(&firsts, key)).collect();
    let mut at = 0usize;
    while !reader.is_at_end() {
        let skipped = usize::try_from(reader.unsigned()?).unwrap_or(usize::MAX);
        at = at.saturating_add(skipped);
        let place = decoded.get_mut(at).ok_or(DecodeError::Malformed("an exception is of none"))?;
        *place = reader.optional(values)?;
        at += 1;
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[Row], bytes: usize) {
        let encoded = encode(rows.iter().copied(), 3);
        assert_eq!(encoded.len(), bytes, "{rows:?}");
        let decoded = decode(&encoded, rows.iter().map(|row| row.0), 3, 9).unwrap();
        assert_eq!(decoded, rows.iter().map(|row| row.1).collect::<Vec<_>>());
    }

    #[test]
    fn what_follows_costs_nothing_by_record() {
        check(&[(Some(0), None), (None, None)], 0);
        check(&[(Some(0), Some(4)); 100], 3);
        let follows = [(Some(0), Some(4)), (Some(1), None), (Some(0), Some(4)), (None, None)];
        check(&follows, 3);
    }

    #[test]
    fn exceptions_come_back() {
        check(&[(None, Some(8)), (Some(2), Some(1)), (Some(2), None), (Some(2), Some(3))], 9);
        check(&[(Some(1), None), (Some(1), Some(7))], 5);
    }

    #[test]
    fn lies_are_refused() {
        let read = |bytes: &[u8]| decode(bytes, [Some(0)].into_iter(), 1, 2);
        assert_eq!(read(&[2]), Ok(vec![Some(1)]));
        assert!(read(&[3]).is_err());
        assert!(read(&[2, 1, 1]).is_err());
        assert!(read(&[2, 0]).is_err());
    }
}
