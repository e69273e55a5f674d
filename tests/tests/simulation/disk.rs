//! The storage of a shard, in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use edge_worker::outbox::Outbox;
use edge_worker::shard::Storage;
use edgetally_proto::ids::Epoch;

/// What a shard has on disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Epoch and base.
    pub epoch: Option<(Epoch, u64)>,
    /// Sequence, what was acknowledged, and frame, by slot.
    pub ring: BTreeMap<u64, (u64, u64, Vec<u8>)>,
    /// Minutes of ids and their parts, by slot.
    pub ids: BTreeMap<(i64, usize), (i64, Vec<u8>)>,
    /// A fault built in on purpose: rows of ids are not written, and those of frames not read.
    pub drops_ids: bool,
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
    fn head(&self) -> Result<(u64, u64), String> {
        let disk = self.0.borrow();
        let newest = disk.ring.values().max_by_key(|(sequence, _, _)| *sequence);
        Ok(newest.map_or((0, 0), |(sequence, acked, _)| (*sequence, *acked)))
    }
    fn put_frame(&mut self, sequence: u64, acked: u64, frame: Vec<u8>) -> Result<(), String> {
        self.0.borrow_mut().ring.insert(Outbox::slot(sequence), (sequence, acked, frame));
        Ok(())
    }
    fn frame(&self, sequence: u64) -> Result<Option<Vec<u8>>, String> {
        let disk = self.0.borrow();
        let slot = disk.ring.get(&Outbox::slot(sequence));
        Ok(slot.filter(|(held, _, _)| *held == sequence).map(|(_, _, frame)| frame.clone()))
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
}
