//! What brought a person here: the class of every activity of a client (semantics, section 5).
//!
//! A class depends on the activity before it on the same client and on the tag seen last there.
//! So an event that turns up late changes at most itself, the activity after it, and the tagged
//! event after it.

use crate::texts::TextId;

/// What an event says of where it came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clue {
    /// Its folded campaign, if that is a key.
    pub key: Option<TextId>,
    /// The host outside the shop that linked to it.
    pub referrer: Option<TextId>,
}

/// How an event came to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// By a tagged link that is no echo: a touch.
    Tagged,
    /// By a link without tags from outside, as the client's entry: a touch.
    Untagged,
    /// Everything else.
    #[default]
    Direct,
}

impl Class {
    /// Whether it brought the person from outside.
    #[must_use]
    pub fn is_touch(self) -> bool {
        self != Self::Direct
    }
}

/// The class of an activity, `pause_ms` after the client's activity before it (none if it is the
/// first), when `last_key` was the tag seen last on the client; after a pause of more than
/// `entry_ms` it is an entry.
#[must_use]
pub fn class(clue: Clue, pause_ms: Option<i64>, last_key: Option<TextId>, entry_ms: i64) -> Class {
    let is_entry = pause_ms.is_none_or(|pause| pause > entry_ms);
    match clue {
        Clue { key: Some(key), .. } if is_entry || last_key != Some(key) => Class::Tagged,
        Clue { key: None, referrer: Some(_) } if is_entry => Class::Untagged,
        _ => Class::Direct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY_MS: i64 = 1_800_000;
    const TAGGED: Clue = Clue { key: Some(1), referrer: None };
    const LINKED: Clue = Clue { key: None, referrer: Some(2) };

    #[test]
    fn a_tag_that_repeats_without_a_pause_is_an_echo() {
        assert_eq!(class(TAGGED, None, None, ENTRY_MS), Class::Tagged);
        assert_eq!(class(TAGGED, Some(ENTRY_MS), Some(1), ENTRY_MS), Class::Direct);
        assert_eq!(class(TAGGED, Some(ENTRY_MS + 1), Some(1), ENTRY_MS), Class::Tagged);
        assert_eq!(class(TAGGED, Some(1), Some(3), ENTRY_MS), Class::Tagged);
    }

    #[test]
    fn a_link_without_tags_counts_only_at_the_entry() {
        assert_eq!(class(LINKED, None, None, ENTRY_MS), Class::Untagged);
        assert_eq!(class(LINKED, Some(ENTRY_MS), None, ENTRY_MS), Class::Direct);
        assert_eq!(class(LINKED, Some(ENTRY_MS + 1), Some(1), ENTRY_MS), Class::Untagged);
        assert_eq!(class(Clue::default(), None, None, ENTRY_MS), Class::Direct);
    }

    #[test]
    fn a_tagged_link_from_outside_is_known_by_its_tag() {
        let both = Clue { key: Some(1), referrer: Some(2) };
        assert_eq!(class(both, None, None, ENTRY_MS), Class::Tagged);
        assert_eq!(class(both, Some(1), Some(1), ENTRY_MS), Class::Direct);
    }
}
