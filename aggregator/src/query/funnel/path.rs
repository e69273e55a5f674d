//! How far somebody's activity goes along the steps of a funnel.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use super::{Order, Step};
use crate::texts::{TextId, text_of};
use crate::view::SiteView;

/// The steps that an activity can be, one bit each.
pub type Mask = u32;

/// How far it went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walk {
    /// How many steps.
    pub depth: usize,
    /// Where among the activity the first of them is.
    pub entered: Option<usize>,
}

/// Goes along some activity, of which each can be the steps of a mask. An activity is one step at
/// most.
#[must_use]
pub fn walk(activity: &[Mask], steps: usize, order: Order) -> Walk {
    let is_step = |mask: &Mask, step: usize| mask & (1 << step) != 0;
    let mut furthest = Walk::default();
    match order {
        // Whoever takes each step as early as he can gets as far as anybody.
        Order::Sequential => {
            for (at, mask) in activity.iter().enumerate() {
                if furthest.depth < steps && is_step(mask, furthest.depth) {
                    furthest.depth += 1;
                    furthest.entered = furthest.entered.or(Some(at));
                }
            }
        }
        Order::Strict => {
            for at in 0..activity.len() {
                let from_here = activity.iter().skip(at).take(steps).enumerate();
                let depth = from_here.take_while(|(step, mask)| is_step(mask, *step)).count();
                if depth > furthest.depth {
                    furthest = Walk { depth, entered: Some(at) };
                }
            }
        }
    }
    furthest
}

/// Says which steps an activity can be; every text is compared only once.
#[derive(Debug)]
pub struct Marks<'a> {
    site: &'a SiteView,
    steps: &'a [Step],
    names: RefCell<FxHashMap<TextId, Mask>>,
    pages: RefCell<FxHashMap<Option<TextId>, Mask>>,
}

impl<'a> Marks<'a> {
    /// Of the steps of a funnel.
    #[must_use]
    pub fn new(site: &'a SiteView, steps: &'a [Step]) -> Self {
        Self { site, steps, names: RefCell::default(), pages: RefCell::default() }
    }

    fn mask(&self, is_step: impl Fn(&Step) -> bool) -> Mask {
        let steps = self.steps.iter().enumerate().filter(|(_, step)| is_step(step));
        steps.fold(0, |mask, (at, _)| mask | 1 << at)
    }

    /// The steps that the activity with a record can be.
    #[must_use]
    pub fn of(&self, record: u32) -> Mask {
        self.site.records.seen(record).map_or(0, |(name, page)| self.of_event(name, page))
    }

    /// The steps that an activity of a name can be, on a page.
    #[must_use]
    pub fn of_event(&self, name: TextId, page: Option<TextId>) -> Mask {
        let text = |id: TextId| text_of(&self.site.texts, id);
        let named = *self
            .names
            .borrow_mut()
            .entry(name)
            .or_insert_with(|| self.mask(|step| step.event == text(name)));
        if named == 0 {
            return 0;
        }
        let is_there = |wanted: &String| page.is_some_and(|page| text(page) == wanted);
        let there = *self
            .pages
            .borrow_mut()
            .entry(page)
            .or_insert_with(|| self.mask(|step| step.page.as_ref().is_none_or(is_there)));
        named & there
    }
}
