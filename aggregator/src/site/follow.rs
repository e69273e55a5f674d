//! What follows from a record, and undoing it.

use std::sync::Arc;

use edgetally_proto::record::Fact;
use edgetally_proto::time::second_of;

use super::timelines::step_of;
use super::{Effects, Site};
use crate::held::Held;
use crate::orders::daily::Share;
use crate::orders::ledger::{self, OrderChange};
use crate::orders::settle::Order;
use crate::people::Named;
use crate::records::Stored;
use crate::timeline::Timeline;

impl Site {
    /// Keeps a record and works out what follows from it.
    pub(super) fn add(&mut self, record: Stored, effects: &mut Effects) {
        let number = self.records.push(record.clone());
        self.follow(number, &record, effects);
    }

    /// Works out what follows from a record: owners, presence, its order.
    pub(super) fn follow(&mut self, number: u32, record: &Stored, effects: &mut Effects) {
        self.follow_event(number, record, effects);
        if let Some((key, trace)) = ledger::trace(number, record, self.texts.text(record.name)) {
            let told = Named { records: &self.records, texts: &self.texts };
            let change = self.ledger.insert(key, trace, &told);
            self.note_order(change, effects);
        }
    }

    /// The same but for its order.
    pub(super) fn follow_event(&mut self, number: u32, record: &Stored, effects: &mut Effects) {
        let is_event = !record.is_told();
        if is_event {
            self.sketch(record);
            self.stock.change(record, true);
        }
        self.followed = number;
        let step = step_of(&self.texts, number, record);
        if is_event && !step.is_some_and(|step| step.is_activity) {
            self.asides.add(record.occurred_at_ms, number);
        }
        if let Some(step) = step {
            self.credits.note(record.client, &step, record.received_at_ms);
            self.wake(record.client);
            let timeline = self.timelines.get_or_insert(record.client, Timeline::default, |_| 0);
            timeline.note_receipt(record.received_at_ms);
            let moves = timeline.insert(step, &self.rules, &self.records);
            self.followed = number + 1;
            self.apply_moves(record.client, &step, &moves, effects);
        }
        self.followed = number + 1;
    }

    /// Puts what a record of the back office says of its order in the place of what it said before.
    pub(super) fn tell_order(&mut self, number: u32, record: &Stored, effects: &mut Effects) {
        if let Some((key, trace)) = ledger::trace(number, record, self.texts.text(record.name)) {
            let told = Named { records: &self.records, texts: &self.texts };
            let change = self.ledger.tell(key, trace, &told);
            self.note_order(change, effects);
        }
    }

    fn note_order(&mut self, mut change: OrderChange, effects: &mut Effects) {
        if change.is_changed {
            let share = |order: Option<Order>, fact: &Option<Arc<Fact>>| {
                Share::of(&change.key, &order?, fact.as_deref(), &self.zone)
            };
            let before = share(change.was, &change.was_fact);
            let after = share(change.order, &change.fact);
            self.daily.change(before.as_ref(), after.as_ref());
            self.place_order(&change.key, change.order, std::mem::take(&mut change.refunds));
        }
        if change.before == change.after {
            return;
        }
        let times = [change.before, change.after].into_iter().flatten();
        effects.seconds.extend(times.map(|order| second_of(order.at_ms)));
        // Of one that no longer counts nobody is told what it says.
        change.fact = change.fact.filter(|_| change.after.is_some());
        change.was_fact = None;
        effects.orders.push(change);
    }

    /// Undoes what followed from a record, because an earlier copy of it turned up.
    pub(super) fn take_back(&mut self, number: u32, effects: &mut Effects) {
        let Some(record) = self.records.get(number).map(Held::into_owned) else {
            return;
        };
        self.count_repeat(&record, effects);
        self.unfollow(number, &record, effects);
    }

    /// Undoes what followed from a record, which is still there.
    pub(super) fn unfollow(&mut self, number: u32, record: &Stored, effects: &mut Effects) {
        self.unfollow_event(number, record, effects);
        if let Some((key, _)) = ledger::trace(number, record, self.texts.text(record.name)) {
            let told = Named { records: &self.records, texts: &self.texts };
            let change = self.ledger.remove(key, number, &told);
            self.note_order(change, effects);
        }
    }

    /// The same but for its order.
    pub(super) fn unfollow_event(&mut self, number: u32, record: &Stored, effects: &mut Effects) {
        let is_event = !record.is_told();
        if is_event {
            self.unsketch(record);
            self.stock.change(record, false);
        }
        let step = step_of(&self.texts, number, record);
        if is_event && !step.is_some_and(|step| step.is_activity) {
            self.asides.remove(record.occurred_at_ms, number);
        }
        if let Some(step) = step {
            self.wake(record.client);
            let timeline = self.timelines.get_or_insert(record.client, Timeline::default, |_| 0);
            let moves = timeline.remove(&step, &self.rules, &self.records);
            self.apply_moves(record.client, &step, &moves, effects);
        }
    }
}
