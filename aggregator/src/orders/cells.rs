//! The cells of daily statistics: the finest ones, and their sums by what is asked for, by day and
//! by month. So three years by month and category read some thousand sums, however many regions
//! there are.

use std::sync::Arc;

use edgetally_proto::money::Currency;
use imbl::{OrdMap, Vector};

use super::daily::{Cell, Day, Sums};
use super::statistics::first_of_month;

/// Number of a name; 0 is none.
pub type Name = u32;

/// What may wait before the sums of cells are brought up to date.
const WAITING_MAX: usize = 8_192;

/// Where an order counts, with numbers for names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    day: i32,
    /// Category, or none.
    pub category: Name,
    /// Region, or none.
    pub region: Name,
    /// Order platform.
    pub platform: Name,
    /// Currency.
    pub currency: Currency,
}

impl Place {
    /// The local day, or the first one of the month.
    #[must_use]
    pub fn day(&self) -> Day {
        self.day.into()
    }
}

/// What cells are told apart by beside day, platform and currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Grain {
    /// By category.
    pub category: bool,
    /// By region.
    pub region: bool,
}

impl Grain {
    const FINEST: Self = Self { category: true, region: true };
    /// All of them.
    const ALL: [Self; 4] = [
        Self { category: false, region: false },
        Self { category: true, region: false },
        Self { category: false, region: true },
        Self::FINEST,
    ];

    fn of(self, place: Place) -> Place {
        let kept = |name, is_kept| if is_kept { name } else { 0 };
        let (category, region) =
            (kept(place.category, self.category), kept(place.region, self.region));
        Place { category, region, ..place }
    }

    fn at(self) -> usize {
        usize::from(self.category) + 2 * usize::from(self.region)
    }
}

/// Names by number. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
struct Names {
    texts: Vector<Arc<str>>,
    numbers: OrdMap<Arc<str>, Name>,
}

impl Names {
    fn number(&mut self, text: &Arc<str>) -> Name {
        if let Some(number) = self.numbers.get(text.as_ref()) {
            return *number;
        }
        self.texts.push_back(text.clone());
        let number = Name::try_from(self.texts.len()).unwrap_or(Name::MAX);
        self.numbers.insert(text.clone(), number);
        number
    }

    fn text(&self, number: Name) -> Option<&Arc<str>> {
        self.texts.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }
}

type Table = OrdMap<Place, Sums>;

/// The cells of a site. Clones share what did not change since.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    names: Names,
    /// By grain; the finest one is always up to date.
    days: [Table; 4],
    months: [Table; 4],
    /// What the other tables do not have yet.
    waiting: Vec<(Place, Sums)>,
}

fn day_number(day: Day) -> i32 {
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

fn add(table: &mut Table, place: Place, sums: &Sums) {
    let held = table.entry(place).or_default();
    held.merge(sums, 1);
    if *held == Sums::default() {
        table.remove(&place);
    }
}

/// The same places once each, in order.
fn folded(mut sums: Vec<(Place, Sums)>) -> Vec<(Place, Sums)> {
    sums.sort_unstable_by_key(|(place, _)| *place);
    sums.dedup_by(|(place, more), (held, sums)| {
        let is_same = place == held;
        if is_same {
            sums.merge(more, 1);
        }
        is_same
    });
    sums
}

fn range(table: &Table, first: Day, last: Day) -> impl Iterator<Item = (&Place, &Sums)> {
    let place = |day| Place {
        day: day_number(day),
        category: 0,
        region: 0,
        platform: 0,
        currency: Currency::USD,
    };
    // No platform has the number 0, so the currency decides nothing.
    table.range(place(first)..place(last.saturating_add(1).max(first)))
}

impl Cells {
    /// Adds sums to a cell, or takes them out with a `sign` of -1.
    pub fn add(&mut self, cell: &Cell, sums: &Sums, sign: i64) {
        let mut optional = |name: &Option<Arc<str>>| match name {
            Some(name) => self.names.number(name),
            None => 0,
        };
        let (category, region) = (optional(&cell.category), optional(&cell.region));
        let platform = self.names.number(&cell.platform);
        let day = day_number(cell.day);
        let place = Place { day, category, region, platform, currency: cell.currency };
        let mut signed = Sums::default();
        signed.merge(sums, sign);
        if let Some(finest) = self.days.get_mut(Grain::FINEST.at()) {
            add(finest, place, &signed);
        }
        self.waiting.push((place, signed));
        if self.waiting.len() >= WAITING_MAX {
            self.settle();
        }
    }

    /// Brings the sums of cells up to date, because many at once take less.
    pub fn settle(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let finest = folded(std::mem::take(&mut self.waiting));
        let of_month = |(place, sums): &(Place, Sums)| {
            let day = day_number(first_of_month(place.day()));
            (Place { day, ..*place }, *sums)
        };
        let by_month = folded(finest.iter().map(of_month).collect());
        for grain in Grain::ALL {
            let coarser = |sums: &[(Place, Sums)]| {
                folded(sums.iter().map(|(place, sums)| (grain.of(*place), *sums)).collect())
            };
            let is_finest = grain == Grain::FINEST;
            let day = if is_finest { Vec::new() } else { coarser(&finest) };
            for (tables, sums) in [(&mut self.days, day), (&mut self.months, coarser(&by_month))] {
                let Some(table) = tables.get_mut(grain.at()) else { continue };
                sums.iter().for_each(|(place, sums)| add(table, *place, sums));
            }
        }
    }

    /// The sums of some days by a grain, the last one in, in the order of days.
    pub fn days(
        &self,
        grain: Grain,
        first: Day,
        last: Day,
    ) -> impl Iterator<Item = (&Place, &Sums)> {
        self.days.get(grain.at()).into_iter().flat_map(move |table| range(table, first, last))
    }

    /// The sums of months by a grain, those that begin within some days.
    pub fn months(
        &self,
        grain: Grain,
        first: Day,
        last: Day,
    ) -> impl Iterator<Item = (&Place, &Sums)> {
        self.months.get(grain.at()).into_iter().flat_map(move |table| range(table, first, last))
    }

    /// The cells of some days, the last one in.
    pub fn between(&self, first: Day, last: Day) -> impl Iterator<Item = (Cell, &Sums)> {
        let cell = |place: &Place| {
            Some(Cell {
                day: place.day(),
                platform: self.names.text(place.platform)?.clone(),
                currency: place.currency,
                category: self.names.text(place.category).cloned(),
                region: self.names.text(place.region).cloned(),
            })
        };
        let finest = self.days(Grain::FINEST, first, last);
        finest.filter_map(move |(place, sums)| Some((cell(place)?, sums)))
    }

    /// The first and the last day with orders.
    #[must_use]
    pub fn span(&self) -> Option<(Day, Day)> {
        let finest = self.days.get(Grain::FINEST.at())?;
        Some((finest.get_min()?.0.day(), finest.get_max()?.0.day()))
    }

    /// What a number stands for; none for that of none.
    #[must_use]
    pub fn name(&self, number: Name) -> Option<&str> {
        self.names.text(number).map(AsRef::as_ref)
    }

    /// The number of a name, if it ever occurred.
    #[must_use]
    pub fn number_of(&self, name: &str) -> Option<Name> {
        self.names.numbers.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = (Cell, i64)> {
        let name = || prop::option::of(0..3u8);
        let parts = (20_000i64..20_070, 0..2u8, any::<bool>(), name(), name(), 1..9i64);
        parts.prop_map(|(day, platform, is_usd, category, region, orders)| {
            let named = |name: u8| Arc::from(format!("name {name}"));
            let currency = if is_usd { "USD" } else { "VND" };
            let cell = Cell {
                day,
                platform: named(platform),
                currency: Currency::parse(currency).unwrap(),
                category: category.map(named),
                region: region.map(named),
            };
            (cell, orders)
        })
    }

    type Plain = BTreeMap<(Day, [Option<String>; 3], Currency), i64>;

    fn put(plain: &mut Plain, day: Day, names: [Option<&str>; 3], currency: Currency, orders: i64) {
        let names = names.map(|name| name.map(str::to_owned));
        *plain.entry((day, names, currency)).or_default() += orders;
    }

    fn read<'a>(cells: &Cells, sums: impl Iterator<Item = (&'a Place, &'a Sums)>) -> Plain {
        let mut plain = Plain::new();
        for (place, sums) in sums {
            let names = [place.platform, place.category, place.region];
            let names = names.map(|name| cells.name(name));
            put(&mut plain, place.day(), names, place.currency, sums.orders);
        }
        plain
    }

    proptest! {
        /// By whatever grain, and by month, the sums are those of the cells that stand.
        #[test]
        fn coarser_sums_are_those_of_the_cells(
            changes in prop::collection::vec((change(), any::<bool>()), 0..60),
            (first, days) in (19_990i64..20_080, 0i64..80),
        ) {
            let (mut cells, last) = (Cells::default(), first + days);
            for (at, ((cell, orders), is_taken_back)) in changes.iter().enumerate() {
                let sums = Sums { orders: *orders, ..Sums::default() };
                cells.add(cell, &sums, 1);
                if *is_taken_back {
                    cells.add(cell, &sums, -1);
                }
                if at % 7 == 0 {
                    cells.settle();
                }
            }
            cells.settle();
            for grain in Grain::ALL {
                let (mut days, mut months) = (Plain::new(), Plain::new());
                for ((cell, orders), is_taken_back) in &changes {
                    if *is_taken_back {
                        continue;
                    }
                    let category = cell.category.as_deref().filter(|_| grain.category);
                    let region = cell.region.as_deref().filter(|_| grain.region);
                    let names = [Some(cell.platform.as_ref()), category, region];
                    let month = first_of_month(cell.day);
                    if (first..=last).contains(&cell.day) {
                        put(&mut days, cell.day, names, cell.currency, *orders);
                    }
                    if (first..=last).contains(&month) {
                        put(&mut months, month, names, cell.currency, *orders);
                    }
                }
                prop_assert_eq!(read(&cells, cells.days(grain, first, last)), days);
                prop_assert_eq!(read(&cells, cells.months(grain, first, last)), months);
            }
        }
    }
}
