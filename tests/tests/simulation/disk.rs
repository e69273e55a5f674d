//! The storage of a shard, in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use edge_worker::store::{Cut, Head, Kind, Row, Spilled, Storage, Stored, Waiting};
use edgetally_proto::ids::Epoch;
use edgetally_proto::limits::RING_SLOTS;

/// What a shard has on disk.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Slots of the ring.
    pub slots: u64,
    /// Epoch and base.
    pub epoch: Option<(Epoch, u64)>,
    /// Sequence, what was acknowledged, and frame, by slot.
    pub ring: BTreeMap<u64, (u64, u64, Stored)>,
    /// Minutes of ids and their parts, by slot.
    pub ids: BTreeMap<(i64, usize), (i64, Vec<u8>)>,
    /// A fault built in on purpose: rows of ids are not written, and those of frames not read.
    pub drops_ids: bool,
    rows: BTreeMap<u64, Row>,
    cuts: [Option<Cut>; 2],
    spilled: BTreeMap<u64, (Spilled, Vec<u64>)>,
    pruned: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            slots: RING_SLOTS,
            epoch: None,
            ring: BTreeMap::new(),
            ids: BTreeMap::new(),
            drops_ids: false,
            rows: BTreeMap::new(),
            cuts: [None; 2],
            spilled: BTreeMap::new(),
            pruned: 0,
        }
    }
}

impl Disk {
    /// Whether the next frame takes the slot of one that is not in the bucket and was not pruned
    /// from there.
    pub fn would_lose(&self) -> bool {
        let head = self.ring.values().map(|(sequence, _, _)| *sequence).max().unwrap_or(0);
        let before = self.ring.get(&((head + 1) % self.slots)).map(|(sequence, _, _)| *sequence);
        let is_kept = |sequence| self.spilled.values().any(|(spilled, _)| spilled.holds(sequence));
        before.is_some_and(|sequence| sequence > self.pruned && !is_kept(sequence))
    }
}

/// The disk as the shard and its test see it.
#[derive(Debug, Clone, Default)]
pub struct Shared(pub Rc<RefCell<Disk>>);

impl Storage for Shared {
    fn epoch(&self) -> Result<Option<(Epoch, u64)>, String> {
        Ok(self.0.borrow().epoch)
    }
    fn put_epoch(&mut self, epoch: Epoch, base: u64) -> Result<(), String> {
        self.0.borrow_mut().epoch = Some((epoch, base));
        Ok(())
    }
    fn head(&self) -> Result<Head, String> {
        let disk = self.0.borrow();
        let newest = disk.ring.values().max_by_key(|(sequence, _, _)| *sequence);
        Ok(newest.map_or(Head::default(), |(sequence, acked, stored)| Head {
            sequence: *sequence,
            acked: *acked,
            total: stored.total,
        }))
    }
    fn put_frame(&mut self, sequence: u64, acked: u64, stored: Stored) -> Result<(), String> {
        let mut disk = self.0.borrow_mut();
        let slot = sequence % disk.slots;
        disk.ring.insert(slot, (sequence, acked, stored));
        Ok(())
    }
    fn frame(&self, sequence: u64) -> Result<Option<Stored>, String> {
        let disk = self.0.borrow();
        let slot = disk.ring.get(&(sequence % disk.slots));
        Ok(slot.filter(|(held, _, _)| *held == sequence).map(|(_, _, stored)| stored.clone()))
    }
    fn put_ids(&mut self, minute: i64, parts: Vec<Vec<u8>>) -> Result<(), String> {
        if self.0.borrow().drops_ids {
            return Ok(());
        }
        for (at, part) in parts.into_iter().enumerate() {
            self.0.borrow_mut().ids.insert((minute.rem_euclid(16), at), (minute, part));
        }
        Ok(())
    }
    fn ids_since(&self, minute: i64) -> Result<Vec<(i64, Vec<u8>)>, String> {
        let disk = self.0.borrow();
        let mut rows: Vec<_> = disk.ids.values().filter(|(m, _)| *m >= minute).cloned().collect();
        rows.sort();
        Ok(rows)
    }
    fn waiting(&self) -> Result<Waiting, String> {
        let disk = self.0.borrow();
        let bytes = disk.rows.values().map(|row| row.lines.len() as u64).sum();
        Ok(Waiting { bytes, since_ms: disk.rows.values().next().map(|row| row.at_ms) })
    }
    fn put_row(&mut self, row: Row) -> Result<(), String> {
        match self.0.borrow_mut().rows.insert(row.id, row) {
            None => Ok(()),
            Some(before) => Err(format!("row {} was written twice", before.id)),
        }
    }
    fn rows(&self, last: Option<u64>, bytes: u64) -> Result<Vec<Row>, String> {
        let (mut rows, mut sum) = (Vec::new(), 0);
        for row in self.0.borrow().rows.range(..=last.unwrap_or(u64::MAX)).map(|(_, row)| row) {
            sum += row.lines.len() as u64;
            rows.push(row.clone());
            // Far smaller than in production, so that a case has several objects.
            if sum > bytes.min(2_000) && last.is_none() {
                break;
            }
        }
        Ok(rows)
    }
    fn delete_rows(&mut self, last: u64) -> Result<(), String> {
        self.0.borrow_mut().rows.retain(|id, _| *id > last);
        Ok(())
    }
    fn cut(&self, kind: Kind) -> Result<Option<Cut>, String> {
        Ok(self.0.borrow().cuts[usize::from(kind == Kind::Frames)])
    }
    fn put_cut(&mut self, kind: Kind, cut: Cut) -> Result<(), String> {
        self.0.borrow_mut().cuts[usize::from(kind == Kind::Frames)] = Some(cut);
        Ok(())
    }
    fn spilled(&self) -> Result<Vec<Spilled>, String> {
        Ok(self.0.borrow().spilled.values().map(|(spilled, _)| *spilled).collect())
    }
    fn put_spilled(&mut self, spilled: Spilled, totals: &[u64]) -> Result<(), String> {
        self.0.borrow_mut().spilled.insert(spilled.first, (spilled, totals.to_vec()));
        Ok(())
    }
    fn totals(&self, first: u64) -> Result<Vec<u64>, String> {
        let disk = self.0.borrow();
        Ok(disk.spilled.get(&first).map(|(_, totals)| totals.clone()).unwrap_or_default())
    }
    fn forget_spilled(&mut self, first: u64) -> Result<(), String> {
        let mut disk = self.0.borrow_mut();
        let forgotten = disk.spilled.remove(&first);
        disk.pruned = disk.pruned.max(forgotten.map_or(0, |(spilled, _)| spilled.last));
        Ok(())
    }
}
