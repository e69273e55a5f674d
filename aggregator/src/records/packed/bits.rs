//! Columns of numbers of one width in bits.

use super::{LIST_MAX, LISTED, WIDEST};

fn bits_of(number: u64) -> u32 {
    match u64::BITS - number.leading_zeros() {
        bits if bits > WIDEST => u64::BITS,
        bits => bits,
    }
}

/// Appends numbers of one width, from the next whole byte on.
fn push_bits(out: &mut Vec<u8>, numbers: impl Iterator<Item = u64>, width: u32) {
    let (mut held, mut count) = (0u128, 0);
    for number in numbers {
        held |= u128::from(number) << count;
        count += width;
        while count >= 8 {
            out.push((held & 0xFF) as u8);
            held >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push((held & 0xFF) as u8);
    }
}

/// Appends a column; gives its width and base.
pub(super) fn push_column(out: &mut Vec<u8>, numbers: &[u64]) -> (u8, u64) {
    let (lowest, highest) =
        numbers.iter().fold((u64::MAX, 0), |(low, high), n| (low.min(*n), high.max(*n)));
    let width = bits_of(highest.saturating_sub(lowest));
    let mut list = numbers.to_vec();
    list.sort_unstable();
    list.dedup();
    let listed = bits_of(list.len().saturating_sub(1) as u64);
    let cost = list.len() * 32 + numbers.len() * listed as usize;
    let fits = list.len() <= LIST_MAX && highest <= u64::from(u32::MAX);
    if fits && cost < numbers.len() * width as usize {
        list.iter().for_each(|number| out.extend((*number as u32).to_le_bytes()));
        let place = |number| list.binary_search(number).unwrap_or_default() as u64;
        push_bits(out, numbers.iter().map(place), listed);
        return (listed as u8 | LISTED, list.len() as u64);
    }
    push_bits(out, numbers.iter().map(|number| number - lowest), width);
    (width as u8, lowest)
}
